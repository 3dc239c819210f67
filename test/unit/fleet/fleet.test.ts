import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import {
  type FleetMember,
  isOpen,
  type MaintenanceWindow,
  opensAt,
  readPlan,
  selectMembers,
  type WavePlan,
  wavesOf,
} from '../../../src/fleet/index.js';
import { selectsLater } from '../../../src/fleet/selection.js';
import { temporaryFolder, writeFiles } from '../../support/files.js';

const folder = temporaryFolder();
const idsOf = (count: number): string[] => Array.from({ length: count }, (_, i) => `d${i}`);
const share = (value: number) => ({ share: value });

describe('waves', () => {
  test.each<[string, WavePlan, number, number[]]>([
    ['fixed sizes', [1, 10, 100], 250, [1, 9, 90, 150]],
    ['shares', [share(0.01), share(0.1), share(1)], 250, [3, 22, 225]],
    ['mixed', [2, share(0.5), share(1)], 11, [2, 4, 5]],
    ['growing', { first: 10, factor: 2 }, 100, [10, 20, 40, 30]],
    ['growing not at all', { first: 40, factor: 1 }, 100, [40, 40, 20]],
    ['a small fleet has fewer', [1, 10, 100], 5, [1, 4]],
    ['nobody', [1], 0, []],
  ])('%s', (_name, plan, count, sizes) => {
    expect(wavesOf(idsOf(count), plan, 'r').map(({ length }) => length)).toEqual(sizes);
  });

  test('every device is in exactly one wave, always the same one, for any plan and order of devices', () => {
    const plan = fc.oneof(
      fc.array(fc.oneof(fc.integer({ min: 1, max: 300 }), fc.double({ min: 0.001, max: 1, noNaN: true }).map(share)), {
        minLength: 1,
        maxLength: 8,
      }),
      fc.record({ first: fc.integer({ min: 1, max: 50 }), factor: fc.double({ min: 1, max: 10, noNaN: true }) }),
    );
    fc.assert(
      fc.property(plan, fc.integer({ min: 0, max: 200 }), (wanted, count) => {
        const ids = idsOf(count);
        const waves = wavesOf(ids, wanted, 'r');
        expect(waves.flat().sort()).toEqual([...ids].sort());
        expect(waves.every(({ length }) => length > 0)).toBe(true);
        expect(wavesOf([...ids].reverse(), wanted, 'r')).toEqual(waves);
      }),
    );
  });

  test('another rollout begins with others', () => {
    const first = new Set(['a', 'b', 'c', 'd', 'e', 'f'].map((rollout) => wavesOf(idsOf(100), [1], rollout)[0]?.[0]));
    expect(first.size).toBeGreaterThan(3);
  });
});

