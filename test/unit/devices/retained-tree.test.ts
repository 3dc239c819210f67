import fc from 'fast-check';
import { expect, test } from 'vitest';
import { matchesFilter } from '../../../src/devices/mqtt/index.js';
import { RetainedTree } from '../../../src/devices/mqtt/retained-tree.js';

const level = fc.constantFrom('a', 'b', 'c', '');
const topic = fc.array(level, { minLength: 1, maxLength: 4 }).map((levels) => levels.join('/'));
const filter = fc
  .tuple(fc.array(fc.oneof(level, fc.constant('+')), { minLength: 1, maxLength: 4 }), fc.boolean())
  .map(([levels, open]) => [...levels, ...(open ? ['#'] : [])].join('/'));

test('a retained message is found by every matching filter, and by no other', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(topic, fc.boolean()), { maxLength: 40 }), filter, (changes, wanted) => {
      const tree = new RetainedTree<{ topic: string }>();
      const kept = new Set<string>();
      for (const [name, stays] of changes) {
        if (stays) tree.set({ topic: name });
        else tree.delete(name);
        if (stays) kept.add(name);
        else kept.delete(name);
      }
      const expected = [...kept].filter((name) => matchesFilter(wanted, name)).sort();
      expect([...tree.matching(wanted)].map((message) => message.topic).sort()).toEqual(expected);
    }),
    { numRuns: 500 },
  );
});

test("wildcards do not match the broker's own topics", () => {
  const tree = new RetainedTree<{ topic: string }>();
  for (const name of ['$SYS/clients', 'a/$b']) tree.set({ topic: name });
  const found = (wanted: string): string[] => [...tree.matching(wanted)].map(({ topic: name }) => name);
  expect(found('#')).toEqual(['a/$b']);
  expect(found('+/clients')).toEqual([]);
  expect(found('$SYS/#')).toEqual(['$SYS/clients']);
  expect(found('a/+')).toEqual(['a/$b']);
});
