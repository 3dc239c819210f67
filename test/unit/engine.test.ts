// The engine of rollouts, in a time of its own: whatever devices do, no wave begins before the one before has passed its gates, and nothing counts that
// has not proved itself.

import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../src/dataset/index.js';
import { type Command, type Gate, RolloutEngine, type RolloutSetup, wavesOf } from '../../src/fleet/index.js';
import type { Reported } from '../../src/protocol/index.js';

const model = Uint8Array.from({ length: 32 }, (_, i) => i);
const modelHex = Buffer.from(model).toString('hex');
const gate = (measure: Gate['measure'], mostBad: number, action: Gate['action'] = 'pause'): Gate => ({
  measure,
  mostBad,
  limitMs: null,
  factor: null,
  minimum: 1,
  confidence: 0.95,
  action,
});

function setupOf(count: number, changes: Partial<RolloutSetup> = {}): RolloutSetup {
  return {
    rollout: 'r',
    waves: wavesOf(
      Array.from({ length: count }, (_, i) => `d${i}`),
      [1, { share: 0.2 }, { share: 1 }],
      'r',
    ),
    gates: [gate('confirmed', 0.1), gate('failed', 0.1)],
    deadlines: { told: 1000, downloading: 2000, verified: 1000, pending: 1000 },
    concurrency: 10,
    model: modelHex,
    challenge: 42,
    before: new Map(),
    ...changes,
  };
}

type Behaviour = 'good' | 'fails' | 'silent' | 'dies' | 'lies' | 'wrong-model';
const steps: Readonly<Record<Behaviour, readonly Reported['state'][]>> = {
  good: ['downloading', 'verified', 'pending', 'confirmed'],
  fails: ['downloading', 'verified', 'failed'],
  silent: [],
  dies: ['downloading'],
  lies: ['downloading', 'verified', 'pending', 'confirmed'],
  'wrong-model': ['confirmed'],
};

/** Devices that do what they do, some milliseconds after they are told; messages may come twice and out of order. */
class Fleet {
  now = 0;
  readonly log: Command[] = [];
  readonly told = new Map<string, number>();
  mostUnderWay = 0;
  private readonly events: { readonly at: number; readonly id: string; readonly reported: Reported }[] = [];

  constructor(
    readonly engine: RolloutEngine,
    private readonly behaviourOf: (id: string) => Behaviour,
    private readonly random: () => number,
  ) {}

  take(commands: readonly Command[]): void {
    for (const command of commands) {
      this.log.push(command);
      if (command.kind !== 'desire') continue;
      this.told.set(command.id, (this.told.get(command.id) ?? 0) + 1);
      const behaviour = this.behaviourOf(command.id);
      for (const [i, state] of steps[behaviour].entries()) {
        const at = this.now + (i + 1) * 100 * (0.5 + this.random());
        const seq = 10 * (this.told.get(command.id) ?? 0) + i;
        const proof = state === 'confirmed' ? { model: behaviour === 'wrong-model' ? new Uint8Array(32) : model, crc: behaviour === 'lies' ? 41 : 42 } : {};
        const reported = { seq, target: 't', rollout: 'r', state, ...proof };
        this.events.push({ at, id: command.id, reported });
        if (this.random() < 0.3) this.events.push({ at: at + 300 * this.random(), id: command.id, reported });
      }
    }
    const counts = this.engine.counts();
    const underWay = (counts.told ?? 0) + (counts.downloading ?? 0) + (counts.verified ?? 0) + (counts.pending ?? 0);
    this.mostUnderWay = Math.max(this.mostUnderWay, underWay);
  }

  /** Until nothing more happens by itself. */
  run(): void {
    for (let quiet = 0; quiet < 60; ) {
      this.now += 100;
      const due = this.events.filter(({ at }) => at <= this.now).sort(() => this.random() - 0.5);
      for (const event of due) this.events.splice(this.events.indexOf(event), 1);
      quiet = due.length === 0 ? quiet + 1 : 0;
      for (const { id, reported } of due) this.take(this.engine.report(id, reported, this.now));
      this.take(this.engine.tick(this.now));
    }
  }
}