describe('plans', () => {
  const read = (text: string) => {
    writeFiles(folder, { 'plan.yaml': text });
    return readPlan(`${folder}/plan.yaml`);
  };

  test('omissions', async () => {
    expect(await read('rollout: spring\nbundle: out/m.bundle\n')).toEqual({
      rollout: 'spring',
      bundle: `${folder}/out/m.bundle`,
      previous: null,
      select: { tags: {}, ids: null, share: 1 },
      expect: null,
      waves: [share(0.01), share(0.1), share(0.5), share(1)],
      gates: [
        expect.objectContaining({ measure: 'confirmed', maxBad: 0.05 }),
        expect.objectContaining({ measure: 'failed', maxBad: 0.02, action: 'pause' }),
      ],
      deadlines: { notified: 3_600_000, downloading: 3_600_000, verified: 600_000, pending: 900_000 },
      concurrency: 1000,
      bytesPerSecond: null,
      window: null,
      notAfter: null,
      blockBytes: 1024,
      source: 'retained',
    });
  });

  test('limits', async () => {
    const text = `rollout: a
bundle: m
previous: ../old/m
deadlines: { notified: 2d, downloading: 90s, pending: 1.5m }
concurrency: 50
bandwidth: 200 kB/s
window: { from: '22:30', to: '5:00', days: [mon, fri], zone: Europe/Berlin }
notAfter: '2030-01-31T22:00:00+01:00'
blockBytes: 2048
source: pull
`;
    expect(await read(text)).toMatchObject({
      previous: path.resolve(folder, '../old/m'),
      deadlines: { notified: 172_800_000, downloading: 90_000, verified: 600_000, pending: 90_000 },
      concurrency: 50,
      bytesPerSecond: 200_000,
      window: { from: 1350, to: 300, days: ['mon', 'fri'], zone: 'Europe/Berlin' },
      notAfter: Date.UTC(2030, 0, 31, 21) / 1000,
      blockBytes: 2048,
      source: 'pull',
    });
  });

  test.each([
    ['rollout: r\nbundle: b\nwaves: [10, 2]', /larger than the previous one/],
    ['rollout: r\nbundle: b\nwaves: [10%, 10%]', /larger than the previous one/],
    ['bundle: m', /rollout/],
    ['rollout: a b\nbundle: m', /up to 64/],
    ['rollout: a\nbundle: m\nwaves: [0]', /waves/],
    ['rollout: a\nbundle: m\nwaves: [10 %]', /waves/],
    ['rollout: a\nbundle: m\nwaves: [150%]', /waves/],
    ['rollout: a\nbundle: m\ngate: 1', /gate/],
    ['rollout: a\nbundle: m\ngates: [{ measure: latency }]', /limitMs, factor/],
    ['rollout: a\nbundle: m\ngates: [{ measure: failed, atLeast: 3% }]', /atLeast|atMost/],
    ['rollout: a\nbundle: m\ngates: [{ measure: failed, atMost: 3%, confidence: 100% }]', /below 100%/],
    ['rollout: a\nbundle: m\nselect: { share: 0% }', /share/],
    ['rollout: a\nbundle: m\ngates: [{ measure: accuracy }]', /least, drop/],
    ['rollout: a\nbundle: m\ndeadlines: { notified: 10 }', /90s/],
    ['rollout: a\nbundle: m\nbandwidth: 10', /kB\/s/],
    ['rollout: a\nbundle: m\nwindow: { from: "25:00", to: "1:00" }', /22:30/],
    ['rollout: a\nbundle: m\nwindow: { from: "1:00", to: "1:00" }', /when it begins/],
    ['rollout: a\nbundle: m\nwindow: { from: "1:00", to: "2:00", zone: Mars/Base }', /Europe\/Berlin/],
    ['rollout: a\nbundle: m\nnotAfter: tomorrow', /2030/],
    ['rollout: a\nbundle: m\nblockBytes: 1000', /power of two/],
  ])('%j is refused', async (text, reason) => {
    await expect(read(text)).rejects.toMatchObject({ code: 'ROLLOUT_PLAN', message: expect.stringMatching(reason) });
  });

  test('limits of each device, in the words of the command line', async () => {
    const gates = (limits: string) =>
      read(`rollout: a\nbundle: m\ngates: []\nlimits: ${limits}`).then((plan) => plan.gates);
    const usual = { maxBad: 0.05, minimum: 1, confidence: 0.95, action: 'pause' };
    expect(await gates('{ maxDrop: 2pt, min: top1=90%, maxLatencyMs: 20, maxArenaBytes: 60000 }')).toEqual([
      { measure: 'accuracy', least: 0.9, drop: 0.02, ...usual },
      { measure: 'latency', limitMs: 20, factor: null, ...usual },
      { measure: 'arena', limitBytes: 60_000, ...usual },
    ]);
    expect(await gates('{ maxDrop: 0.03 }')).toEqual([{ measure: 'accuracy', least: null, drop: 0.03, ...usual }]);
    await expect(gates('{ maxDrop: 5% }')).rejects.toMatchObject({
      code: 'ROLLOUT_PLAN',
      message: expect.stringContaining('in points'),
    });
    await expect(gates('{ maxDrop: much }')).rejects.toMatchObject({
      code: 'ROLLOUT_PLAN',
      message: expect.stringContaining('percentage points'),
    });
    await expect(gates('{ min: auc=0.9 }')).rejects.toMatchObject({
      code: 'ROLLOUT_PLAN',
      message: expect.stringContaining('top1'),
    });
  });

  test('gates', async () => {
    const text = `rollout: a
bundle: m
gates:
  - { measure: confirmed, atLeast: 99% }
  - { measure: failed, atMost: 0%, minimum: 20, confidence: 99%, action: roll-back }
  - { measure: latency, limitMs: 40, factor: 1.2 }
  - { measure: accuracy, least: 90%, drop: 2%, atMost: 10%, action: abort }
  - { measure: agreement, limitLsb: 1, action: next }
  - { measure: arena, limitBytes: 20000 }
`;
    const usual = { minimum: 1, confidence: 0.95, action: 'pause' };
    expect((await read(text)).gates).toEqual([
      { measure: 'confirmed', maxBad: expect.closeTo(0.01, 12), ...usual },
      { measure: 'failed', maxBad: 0, minimum: 20, confidence: 0.99, action: 'roll-back' },
      { measure: 'latency', maxBad: 0.05, limitMs: 40, factor: 1.2, ...usual },
      { measure: 'accuracy', maxBad: 0.1, least: 0.9, drop: 0.02, ...usual, action: 'abort' },
      { measure: 'agreement', maxBad: 0.05, limitLsb: 1, ...usual, action: 'next' },
      { measure: 'arena', maxBad: 0.05, limitBytes: 20_000, ...usual },
    ]);
  });

  test('selection by target, tags, ids and share', async () => {
    const member = (id: string, target: string, line: string): FleetMember => ({
      id,
      online: true,
      reported: { seq: 1, target, attempt: 0, tags: { line }, state: 'idle' },
    });
    const members = [
      ...idsOf(40).map((id, i) => member(id, 'pico', i % 2 === 0 ? 'a' : 'b')),
      member('x', 'esp32', 'a'),
    ];
    const selected = async (text: string) =>
      selectMembers(members, await read(`rollout: r\nbundle: m\nselect: ${text}`), 'pico');
    expect((await selected('{ tags: { line: a } }')).members).toHaveLength(20);
    expect((await selected('{ tags: { line: a } }')).otherTargets.map(({ id }) => id)).toEqual(['x']);
    expect(await selected('{ ids: [d1, d3, ghost] }')).toMatchObject({
      members: [{ id: 'd1' }, { id: 'd3' }],
      unknown: ['ghost'],
    });
    const tenth = await selected('{ share: 10% }');
    expect(tenth.members).toHaveLength(4);
    // And a larger share has the smaller one in it.
    expect((await selected('{ share: 50% }')).members.map(({ id }) => id)).toEqual(
      expect.arrayContaining(tenth.members.map(({ id }) => id)),
    );
    // Who comes later belongs to the share up to where it ended, and nobody who was there and not drawn.
    const plan = await read('rollout: r\nbundle: m\nselect: { share: 50% }');
    const { cutoff, members: chosen } = selectMembers(members, plan, 'pico');
    const drawn = members.filter((one) => selectsLater(one, plan, 'pico', cutoff));
    expect(drawn.map(({ id }) => id).sort()).toEqual(chosen.map(({ id }) => id).sort());
    expect(selectsLater(member('new', 'esp32', 'a'), plan, 'pico', 1)).toBe(false);
    const tagged = await read('rollout: r\nbundle: m\nselect: { tags: { line: a } }');
    expect(
      [member('new', 'pico', 'a'), member('new', 'pico', 'b')].map((one) => selectsLater(one, tagged, 'pico', 1)),
    ).toEqual([true, false]);
  });
});

