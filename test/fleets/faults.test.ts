// What goes wrong in fleets, one after another and in virtual time: two hundred devices, the real agent, a seed. Where
// it stays under what the gates allow, the rollout ends as it would have without, the affected devices aside; where it
// is more, it stops as the plan says. And whatever happens, some things hold.

import { describe, expect, test } from 'vitest';
import { fail } from '../../src/base/errors.js';
import { sha256Hex } from '../../src/base/hashes.js';
import { buildSlotImage, createKeys, readPrivateKey, readPublicKey } from '../../src/devices/bundle/index.js';
import { fleetTopics } from '../../src/devices/mqtt/index.js';
import type { FleetFault } from '../../src/devices/simulated/index.js';
import { type DeviceRecord, type Gate, leadRollout, type RolloutPlan, summarize } from '../../src/fleet/index.js';
import { writeModel } from '../../src/formats/tflite/index.js';
import { loadTarget } from '../../src/targets/index.js';
import { int8Dense } from '../support/models.js';
import { examplePlan, type Hooks, VirtualFleet, type VirtualFleetOptions } from '../support/virtual-fleet.js';

const target = await loadTarget('pico');
const key = readPrivateKey(createKeys('ed25519').privateKey, 'key');
const keys = [readPublicKey(createKeys('ed25519').publicKey, 'another'), key];

function imageOf(fill: number): Uint8Array {
  const model = int8Dense(4000, fill);
  return buildSlotImage(writeModel(model), model, target, { counter: 1, key });
}
const [factory, image] = [imageOf(1), imageOf(2)];
const bundle = sha256Hex(image);

const gate = (measure: 'confirmed' | 'failed' | 'unknown', maxBad: number, action: Gate['action'] = 'pause'): Gate => ({
  measure,
  maxBad,
  minimum: 5,
  confidence: 0.95,
  action,
});
const planWith = (...gates: Gate[]): RolloutPlan => ({ ...examplePlan, rollout: 'spring', gates });
/** As many bad devices as any of these scenarios has stay under it. */
const lenient = planWith(gate('confirmed', 0.35), gate('failed', 0.35), gate('unknown', 0.35));
/** Hardly any. */
const strict = planWith(gate('confirmed', 0.02), gate('failed', 0.02), gate('unknown', 0.02));

const inFlightPhases = new Set<DeviceRecord['phase']>(['notified', 'downloading', 'verified', 'pending']);

/** What holds whatever happens. */
async function expectSound(fleet: VirtualFleet, no: number, plan: RolloutPlan): Promise<Map<string, DeviceRecord>> {
  await fleet.settle();
  const records = await fleet.records(no);
  for (const [id, device] of fleet.devices) {
    // Even one that fell silent comes to a model that works, however often its power fails.
    for (let boots = 0; boots < 4; boots++) device.slots.boot();
    expect(device.slots.active, id).toMatchObject({ tested: true, confirmed: true, pending: false });
    expect([bundle, sha256Hex(factory)], id).toContain(device.running);
    // Nothing counts that is not so.
    if (records.get(id)?.phase === 'confirmed') expect(device.running, id).toBe(bundle);
  }
  // The journal: never too many at once, nobody before its wave, no wave before the one before is through.
  const phases = new Map<string, DeviceRecord>();
  let wave = -1;
  for (const { devices, events } of fleet.commits) {
    for (const device of devices) phases.set(device.id, device);
    const begun = events.flatMap((event) => (event.kind === 'wave' ? event.wave : []));
    for (const next of begun) {
      expect(next).toBe(wave + 1);
      wave = next;
      for (const device of phases.values())
        if (device.wave < wave) expect(inFlightPhases.has(device.phase) || device.phase === 'waiting').toBe(false);
    }
    const inFlight = [...phases.values()].filter(({ phase }) => inFlightPhases.has(phase));
    expect(inFlight.length).toBeLessThanOrEqual(plan.concurrency);
    for (const device of inFlight) expect(device.wave).toBeLessThanOrEqual(wave);
  }
  return records;
}

interface Run {
  readonly fleet: VirtualFleet;
  readonly summary: Awaited<ReturnType<typeof summarize>>;
  readonly records: Map<string, DeviceRecord>;
}