function rollOut(count: number, behaviourOf: (id: string, wave: number) => Behaviour, changes: Partial<RolloutSetup> = {}, seed = 1): Fleet {
  const setup = setupOf(count, changes);
  const engine = new RolloutEngine(setup);
  const waveOf = new Map(setup.waves.flatMap((ids, wave) => ids.map((id) => [id, wave] as const)));
  const fleet = new Fleet(engine, (id) => behaviourOf(id, waveOf.get(id) ?? 0), seededRandom(seed));
  fleet.take(engine.resume(0));
  fleet.run();
  return fleet;
}

describe('a rollout', () => {
  test('to good devices ends with all of them confirmed, wave by wave', () => {
    const { engine, log, mostUnderWay } = rollOut(50, () => 'good');
    expect(engine).toMatchObject({ phase: 'done', wave: 2 });
    expect(engine.counts()).toEqual({ confirmed: 50 });
    expect(log.flatMap((command) => (command.kind === 'wave' ? command.devices : []))).toEqual([1, 9, 40]);
    expect(mostUnderWay).toBe(10);
  });

  test.each<[Behaviour, string]>([
    ['fails', 'failed'],
    ['lies', 'failed'],
    ['wrong-model', 'failed'],
    ['silent', 'unknown'],
    ['dies', 'unknown'],
  ])('of a bad model (%s) goes no further than the first wave', (behaviour, phase) => {
    const { engine, told } = rollOut(50, () => behaviour);
    expect(engine).toMatchObject({ phase: 'paused', wave: 0, reason: expect.stringContaining('wave 1') });
    expect(told.size).toBe(1);
    expect(engine.counts()).toEqual({ waiting: 49, [phase]: 1 });
  });

  test('that a gate paused goes on when a user says so, and only past this wave', () => {
    const fleet = rollOut(50, (_id, wave) => (wave < 2 ? 'fails' : 'good'));
    fleet.take(fleet.engine.resume(fleet.now));
    fleet.run();
    expect(fleet.engine).toMatchObject({ phase: 'paused', wave: 1 });
    fleet.take(fleet.engine.resume(fleet.now));
    fleet.run();
    expect(fleet.engine.phase).toBe('done');
    expect(fleet.engine.counts()).toEqual({ failed: 10, confirmed: 40 });
  });

  test('that is stopped calls back who is under way, and rolls back who runs it where the gate says so', () => {
    const fleet = rollOut(50, (_id, wave) => (wave === 2 ? 'fails' : 'good'), { gates: [gate('failed', 0.1, 'roll-back')] });
    expect(fleet.engine.phase).toBe('stopped');
    expect(fleet.log.filter(({ kind }) => kind === 'roll-back')).toHaveLength(10);
    const before = fleet.told.size;
    fleet.run();
    fleet.take(fleet.engine.resume(fleet.now));
    expect(fleet.told.size).toBe(before);
  });

  test('one unlucky device among many is left to people, and retried', () => {
    const fleet = rollOut(50, (id) => (id === 'd7' ? 'fails' : 'good'), { gates: [gate('failed', 0.02, 'abort')] });
    const { engine } = fleet;
    expect(engine).toMatchObject({ phase: 'paused', reason: expect.stringContaining('may be chance') });
    expect(engine.device('d7')).toMatchObject({ phase: 'failed' });
    fleet.take(engine.retry(['d7', 'd1'], fleet.now));
    // It waits with the others until it goes on.
    expect(fleet.told.get('d7')).toBe(1);
    fleet.take(engine.resume(fleet.now));
    fleet.run();
    expect(fleet.told.get('d7')).toBe(2);
    expect(fleet.told.get('d1') ?? 0).toBeLessThan(2);
    expect(fleet.mostUnderWay).toBeLessThanOrEqual(10);
  });

  test('that is done goes on for a device that is told again', () => {
    let healed = false;
    const fleet = rollOut(60, (id) => (id.endsWith('3') && !healed ? 'silent' : 'good'), { gates: [gate('failed', 0.5)], concurrency: 4 });
    const silent = ['d3', 'd13', 'd23', 'd33', 'd43', 'd53'];
    expect(fleet.engine).toMatchObject({ phase: 'done' });
    expect(fleet.engine.counts()).toEqual({ confirmed: 54, unknown: 6 });
    healed = true;
    fleet.take(fleet.engine.retry(silent, fleet.now));
    expect(fleet.engine.phase).toBe('running');
    fleet.run();
    expect(fleet.engine.phase).toBe('done');
    expect(fleet.engine.counts()).toEqual({ confirmed: 60 });
    expect(fleet.mostUnderWay).toBe(4);
  });

  test('reports of others, of other rollouts, and from before change nothing', () => {
    const engine = new RolloutEngine(setupOf(3));
    engine.resume(0);
    const id = setupOf(3).waves[0]?.[0] as string;
    const confirmed = { seq: 5, target: 't', rollout: 'r', state: 'confirmed', model, crc: 42 } as const;
    expect(engine.report('stranger', confirmed, 1)).toEqual([]);
    expect(engine.report(id, { ...confirmed, rollout: 'old' }, 1)).toEqual([]);
    expect(engine.device(id)).toMatchObject({ phase: 'told' });
    // Not told yet: what it says is not of this rollout.
    const later = setupOf(3).waves[1]?.[0] as string;
    expect(engine.report(later, confirmed, 1)).toEqual([]);
    engine.report(id, confirmed, 1);
    expect(engine.device(id)).toMatchObject({ phase: 'confirmed' });
    engine.report(id, { ...confirmed, seq: 4, state: 'failed' }, 2);
    expect(engine.device(id)).toMatchObject({ phase: 'confirmed' });
  });
});

