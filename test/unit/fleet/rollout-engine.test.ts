// The engine of rollouts, in a time of its own: whatever devices do, no wave begins before the one before has passed
// its gates, and nothing counts that has not proved itself.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../../src/base/random.js';
import {
  type DeviceRecord,
  type DeviceReport,
  type Gate,
  nothingMeasured,
  RolloutEngine,
  type RolloutEvent,
  type RolloutSetup,
  waitingDevice,
  wavesOf,
} from '../../../src/fleet/index.js';

const gate = (measure: 'confirmed' | 'failed', maxBad: number, action: Gate['action'] = 'pause'): Gate => ({
  measure,
  maxBad,
  minimum: 1,
  confidence: 0.95,
  action,
});

function devicesOf(count: number): DeviceRecord[] {
  const ids = Array.from({ length: count }, (_, i) => `d${i}`);
  let place = 0;
  return wavesOf(ids, [1, { share: 0.2 }, { share: 1 }], 'r').flatMap((wave, w) =>
    wave.map((id) => waitingDevice(id, w, place++)),
  );
}

const setupOf = (devices: readonly DeviceRecord[], changes: Partial<RolloutSetup> = {}): RolloutSetup => ({
  waves: 1 + Math.max(...devices.map(({ wave }) => wave)),
  gates: [gate('confirmed', 0.1), gate('failed', 0.1)],
  deadlines: { notified: 1000, downloading: 2000, verified: 1000, pending: 1000 },
  concurrency: 10,
  paceMs: 0,
  ...changes,
});

const about = { about: 'new', code: null, proved: true, measured: nothingMeasured } as const;

type Behaviour = 'good' | 'fails' | 'silent' | 'dies' | 'lies' | 'falls-back';
const steps: Readonly<Record<Behaviour, readonly DeviceReport['state'][]>> = {
  good: ['downloading', 'verified', 'pending', 'confirmed'],
  fails: ['downloading', 'verified', 'failed'],
  silent: [],
  dies: ['downloading'],
  lies: ['downloading', 'verified', 'pending', 'confirmed'],
  'falls-back': ['downloading', 'verified', 'pending', 'rolled-back'],
};

/** Devices that do what they do, some milliseconds after they are told; messages may come twice and out of order. */
class Fleet {
  now = 0;
  readonly log: RolloutEvent[] = [];
  readonly told = new Map<string, number>();
  /** What the broker says to each, as far as it has been told. */
  readonly wants = new Map<string, DeviceRecord['desired']>();
  maxInFlight = 0;
  /** What a store would hold. */
  readonly kept = new Map<string, DeviceRecord>();
  private readonly coming: { readonly at: number; readonly id: string; readonly report: DeviceReport }[] = [];

  constructor(
    public engine: RolloutEngine,
    private readonly behaviourOf: (id: string) => Behaviour,
    private readonly random: () => number,
  ) {}

  take(): void {
    const { devices, events } = this.engine.drain();
    this.log.push(...events);
    for (const device of devices) {
      this.kept.set(device.id, device);
      if (device.published) continue;
      const { id, attempt, desired } = device;
      this.wants.set(id, desired);
      this.engine.markPublished(id, attempt, desired);
      if (desired === 'nothing') continue;
      if (desired === 'new') this.told.set(id, attempt);
      const behaviour = desired === 'old' ? 'good' : this.behaviourOf(id);
      for (const [i, state] of steps[behaviour].entries()) {
        const at = this.now + (i + 1) * 100 * (0.5 + this.random());
        const report = {
          ...about,
          about: desired,
          seq: 10 * attempt + i,
          attempt,
          state,
          proved: behaviour !== 'lies',
        };
        this.coming.push({ at, id, report });
        if (this.random() < 0.3) this.coming.push({ at: at + 300 * this.random(), id, report });
      }
    }
    for (const device of this.engine.drain().devices) this.kept.set(device.id, device);
    this.maxInFlight = Math.max(this.maxInFlight, this.engine.inFlightCount);
  }