async function run(
  plan: RolloutPlan,
  options: Partial<VirtualFleetOptions> = {},
  arrange: (fleet: VirtualFleet) => void = () => undefined,
  hooks: Hooks = {},
): Promise<Run> {
  const fleet = await VirtualFleet.of({ target, count: 200, keys, factory, ...options });
  await fleet.settle(5000);
  const row = await fleet.begin(plan, image, factory);
  arrange(fleet);
  const summary = await summarize(fleet.store, await fleet.lead(row.no, {}, hooks), fleet.time.now());
  return { fleet, summary, records: await expectSound(fleet, row.no, plan) };
}

/** All that are not affected are confirmed; those that are have come to this, or have not. */
function expectAllButAffected(
  { fleet, summary, records }: Run,
  phase: string | null,
  code: string | null = null,
): void {
  expect(summary).toMatchObject({ phase: 'done', wave: 3, devices: 200 });
  for (const [id, record] of records) {
    if (!fleet.faulty.has(id) || phase === null) expect(record, id).toMatchObject({ phase: 'confirmed' });
    else expect(record, id).toMatchObject({ phase, code });
  }
}

describe('devices with faults', () => {
  test.each<[FleetFault, number, string | null, string | null]>([
    ['dies-notified', 0.1, 'unknown', null],
    ['dies-downloading', 0.1, 'unknown', null],
    ['dies-verified', 0.1, 'unknown', null],
    ['dies-pending', 0.1, 'unknown', null],
    ['stuck-download', 0.1, 'unknown', null],
    ['bad-signature', 0.05, 'failed', 'SIGNATURE_INVALID'],
    ['wrong-result', 0.1, 'failed', 'SELF_TEST_FAILED'],
    ['still-old', 0.1, 'failed', 'CHALLENGE'],
    ['falls-back', 0.1, 'rolled-back', 'BOOT_ATTEMPTS'],
    ['reboots-downloading', 0.2, null, null],
    ['reboots-pending', 0.2, null, null],
  ])('%s, a share of %d: under the limits it ends, beyond them it stops', async (name, share, phase, code) => {
    const faults = [{ name, share }];
    expectAllButAffected(await run(lenient, { faults }), phase, code);
    const severe = await run(strict, { faults });
    if (phase === null) return expectAllButAffected(severe, null);
    expect(severe.summary).toMatchObject({ phase: 'paused', by: 'gate' });
    // Nobody of the last wave was told.
    expect(severe.summary.wave).toBeLessThan(3);
    expect(severe.records.size).toBe(200);
    for (const record of severe.records.values())
      if (record.wave === 2) expect(record).toMatchObject({ phase: 'waiting', attempt: 0 });
  });

  test.each(['abort', 'roll-back'] as const)(
    'beyond a limit whose action is to %s: nobody runs on what was found bad',
    async (action) => {
      const faults = [{ name: 'wrong-result', share: 0.3 } as const];
      const { summary, records, fleet } = await run(planWith(gate('failed', 0.1, action)), { faults });
      expect(summary).toMatchObject({
        phase: 'stopped',
        by: 'gate',
        reason: expect.stringContaining('gate 1, failed'),
      });
      for (const [id, record] of records) {
        const device = fleet.devices.get(id);
        if (action === 'roll-back') expect(device?.running).toBe(sha256Hex(factory));
        if (record.phase === 'rolled-back') expect(record).toMatchObject({ desired: 'old', code: null });
        expect(inFlightPhases.has(record.phase)).toBe(false);
      }
      const came = [...records.values()].filter(
        ({ phase }) => phase === (action === 'abort' ? 'confirmed' : 'rolled-back'),
      );
      expect(came.length).toBeGreaterThan(0);
    },
  );
});

describe('messages', () => {
  const usual = { lost: 0.01, repeated: 0.01, overtaken: 0.05 };

  test.each([1, 2, 3])(
    '1 % lost, 1 % repeated, 5 % out of order, seed %d: the same end as without faults',
    async (seed) => {
      expectAllButAffected(await run(strict, { faultRates: usual, seed }), null);
    },
  );

  test('40 % lost: devices that do not report in time are unknown, and the rollout stops', async () => {
    const hasty = { ...strict, deadlines: { notified: 20_000, downloading: 20_000, verified: 5000, pending: 5000 } };
    const { summary } = await run(hasty, { faultRates: { ...usual, lost: 0.4 } });
    expect(summary).toMatchObject({ phase: 'paused', by: 'gate' });
    expect(summary.counts.unknown).toBeGreaterThan(0);
  });

  test('lost messages and devices with faults together', async () => {
    const faults = [
      { name: 'dies-pending', share: 0.05 } as const,
      { name: 'still-old', share: 0.05 } as const,
      { name: 'bad-signature', share: 0.05 } as const,
      { name: 'reboots-downloading', share: 0.1 } as const,
    ];
    const { summary, records, fleet } = await run(lenient, { faultRates: usual, faults });
    expect(summary).toMatchObject({ phase: 'done' });
    let unheard = 0;
    for (const [id, { phase }] of records) {
      const own = fleet.faulty.get(id)?.filter((name) => name !== 'reboots-downloading') ?? [];
      // What is lost twice in a row may come after the deadline of its phase.
      if (own.length === 0 && phase === 'unknown') unheard += 1;
      else if (own.length === 0) expect(phase).toBe('confirmed');
      else expect(phase).not.toBe('confirmed');
    }
    expect(unheard).toBeLessThan(records.size / 50);
  });
});