test('whatever devices do: waves come in order, none before the one before has passed, never too many at once, and nothing unproved is counted', () => {
  const kinds: readonly Behaviour[] = ['good', 'good', 'good', 'good', 'good', 'good', 'fails', 'silent', 'dies', 'lies'];
  fc.assert(
    fc.property(
      fc.integer({ min: 1, max: 60 }),
      fc.integer(),
      fc.integer({ min: 0, max: 10 }),
      fc.double({ min: 0, max: 0.6, noNaN: true }),
      (count, seed, bad, most) => {
        const random = seededRandom(seed);
        const behaviours = new Map(Array.from({ length: count }, (_, i) => [`d${i}`, kinds[Math.floor(random() * (kinds.length - 10 + bad))] ?? 'good']));
        const gates = [gate('confirmed', most), gate('failed', most, 'abort')];
        const { engine, log, told, mostUnderWay } = rollOut(count, (id) => behaviours.get(id) as Behaviour, { gates }, seed);
        expect(mostUnderWay).toBeLessThanOrEqual(10);
        expect([...told.values()].every((times) => times === 1)).toBe(true);
        const begun = log.flatMap((command) => (command.kind === 'wave' ? command.wave : []));
        expect(begun).toEqual(begun.map((_, i) => i));
        // Nobody is told outside the waves that have begun.
        for (const id of told.keys()) expect(engine.device(id)?.wave).toBeLessThanOrEqual(begun.at(-1) as number);
        for (const [id, behaviour] of behaviours) {
          const phase = engine.device(id)?.phase;
          if (phase === 'confirmed') expect(behaviour).toBe('good');
          if (told.has(id) && behaviour === 'good' && engine.phase !== 'stopped') expect(phase).toBe('confirmed');
        }
        // Every wave that was passed held its conditions, counted here from what the devices are.
        for (let wave = 0; wave < (begun.at(-1) as number) + Number(engine.phase === 'done'); wave++) {
          const { confirmed = 0, failed = 0, ...others } = engine.counts(wave);
          const all = Object.values(others).reduce((sum, n) => sum + n, confirmed + failed);
          expect(all - confirmed).toBeLessThanOrEqual(most * all);
          expect(failed).toBeLessThanOrEqual(most * all);
        }
      },
    ),
    { numRuns: 150 },
  );
});

test('a hundred thousand devices: the cost of a report does not grow with the fleet', () => {
  const setup = setupOf(100_000, { concurrency: 100_000 });
  const engine = new RolloutEngine(setup);
  const confirmed = { target: 't', rollout: 'r', state: 'confirmed', model, crc: 42 } as const;
  const waiting = engine.resume(0).flatMap((command) => (command.kind === 'desire' ? command.id : []));
  for (let id = waiting.pop(), now = 1; id !== undefined; id = waiting.pop(), now++) {
    for (const command of engine.report(id, { seq: 1, ...confirmed }, now)) if (command.kind === 'desire') waiting.push(command.id);
    // Nothing of this is a loop over all of them, or the test would not end.
    if (now % 10_000 === 0) engine.tick(now / 1000);
  }
  expect(engine.phase).toBe('done');
  expect(engine.counts()).toEqual({ confirmed: 100_000 });
});