describe('a maintenance window', () => {
  const at = (text: string): number => Date.parse(text);
  const night: MaintenanceWindow = { from: 22 * 60, to: 5 * 60, days: ['fri'], zone: 'UTC' };

  // 2026-11-27 is a Friday.
  test.each([
    ['2026-11-27T21:59:59Z', false],
    ['2026-11-27T22:00:00Z', true],
    ['2026-11-28T04:59:59Z', true],
    ['2026-11-28T05:00:00Z', false],
    ['2026-11-28T23:00:00Z', false],
    ['2026-11-27T04:00:00Z', false],
  ])('that begins on Friday night: %s', (text, open) => {
    expect(isOpen(night, at(text))).toBe(open);
  });

  test('in another time zone, over a change of its clocks', () => {
    const berlin: MaintenanceWindow = { from: 60, to: 240, days: ['sun'], zone: 'Europe/Berlin' };
    // 2026-10-25 has 25 hours there: from 1:00 to 4:00 are four of them.
    expect(
      ['2026-10-24T22:59:00Z', '2026-10-24T23:00:00Z', '2026-10-25T02:59:00Z', '2026-10-25T03:00:00Z'].map((text) =>
        isOpen(berlin, at(text)),
      ),
    ).toEqual([false, true, true, false]);
  });

  test('reports its next opening', () => {
    expect(opensAt(night, at('2026-11-27T12:00:30Z'))).toBe(at('2026-11-27T22:00:00Z'));
    expect(opensAt(night, at('2026-11-28T06:00:00Z'))).toBe(at('2026-12-04T22:00:00Z'));
    expect(opensAt(night, at('2026-11-27T23:00:30Z'))).toBe(at('2026-11-27T23:00:30Z'));
  });
});