describe('a broker that restarts', () => {
  const phases = ['notified', 'downloading', 'verified', 'pending', 'confirmed'] as const;
  test.each(phases.flatMap((phase) => [true, false].map((keeps) => [phase, keeps] as const)))(
    'while devices are %s, and remembers what it retains: %s',
    async (phase, keeps) => {
      let restarted = false;
      const outcome = await run(strict, {}, (fleet) => {
        const look = (): void => {
          const seen = fleet.commits.some(({ devices }) =>
            devices.some((device) => device.wave === 1 && device.phase === phase),
          );
          restarted ||= seen;
          if (seen) fleet.broker.restart(keeps);
          else fleet.time.later(20, look);
        };
        look();
      });
      expect(restarted).toBe(true);
      expectAllButAffected(outcome, null);
    },
  );

  test('and stays away longer than the deadline of devices: no device counts as failed', async () => {
    const outcome = await run(
      strict,
      {},
      (fleet) => void fleet.time.later(800, () => fleet.broker.restart(true, 3_600_000)),
    );
    expectAllButAffected(outcome, null);
  });
});

test.each([86_400_000, -86_400_000, 7 * 86_400_000])(
  'the clock of the agent jumps by %d ms: nothing changes',
  async (ms) => {
    const outcome = await run(strict, {}, (fleet) => {
      fleet.time.later(700, () => {
        fleet.wallOffMs = ms;
      });
    });
    expectAllButAffected(outcome, null);
  },
);

test("the agent's machine sleeps for hours: no deadline passes meanwhile", async () => {
  let slept = 0;
  const fleet = await VirtualFleet.of({ target, count: 20, keys, factory });
  await fleet.settle(5000);
  const row = await fleet.begin(strict, image, factory);
  const clock = { ...fleet.clock, elapsed: () => fleet.clock.elapsed() + slept };
  const after = (): void => {
    if (fleet.commits.at(-1)?.devices.some(({ phase }) => phase === 'downloading')) slept = 6 * 3_600_000;
  };
  // Rounds shorter than a step of a device, so that some are under way when it happens.
  await fleet.lead(row.no, { clock, roundMs: 2 }, { after });
  expect(slept).toBeGreaterThan(0);
  expect(fleet.commits.flatMap(({ devices }) => devices).filter(({ phase }) => phase === 'unknown')).toEqual([]);
  expect(await summarize(fleet.store, await fleet.store.rollout(row.no), fleet.time.now())).toMatchObject({
    phase: 'done',
    counts: { confirmed: 20 },
  });
});