  /** Until nothing more happens by itself. */
  run(): void {
    this.take();
    for (let quiet = 0; quiet < 60; ) {
      this.now += 100;
      const due = this.coming.filter(({ at }) => at <= this.now).sort(() => this.random() - 0.5);
      for (const event of due) this.coming.splice(this.coming.indexOf(event), 1);
      quiet = due.length === 0 ? quiet + 1 : 0;
      for (const { id, report } of due) this.engine.report(id, report, this.now);
      // What is told next is at the broker.
      this.engine.openWindow(true);
      this.engine.tick(this.now);
      this.take();
    }
  }

  /** In all waves. */
  get counts(): Readonly<Record<string, number>> {
    const sum: Record<string, number> = {};
    for (const counts of this.engine.counts())
      for (const [phase, count] of Object.entries(counts)) sum[phase] = (sum[phase] ?? 0) + count;
    return sum;
  }
}

function rollOut(
  count: number,
  behaviourOf: (id: string, wave: number) => Behaviour,
  changes: Partial<RolloutSetup> = {},
  seed = 1,
): Fleet {
  const devices = devicesOf(count);
  const engine = new RolloutEngine(setupOf(devices, changes), devices);
  const waveOf = new Map(devices.map(({ id, wave }) => [id, wave]));
  const fleet = new Fleet(engine, (id) => behaviourOf(id, waveOf.get(id) ?? 0), seededRandom(seed));
  engine.resume(0);
  fleet.run();
  return fleet;
}

