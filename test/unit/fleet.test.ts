import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type FleetMember, readPlan, selectMembers, type WavePlan, wavesOf } from '../../src/fleet/index.js';
import { temporaryFolder, writeFiles } from '../support/files.js';

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

  test('every device is in one wave, the same every time, whatever the plan and the order of the devices', () => {
    const plan = fc.oneof(
      fc.array(fc.oneof(fc.integer({ min: 1, max: 300 }), fc.double({ min: 0.001, max: 1, noNaN: true }).map(share)), { minLength: 1, maxLength: 8 }),
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

  test('what is left out', async () => {
    expect(await read('rollout: spring\nbundle: out/m.bundle\n')).toEqual({
      rollout: 'spring',
      bundle: `${folder}/out/m.bundle`,
      select: { tags: {}, ids: null, share: 1 },
      waves: [share(0.01), share(0.1), share(0.5), share(1)],
      gates: [expect.objectContaining({ measure: 'confirmed', mostBad: 0.05 }), expect.objectContaining({ measure: 'failed', mostBad: 0.02, action: 'pause' })],
    });
  });

  test.each([
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
  ])('%j is refused', async (text, reason) => {
    await expect(read(text)).rejects.toMatchObject({ code: 'ROLLOUT_PLAN', message: expect.stringMatching(reason) });
  });

  test('gates', async () => {
    const { gates } = await read(
      'rollout: a\nbundle: m\ngates:\n  - { measure: confirmed, atLeast: 99% }\n  - { measure: failed, atMost: 0%, minimum: 20, confidence: 99%, action: roll-back }\n  - { measure: latency, limitMs: 40, factor: 1.2 }\n',
    );
    expect(gates).toEqual([
      { measure: 'confirmed', mostBad: expect.closeTo(0.01, 12), limitMs: null, factor: null, minimum: 1, confidence: 0.95, action: 'pause' },
      { measure: 'failed', mostBad: 0, limitMs: null, factor: null, minimum: 20, confidence: 0.99, action: 'roll-back' },
      { measure: 'latency', mostBad: 0.05, limitMs: 40, factor: 1.2, minimum: 1, confidence: 0.95, action: 'pause' },
    ]);
  });

  test('selection by target, tags, ids and share', async () => {
    const member = (id: string, target: string, line: string): FleetMember => ({
      id,
      online: true,
      reported: { seq: 1, target, tags: { line }, state: 'idle' },
    });
    const members = [...idsOf(40).map((id, i) => member(id, 'pico', i % 2 === 0 ? 'a' : 'b')), member('x', 'esp32', 'a')];
    const selected = async (text: string) => selectMembers(members, await read(`rollout: r\nbundle: m\nselect: ${text}`), 'pico');
    expect((await selected('{ tags: { line: a } }')).members).toHaveLength(20);
    expect((await selected('{ tags: { line: a } }')).otherTargets.map(({ id }) => id)).toEqual(['x']);
    expect(await selected('{ ids: [d1, d3, ghost] }')).toMatchObject({ members: [{ id: 'd1' }, { id: 'd3' }], unknown: ['ghost'] });
    const tenth = await selected('{ share: 10% }');
    expect(tenth.members).toHaveLength(4);
    // And a larger share has the smaller one in it.
    expect((await selected('{ share: 50% }')).members.map(({ id }) => id)).toEqual(expect.arrayContaining(tenth.members.map(({ id }) => id)));
  });
});