describe('devices that are deleted from the fleet during a rollout', () => {
  const deletion = (fleet: VirtualFleet, id: string): void => {
    const topics = fleetTopics('v');
    for (const topic of [topics.desired(id), topics.alive(id), topics.reported(id)])
      fleet.broker.publish(topic, new Uint8Array(0), true, true);
  };

  test.each(['waiting', 'notified', 'downloading', 'pending'] as const)(
    'while they are %s: the rollout goes on without them',
    async (phase) => {
      const gone = new Set<string>();
      const { summary, records } = await run(strict, {}, (fleet) => {
        const look = (): void => {
          const last = new Map<string, DeviceRecord>();
          for (const { devices } of fleet.commits) for (const device of devices) last.set(device.id, device);
          const found =
            phase === 'waiting'
              ? [...fleet.devices.keys()].filter((id) => !last.has(id))
              : [...last.values()].filter((one) => one.phase === phase).map(({ id }) => id);
          if (last.size < 15 || found.length === 0) return void fleet.time.later(20, look);
          for (const id of found.slice(0, 12)) {
            gone.add(id);
            fleet.devices.get(id)?.stop();
            deletion(fleet, id);
          }
        };
        look();
      });
      expect(gone.size).toBeGreaterThan(0);
      // Without waiting for the deadlines of devices that are gone.
      expect(summary).toMatchObject({
        phase: 'done',
        wave: 3,
        counts: { confirmed: 200 - gone.size, removed: gone.size },
      });
      expect(summary.elapsedMs).toBeLessThan(60_000);
      for (const [id, record] of records) expect(record.phase, id).toBe(gone.has(id) ? 'removed' : 'confirmed');
    },
  );

  test('a whole wave: the rollout has no results to judge and pauses until a user continues it', async () => {
    const { fleet, summary } = await run({ ...strict, waves: [1, { share: 1 }] }, {}, (virtual) => {
      const look = (): void => {
        const canary = virtual.commits.flatMap(({ devices }) => devices).find(({ phase }) => phase === 'downloading');
        if (canary === undefined) return void virtual.time.later(5, look);
        virtual.devices.get(canary.id)?.stop();
        deletion(virtual, canary.id);
      };
      look();
    });
    expect(summary).toMatchObject({ phase: 'paused', by: 'gate', reason: 'wave 1 has no devices left to judge' });
    const [row] = await fleet.store.rollouts(null);
    await fleet.store.request(row?.no ?? 0, { kind: 'overrule' });
    await fleet.lead(row?.no ?? 0);
    expect((await fleet.store.rollout(row?.no ?? 0)).state.phase).toBe('done');
  });

  test('and come back: they join the last wave', async () => {
    const { summary } = await run(strict, {}, (fleet) => {
      fleet.time.later(300, () => {
        for (const id of ['d0007', 'd0008']) deletion(fleet, id);
        fleet.time.later(200, () => fleet.devices.get('d0007')?.connected());
      });
    });
    expect(summary.phase).toBe('done');
    expect(summary.counts.confirmed).toBeGreaterThanOrEqual(199);
  });
});

describe('clocks of devices', () => {
  const years = 365 * 86_400_000;
  /** Every fifth device has the right time. */
  const off = (ms: (id: number) => number) => (id: string) =>
    Number(id.slice(1)) % 5 === 0 ? 0 : ms(Number(id.slice(1)));

  test.each<[string, (id: number) => number]>([
    ['start at 1970', () => -50 * years],
    ['are years ahead', () => 30 * years],
    ['differ by hours', (id) => (id - 100) * 3_600_000],
  ])('%s: the rollout ends as without', async (_name, ms) => {
    expectAllButAffected(await run(strict, { clockOffMs: off(ms) }), null);
  });

  test(
    'are set back by a day in the midst, and devices restart: reports with lower numbers are not taken for old ' +
      'ones',
    async () => {
      const faults = [
        { name: 'reboots-downloading', share: 0.3 } as const,
        { name: 'reboots-pending', share: 0.3 } as const,
      ];
      const setBack = (id: string, ms: number): number =>
        Number(id.slice(1)) % 2 === 0 && ms > 5600 ? -86_400_000 : 0;
      const outcome = await run(strict, { clockOffMs: setBack, faults });
      expectAllButAffected(outcome, null);
    },
  );
});