describe('a rollout', () => {
  test('to good devices ends with all of them confirmed, wave by wave', () => {
    const { engine, log, maxInFlight, counts } = rollOut(50, () => 'good');
    expect(engine.state).toMatchObject({ phase: 'done', wave: 2 });
    expect(counts).toEqual({ confirmed: 50 });
    expect(log.flatMap((event) => (event.kind === 'wave' ? event.devices : []))).toEqual([1, 9, 40]);
    expect(maxInFlight).toBe(10);
  });

  test.each<[Behaviour, string]>([
    ['fails', 'failed'],
    ['lies', 'failed'],
    ['falls-back', 'rolled-back'],
    ['silent', 'unknown'],
    ['dies', 'unknown'],
  ])('of a bad model (%s) goes no further than the first wave', (behaviour, phase) => {
    const { engine, told, counts, log } = rollOut(50, () => behaviour);
    expect(engine.state).toMatchObject({
      phase: 'paused',
      by: 'gate',
      wave: 0,
      reason: expect.stringContaining('wave 1'),
    });
    expect(told.size).toBe(1);
    expect(counts).toEqual({ waiting: 49, [phase]: 1 });
    expect(log).toContainEqual(expect.objectContaining({ kind: 'device', phase }));
  });

  test('that a gate paused continues past this wave, and only this one, when a user overrules the gate', () => {
    const fleet = rollOut(50, (_id, wave) => (wave < 2 ? 'fails' : 'good'));
    fleet.engine.overrule(fleet.now);
    fleet.run();
    expect(fleet.engine.state).toMatchObject({ phase: 'paused', wave: 1 });
    fleet.engine.overrule(fleet.now);
    fleet.run();
    expect(fleet.engine.state.phase).toBe('done');
    expect(fleet.counts).toEqual({ failed: 10, confirmed: 40 });
  });

  test('that a gate paused is judged again after resume, and after retry and resume', () => {
    let healed = false;
    const fleet = rollOut(50, () => (healed ? 'good' : 'fails'));
    const { engine } = fleet;
    const ids = [...engine.all()].map(({ id }) => id);
    for (const again of [false, true]) {
      if (again) engine.retry(ids, fleet.now);
      engine.resume(fleet.now);
      fleet.run();
      expect(engine.state).toMatchObject({ phase: 'paused', by: 'gate', wave: 0 });
      expect(fleet.told.size).toBe(1);
    }
    // What was overruled once is judged again when devices are told again.
    engine.overrule(fleet.now);
    engine.pause('by the user');
    engine.retry(ids, fleet.now);
    engine.resume(fleet.now);
    fleet.run();
    expect(engine.state).toMatchObject({ phase: 'paused', by: 'gate' });
    healed = true;
    engine.retry(ids, fleet.now);
    engine.resume(fleet.now);
    fleet.run();
    expect(engine.state.phase).toBe('done');
    expect(fleet.counts).toEqual({ confirmed: 50 });
  });

  test('that is rolled back: devices with the new bundle run the old one again, no more at once than the limit', () => {
    const fleet = rollOut(50, (_id, wave) => (wave === 2 ? 'fails' : 'good'), {
      gates: [gate('failed', 0.1, 'roll-back')],
      concurrency: 4,
    });
    expect(fleet.engine.state).toMatchObject({
      phase: 'stopped',
      by: 'gate',
      reason: expect.stringContaining('gate 1'),
    });
    expect(fleet.log.flatMap((event) => (event.kind === 'phase' ? event.phase : []))).toEqual([
      'running',
      'rolling-back',
      'stopped',
    ]);
    // Those too that were under way when it stopped.
    expect(fleet.counts['rolled-back']).toBeGreaterThanOrEqual(10);
    expect(fleet.counts.confirmed).toBeUndefined();
    expect(fleet.maxInFlight).toBe(4);
    for (const { id, phase } of fleet.engine.all()) {
      if (phase === 'waiting') expect(fleet.wants.get(id)).toBeUndefined();
      else expect(fleet.wants.get(id)).toBe(phase === 'rolled-back' ? 'old' : 'nothing');
    }
    fleet.engine.resume(fleet.now);
    fleet.run();
    expect(fleet.engine.state.phase).toBe('stopped');
  });

  test(
    'that is rolled back takes back everybody who may run the new bundle: the unproved, the unheard of, those ' +
      'under way and those told again',
    () => {
      const devices = devicesOf(4).map((device) => ({ ...device, wave: 0 }));
      const engine = new RolloutEngine(setupOf(devices, { gates: [] }), devices);
      engine.resume(0);
      const [liar, silent, busy, broken] = devices.map(({ id }) => id) as [string, string, string, string];
      engine.report(liar, { ...about, seq: 1, attempt: 1, state: 'confirmed', proved: false }, 1);
      engine.report(broken, { ...about, seq: 1, attempt: 1, state: 'failed', code: 'SELF_TEST_FAILED' }, 1);
      engine.report(busy, { ...about, seq: 1, attempt: 1, state: 'pending' }, 900);
      engine.tick(1500);
      expect([liar, silent, busy, broken].map((id) => engine.device(id)?.phase)).toEqual([
        'failed',
        'unknown',
        'pending',
        'failed',
      ]);
      engine.pause('');
      engine.retry([silent], 1500);
      engine.abort('', true, 1500);
      expect(engine.state.phase).toBe('rolling-back');
      engine.openWindow(true);
      engine.tick(1501);
      for (const id of [liar, silent, busy])
        expect(engine.device(id)).toMatchObject({ phase: 'notified', desired: 'old' });
      expect(engine.device(broken)).toMatchObject({ phase: 'failed', desired: 'nothing' });
      for (const id of [liar, silent, busy])
        engine.report(
          id,
          { ...about, about: 'old', seq: 9, attempt: engine.device(id)?.attempt as number, state: 'confirmed' },
          1502,
        );
      expect(engine.state.phase).toBe('stopped');
    },
  );

  test('whose devices stop responding together notifies no others before its gates have decided', () => {
    const devices = devicesOf(100).map((device) => ({ ...device, wave: 0 }));
    const silence: Gate = { measure: 'unknown', maxBad: 0.05, minimum: 1, confidence: 0.95, action: 'pause' };
    const engine = new RolloutEngine(setupOf(devices, { gates: [silence], concurrency: 40 }), devices);
    engine.resume(0);
    engine.tick(5000);
    expect(engine.state).toMatchObject({ phase: 'paused', by: 'gate' });
    expect(engine.counts()).toEqual([{ unknown: 40, waiting: 60 }]);
  });

  test('that is aborted calls back whoever is not through, and leaves the others', () => {
    const fleet = rollOut(50, (id, wave) => (wave === 2 ? 'dies' : id === 'd1' ? 'fails' : 'good'), {
      gates: [gate('failed', 0.9)],
      deadlines: { notified: 1e9, downloading: 1e9, verified: 1e9, pending: 1e9 },
    });
    expect(fleet.engine.state.phase).toBe('running');
    const confirmed = fleet.counts.confirmed as number;
    fleet.engine.abort('by the user', false, fleet.now);
    fleet.run();
    expect(fleet.engine.state).toMatchObject({ phase: 'stopped', by: 'user' });
    expect(fleet.counts).toMatchObject({ confirmed, withdrawn: 10 });
    for (const { id, phase } of fleet.engine.all())
      if (phase === 'withdrawn') expect(fleet.wants.get(id)).toBe('nothing');
    // What they say of it later is not heard, but for its end.
    const [late] = [...fleet.engine.all()].filter(({ phase }) => phase === 'withdrawn');
    fleet.engine.report(late?.id as string, { ...about, seq: 90, attempt: 1, state: 'verified' }, fleet.now);
    expect(fleet.engine.device(late?.id as string)?.phase).toBe('withdrawn');
    fleet.engine.report(late?.id as string, { ...about, seq: 91, attempt: 1, state: 'confirmed' }, fleet.now);
    expect(fleet.engine.device(late?.id as string)?.phase).toBe('confirmed');
  });

  test('one failed device among many pauses the rollout, since it may be chance, and can be retried', () => {
    const fleet = rollOut(50, (id) => (id === 'd7' ? 'fails' : 'good'), { gates: [gate('failed', 0.02, 'abort')] });
    const { engine } = fleet;
    expect(engine.state).toMatchObject({ phase: 'paused', reason: expect.stringContaining('may be due to chance') });
    expect(engine.device('d7')).toMatchObject({ phase: 'failed' });
    engine.retry(['d7', 'd1'], fleet.now);
    fleet.take();
    // It waits with the others until it goes on.
    expect(fleet.told.get('d7')).toBe(1);
    engine.resume(fleet.now);
    fleet.run();
    expect(fleet.told.get('d7')).toBe(2);
    expect(fleet.told.get('d1') ?? 0).toBeLessThan(2);
    expect(fleet.maxInFlight).toBeLessThanOrEqual(10);
  });

  test('that has finished continues for a device that is notified again, and for one that comes later', () => {
    let healed = false;
    const fleet = rollOut(60, (id) => (id.endsWith('3') && !healed ? 'silent' : 'good'), {
      gates: [gate('failed', 0.5)],
      concurrency: 4,
    });
    const silent = ['d3', 'd13', 'd23', 'd33', 'd43', 'd53'];
    expect(fleet.engine.state).toMatchObject({ phase: 'done' });
    expect(fleet.counts).toEqual({ confirmed: 54, unknown: 6 });
    healed = true;
    fleet.engine.retry(silent, fleet.now);
    expect(fleet.engine.state.phase).toBe('running');
    fleet.run();
    expect(fleet.engine.state.phase).toBe('done');
    expect(fleet.counts).toEqual({ confirmed: 60 });
    expect(fleet.maxInFlight).toBe(4);
    fleet.engine.join('latecomer', nothingMeasured, fleet.now);
    fleet.run();
    expect(fleet.engine.state).toMatchObject({ phase: 'done', wave: 2 });
    expect(fleet.engine.device('latecomer')).toMatchObject({ phase: 'confirmed', wave: 2 });
  });

  test('that a device joins has it in its last wave', () => {
    const devices = devicesOf(30);
    const engine = new RolloutEngine(setupOf(devices), devices);
    const fleet = new Fleet(engine, () => 'good', seededRandom(3));
    engine.resume(0);
    engine.join('latecomer', nothingMeasured, 0);
    fleet.run();
    expect(engine.state.phase).toBe('done');
    expect(engine.device('latecomer')).toMatchObject({ phase: 'confirmed', wave: 2 });
    expect(fleet.log.find((event) => event.kind === 'wave' && event.wave === 2)).toMatchObject({ devices: 25 });
  });

  test('notifies no more devices than the limit, and none outside the maintenance window', () => {
    const devices = devicesOf(40);
    const engine = new RolloutEngine(setupOf(devices, { paceMs: 500, gates: [], concurrency: 1000 }), devices);
    const told = (): number => [...engine.all()].filter(({ phase }) => phase !== 'waiting').length;
    engine.openWindow(false);
    engine.resume(0);
    expect(told()).toBe(0);
    const counts: number[] = [];
    for (let now = 0; now < 20_000; now += 100) {
      engine.openWindow(now < 5000 || now >= 10_000);
      engine.tick(now);
      for (const { id, phase, attempt } of engine.all())
        if (phase === 'notified') engine.report(id, { ...about, seq: 1, attempt, state: 'confirmed' }, now);
      counts.push(told());
    }
    // A burst of a second, then two in a second.
    for (const [i, count] of counts.entries()) expect(count).toBeLessThanOrEqual(3 + (i * 100) / 500);
    expect(counts[49]).toBeGreaterThan(8);
    expect(counts[99]).toBe(counts[49]);
    expect(counts[150]).toBeLessThanOrEqual((counts[99] as number) + 2 + 11);
    expect(counts.at(-1)).toBeGreaterThan(25);
  });

  test('reports of other devices, of earlier attempts, and from before the rollout change nothing', () => {
    const devices = devicesOf(3);
    const engine = new RolloutEngine(setupOf(devices), devices);
    engine.resume(0);
    const [first, later] = devices.map(({ id }) => id) as [string, string];
    const confirmed = { ...about, seq: 5, attempt: 1, state: 'confirmed' } as const;
    engine.drain();
    engine.report('stranger', confirmed, 1);
    engine.report(first, { ...confirmed, attempt: 0 }, 1);
    engine.report(first, { ...confirmed, about: 'old' }, 1);
    expect(engine.device(first)).toMatchObject({ phase: 'notified' });
    // Not told yet: what it says is not of this rollout.
    engine.report(later, confirmed, 1);
    expect(engine.device(later)).toMatchObject({ phase: 'waiting' });
    engine.report(first, { ...confirmed, seq: 6 }, 1);
    expect(engine.device(first)).toMatchObject({ phase: 'confirmed' });
    engine.report(first, { ...confirmed, seq: 4, state: 'failed' }, 2);
    expect(engine.device(first)).toMatchObject({ phase: 'confirmed' });
  });
});