describe('a store that is unreachable', () => {
  const away = (): Error => fail('STORE_AWAY', { store: 'the store', reason: 'nothing listens there' });

  test.each(['before', 'after'] as const)(
    'at every tenth write, %s it: the same end as without faults',
    async (when) => {
      let [commits, failures] = [0, 0];
      const outcome = await run(strict, {}, undefined, {
        [when]: () => {
          commits += 1;
          if (commits % 10 !== 0) return;
          failures += 1;
          throw away();
        },
      });
      expect(failures).toBeGreaterThan(2);
      expectAllButAffected(outcome, null);
    },
  );

  test('twice, hours apart, while another agent leads: the waiting agent continues to wait', async () => {
    const fleet = await VirtualFleet.of({ target, count: 5, keys, factory });
    await fleet.settle(5000);
    const row = await fleet.begin(lenient, image, factory);
    let isAway = false;
    const store = Object.assign(Object.create(fleet.store) as typeof fleet.store, {
      lease: async () => {
        if (isAway) throw away();
        return { holder: 'another:1:x', heartbeat: Math.floor(fleet.time.now() / 1000) };
      },
    });
    const told: (string | null)[] = [];
    const over = new AbortController();
    for (const hour of [1, 5]) {
      fleet.time.later(hour * 3_600_000, () => {
        isAway = true;
      });
      fleet.time.later(hour * 3_600_000 + 5000, () => {
        isAway = false;
      });
    }
    fleet.time.later(8 * 3_600_000, () => over.abort(new Error('enough')));
    const session = fleet.broker.connect(true);
    const waiting = leadRollout(store, session, 'v', row.no, {
      clock: fleet.clock,
      signal: over.signal,
      onStore: (reason) => void told.push(reason),
    });
    await expect(fleet.wait(waiting)).rejects.toThrow('enough');
    expect(told.map((reason) => reason === null)).toEqual([false, true, false, true]);
  });

  test('for longer than the agent waits: an error, and the next agent continues', async () => {
    const fleet = await VirtualFleet.of({ target, count: 20, keys, factory });
    await fleet.settle(5000);
    const row = await fleet.begin(lenient, image, factory);
    const told: (string | null)[] = [];
    let isAway = false;
    const hooks = {
      before: () => {
        isAway ||= fleet.commits.length > 3;
        if (isAway) throw away();
      },
    };
    const options = { storeTimeoutMs: 60_000, onStore: (reason: string | null) => void told.push(reason) };
    await expect(fleet.lead(row.no, options, hooks)).rejects.toMatchObject({ code: 'STORE_AWAY' });
    expect(told).toContainEqual(expect.stringContaining('nothing listens there'));
    await fleet.lead(row.no);
    expect(await summarize(fleet.store, await fleet.store.rollout(row.no), fleet.time.now())).toMatchObject({
      phase: 'done',
      counts: { confirmed: 20 },
    });
  });
});

describe('an agent that is killed', () => {
  /** Twenty devices, some with faults, and a gate that stops it in one of two. */
  const faults = [{ name: 'wrong-result', share: 0.2 } as const, { name: 'dies-downloading', share: 0.1 } as const];
  const deadlines = { notified: 5000, downloading: 10_000, verified: 5000, pending: 5000 };
  const plans = {
    ends: { ...lenient, deadlines },
    stops: { ...planWith(gate('failed', 0.05, 'roll-back')), deadlines },
  };

  async function withKills(plan: RolloutPlan, kill: (commit: number) => 'before' | 'after' | null) {
    const fleet = await VirtualFleet.of({ target, count: 20, keys, factory, faults, seed: 6 });
    await fleet.settle(5000);
    const row = await fleet.begin(plan, image, factory);
    const killed = new Error('killed');
    let [commits, kills] = [0, 0];
    for (;;) {
      const hook = (when: 'before' | 'after') => () => {
        if (when === 'before') commits += 1;
        if (kill(commits) !== when) return;
        kills += 1;
        throw killed;
      };
      try {
        await fleet.lead(row.no, {}, { before: hook('before'), after: hook('after') });
        break;
      } catch (error) {
        if (error !== killed) throw error;
      }
    }
    const { phase, reason, counts, wave } = await summarize(
      fleet.store,
      await fleet.store.rollout(row.no),
      fleet.time.now(),
    );
    const records = await expectSound(fleet, row.no, plan);
    const ends = Object.fromEntries(
      [...records].map(([id, record]) => [id, [record.phase, record.code, record.desired, record.published]]),
    );
    return { outcome: { phase, reason, counts, wave, ends }, commits, kills };
  }

  test.each(Object.entries(plans))(
    'before or after any one write of its journal (a rollout that %s)',
    async (_name, plan) => {
      const whole = await withKills(plan, () => null);
      expect(whole.commits).toBeGreaterThan(8);
      for (let n = 1; n <= whole.commits; n++) {
        for (const when of ['before', 'after'] as const) {
          const { outcome, kills } = await withKills(plan, (commit) => (commit === n ? when : null));
          expect(kills).toBe(1);
          expect(outcome, `killed ${when} write ${n}`).toEqual(whole.outcome);
        }
      }
    },
  );

  test('again and again, at every third write', async () => {
    const whole = await withKills(plans.ends, () => null);
    const { outcome, kills } = await withKills(plans.ends, (commit) => (commit % 3 === 0 ? 'after' : null));
    expect(kills).toBeGreaterThan(4);
    expect(outcome).toEqual(whole.outcome);
  });
});