const anyBehaviours = fc.record({
  count: fc.integer({ min: 1, max: 60 }),
  seed: fc.integer(),
  bad: fc.integer({ min: 0, max: 10 }),
  most: fc.double({ min: 0, max: 0.6, noNaN: true }),
});

function drawBehaviours(count: number, bad: number, random: () => number): Map<string, Behaviour> {
  const kinds: readonly Behaviour[] = [
    'good',
    'good',
    'good',
    'good',
    'good',
    'good',
    'fails',
    'silent',
    'dies',
    'lies',
  ];
  return new Map(
    Array.from({ length: count }, (_, i) => [
      `d${i}`,
      kinds[Math.floor(random() * (kinds.length - 10 + bad))] ?? 'good',
    ]),
  );
}

test(
  'whatever devices do: waves come in order, none before the one before has passed, never too many at once, and ' +
    'nothing unproved is counted',
  () => {
    fc.assert(
      fc.property(anyBehaviours, ({ count, seed, bad, most }) => {
        const behaviours = drawBehaviours(count, bad, seededRandom(seed));
        const gates = [gate('confirmed', most), gate('failed', most, 'abort')];
        const { engine, log, told, maxInFlight } = rollOut(
          count,
          (id) => behaviours.get(id) as Behaviour,
          { gates },
          seed,
        );
        expect(maxInFlight).toBeLessThanOrEqual(10);
        expect([...told.values()].every((times) => times === 1)).toBe(true);
        const begun = log.flatMap((event) => (event.kind === 'wave' ? event.wave : []));
        expect(begun).toEqual(begun.map((_, i) => i));
        // Nobody is told outside the waves that have begun.
        for (const id of told.keys()) expect(engine.device(id)?.wave).toBeLessThanOrEqual(begun.at(-1) as number);
        for (const [id, behaviour] of behaviours) {
          const phase = engine.device(id)?.phase;
          if (phase === 'confirmed') expect(behaviour).toBe('good');
          if (told.has(id) && behaviour === 'good' && engine.state.phase !== 'stopped') expect(phase).toBe('confirmed');
        }
        // Every wave that was passed held its conditions, counted here from what the devices are.
        for (let wave = 0; wave < (begun.at(-1) as number) + Number(engine.state.phase === 'done'); wave++) {
          const { confirmed = 0, failed = 0, ...others } = engine.counts()[wave] ?? {};
          const all = Object.values(others).reduce((sum, n) => sum + n, confirmed + failed);
          expect(all - confirmed).toBeLessThanOrEqual(most * all);
          expect(failed).toBeLessThanOrEqual(most * all);
        }
      }),
      { numRuns: 150 },
    );
  },
);

test('an engine restored from the records at any moment ends in the same state', () => {
  fc.assert(
    fc.property(anyBehaviours, fc.double({ min: 0, max: 1, noNaN: true }), ({ count, seed, bad, most }, share) => {
      const behaviours = drawBehaviours(count, bad, seededRandom(seed));
      const gates = [gate('failed', most, 'roll-back')];
      const run = (often: number) => {
        const devices = devicesOf(count);
        const setup = setupOf(devices, { gates });
        const random = seededRandom(seed);
        const fleet = new Fleet(
          new RolloutEngine(setup, devices),
          (id) => behaviours.get(id) as Behaviour,
          () => 0.5,
        );
        for (const device of devices) fleet.kept.set(device.id, device);
        const replace = fleet.take.bind(fleet);
        fleet.take = () => {
          replace();
          if (random() >= often) return;
          const places = [...fleet.kept.values()].sort((a, b) => a.place - b.place);
          fleet.engine = new RolloutEngine(setup, places, fleet.engine.state);
        };
        fleet.engine.resume(0);
        fleet.run();
        return { state: fleet.engine.state, counts: fleet.counts, log: fleet.log };
      };
      expect(run(share)).toEqual(run(0));
    }),
    { numRuns: 200 },
  );
});

test('a hundred thousand devices: the cost of a report does not grow with the fleet', () => {
  const devices = devicesOf(100_000);
  const engine = new RolloutEngine(setupOf(devices, { concurrency: 100_000 }), devices);
  engine.resume(0);
  const next = (): string[] => engine.drain().devices.flatMap(({ id, phase }) => (phase === 'notified' ? id : []));
  const waiting = next();
  for (let id = waiting.pop(), now = 1; id !== undefined; id = waiting.pop(), now++) {
    engine.report(id, { ...about, seq: 1, attempt: 1, state: 'confirmed' }, now);
    waiting.push(...next());
    // Nothing of this is a loop over all of them, or the test would not end.
    if (now % 10_000 === 0) engine.tick(now / 1000);
  }
  expect(engine.state.phase).toBe('done');
  expect(engine.counts()).toEqual([{ confirmed: 1 }, { confirmed: 19_999 }, { confirmed: 80_000 }]);
});

describe('operations that change nothing', () => {
  const confirmed = (seq: number, attempt = 1): DeviceReport => ({ ...about, seq, attempt, state: 'confirmed' });

  test('a repeated report, or one older than the last', () => {
    const devices = [waitingDevice('d0', 0, 0)];
    const engine = new RolloutEngine(setupOf(devices), devices);
    engine.resume(0);
    engine.report('d0', { ...confirmed(5), state: 'downloading' }, 10);
    engine.drain();
    engine.report('d0', { ...confirmed(5), state: 'failed', code: 'X' }, 20);
    engine.report('d0', { ...confirmed(4), state: 'failed', code: 'X' }, 20);
    expect([engine.device('d0')?.phase, engine.device('d0')?.seq, engine.drain().devices]).toEqual([
      'downloading',
      5,
      [],
    ]);
    engine.report('d0', confirmed(6), 30);
    expect(engine.device('d0')).toMatchObject({ phase: 'confirmed', seq: 6 });
  });

  test('to abort a rollout that has ended, unless it is rolled back', () => {
    const devices = [waitingDevice('d0', 0, 0)];
    const ended = (): RolloutEngine => {
      const engine = new RolloutEngine(setupOf(devices), devices);
      engine.resume(0);
      engine.report('d0', confirmed(1), 10);
      expect(engine.state.phase).toBe('done');
      engine.drain();
      return engine;
    };
    const left = ended();
    left.abort('by the user', false, 20);
    expect([left.state.phase, left.drain()]).toEqual(['done', { devices: [], events: [] }]);
    const rolledBack = ended();
    rolledBack.abort('by the user', true, 20);
    expect([rolledBack.state.phase, rolledBack.device('d0')?.phase]).toEqual(['rolling-back', 'returning']);
  });
});
