// Chunks to a device that answers from a script: where an upload goes on, and when it gives up.

import { describe, expect, test } from 'vitest';
import type { LineTiming } from '../../../../src/devices/client/line-timing.js';
import { Sender } from '../../../../src/devices/client/sender.js';
import type { SmpClient } from '../../../../src/devices/client/smp-client.js';
import { FileStatus, Group, slotFiles } from '../../../../src/devices/protocol/index.js';

interface Asked {
  readonly name: string;
  readonly request: { readonly off?: number; readonly len?: number; readonly data?: Uint8Array };
  readonly options: { readonly timeoutMs?: number; readonly attempts?: number };
}
type Reply = { readonly ok: true; readonly value: object } | { readonly ok: false; readonly status: object };

const received = (off: number): Reply => ({ ok: true, value: { off } });
const refused = (map: object, group: number | null = Group.file, rc: number = FileStatus.OFFSET_NOT_VALID): Reply => ({
  ok: false,
  status: { group, rc, name: 'X', map },
});
const never = new Promise<Reply>(() => undefined);
const bytes = Uint8Array.from({ length: 300 }, (_, i) => i);

/** @param upload answers the i-th chunk; what it does not answer is received */
function setUp(
  upload: (i: number, off: number, end: number) => Reply | Promise<Reply> | undefined,
  { buffers = 1, others = {} }: { buffers?: number; others?: Readonly<Record<string, () => Reply>> } = {},
) {
  const asked: Asked[] = [];
  let [count, inFlight, most] = [0, 0, 0];
  const ask = async ({ name }: { name: string }, request: Asked['request'], options: Asked['options']) => {
    asked.push({ name, request, options });
    if (name !== 'upload') return others[name]?.() ?? { ok: true, value: {} };
    const off = request.off ?? 0;
    const end = off + (request.data?.byteLength ?? 0);
    most = Math.max(most, ++inFlight);
    await new Promise((resolve) => setImmediate(resolve));
    inFlight -= 1;
    return (await upload(count++, off, end)) ?? received(end);
  };
  const client = { window: 1, ask, askOnce: ask, line: { wholeFrames: (size: number) => size } };
  const progress: number[] = [];
  const sender = new Sender(
    client as unknown as SmpClient,
    { maxPacketBytes: 160, buffers },
    { timeoutMs: () => 15 } as unknown as LineTiming,
    { onProgress: ({ done }) => progress.push(done) },
  );
  return {
    send: (name: string, from = 0) => sender.send({ name, bytes, from }),
    sender,
    client,
    progress,
    asked,
    chunks: () =>
      asked.flatMap(({ name, request }) =>
        name === 'upload' ? [[request.off, (request.off ?? 0) + (request.data?.byteLength ?? 0)]] : [],
      ),
    others: () => asked.flatMap(({ name }) => (name === 'upload' ? [] : [name])),
    most: () => most,
  };
}

describe('chunks', () => {
  test('follow one another, and only the first states the length', async () => {
    const { send, sender, asked, chunks, progress, others } = setUp(() => undefined);
    expect(await send('/lfs/model')).toBe(true);
    const ends = chunks().map(([, end]) => end);
    expect(chunks()).toEqual(ends.map((end, i) => [i === 0 ? 0 : ends[i - 1], end]));
    expect(ends.at(-1)).toBe(300);
    expect(ends.length).toBeGreaterThan(2);
    expect(asked.map(({ request }) => request.len)).toEqual([300, ...ends.slice(1).map(() => undefined)]);
    expect(Buffer.concat(asked.map(({ request }) => request.data ?? new Uint8Array()))).toEqual(Buffer.from(bytes));
    expect(progress).toEqual([0, ...ends]);
    expect(sender).toMatchObject({ sentBytes: 300, requests: ends.length });
    expect(others()).toEqual([]);
  });

  test.each<[name: string, first: number]>([
    [slotFiles.inactive, 40_000],
    [slotFiles.compressed, 40_000],
    ['/lfs/model', 20_000],
  ])('to %s: the first has %i ms, since a slot may be erased', async (name, first) => {
    const { send, asked } = setUp(() => undefined);
    await send(name);
    expect(asked.map(({ options }) => options.timeoutMs)).toEqual([first, ...asked.slice(1).map(() => 20_000)]);
    expect(asked.every(({ options }) => options.attempts === 1)).toBe(true);
  });

  test('are in flight together, but for the first of a file', async () => {
    const whole = setUp(() => undefined, { buffers: 3 });
    await whole.send('/lfs/model');
    expect(whole.most()).toBe(2);
    const rest = setUp(() => undefined, { buffers: 3 });
    await rest.send('/lfs/model', 1);
    expect(rest.most()).toBe(3);
    expect(rest.client.window).toBe(1);
  });

  test('of a file that is there already are not sent', async () => {
    const { send, asked, progress } = setUp(() => undefined);
    expect(await send('/lfs/model', 300)).toBe(true);
    expect(asked).toEqual([]);
    expect(progress).toEqual([300]);
  });
});

describe('the upload goes on', () => {
  test('where the device says, if it takes a part of a chunk', async () => {
    const { send, chunks, others } = setUp((i, off) => (i === 0 ? received(off + 10) : undefined));
    await send('/lfs/model');
    expect(chunks()[1]?.[0]).toBe(10);
    expect(others()).toEqual([]);
  });

  test('where the device refuses a chunk for its offset', async () => {
    const { send, chunks, others } = setUp((i) => (i === 1 ? refused({ len: 7 }) : undefined));
    await send('/lfs/model');
    expect(chunks()[2]?.[0]).toBe(7);
    expect(others()).toEqual([]);
  });

  test('at the length that the device states once all chunks in flight are answered', async () => {
    const { send, chunks, others } = setUp((i) => (i === 1 || i === 2 ? refused({ len: 5 }) : undefined), {
      buffers: 2,
      others: {
        'file status': () => ({ ok: true, value: { len: 33 } }),
        status: () => ({ ok: true, value: { len: 33 } }),
      },
    });
    await send('/lfs/model');
    expect(others()).toHaveLength(1);
    expect(chunks()[3]?.[0]).toBe(33);
  });

  test('at the refused offset where the device has no status', async () => {
    const { send, chunks } = setUp((i) => (i === 1 || i === 2 ? refused({ len: 5 }) : undefined), {
      buffers: 2,
      others: { 'file status': () => refused({}) },
    });
    await send('/lfs/model');
    expect(chunks()[3]?.[0]).toBe(5);
  });

  test('after a chunk whose answer was lost: the device is further than its end', async () => {
    let first = 0;
    const { send, chunks } = setUp((i, _, end) => {
      if (i === 0) first = end;
      return i === 1 ? refused({ len: end }) : undefined;
    });
    await send('/lfs/model');
    expect(chunks()[1]?.[0]).toBe(first);
    expect(chunks()[2]?.[0]).toBe(chunks()[1]?.[1]);
  });

  test('from the beginning where the file is longer than what was sent: another client wrote to it', async () => {
    const file = setUp((i) => (i === 1 ? refused({ len: 5000 }) : undefined));
    await file.send('/lfs/model');
    expect(file.chunks()[2]).toEqual(file.chunks()[0]);
    expect(file.others()).toHaveLength(1);
    const slot = setUp((i) => (i === 1 ? refused({ len: 5000 }) : undefined));
    await slot.send(slotFiles.inactive);
    expect(slot.chunks()[2]).toEqual(slot.chunks()[0]);
    expect(slot.others()).toEqual([]);
  });

  test('without the command that closes a file, by a chunk that follows on nothing', async () => {
    const { send, asked } = setUp((i) => (i === 1 ? refused({ len: 5000 }) : undefined), {
      others: { 'file close': () => refused({}, null, 8) },
    });
    await send('/lfs/model');
    expect(asked.find(({ request }) => request.off === 2 ** 31 - 1)?.request.data).toEqual(new Uint8Array());
  });

  test('not where a compressed upload has lost its beginning', async () => {
    const lost = setUp((i) => (i === 1 ? refused({ len: 0 }) : undefined));
    expect(await lost.send(slotFiles.compressed)).toBe(false);
    const plain = setUp((i) => (i === 1 ? refused({ len: 0 }) : undefined));
    expect(await plain.send(slotFiles.inactive)).toBe(true);
  });
});

describe('the upload gives up', () => {
  test('after the device has asked for the same offset six times', async () => {
    const { send, chunks } = setUp((i) => (i > 0 ? refused({ len: 4 }) : undefined));
    await expect(send('/lfs/model')).rejects.toMatchObject({
      code: 'DEVICE_ANSWER',
      values: { command: 'upload', reason: expect.stringMatching(/repeatedly asks for offset 4 after 4/) },
    });
    // The first chunk, one that goes back to 4, and six that do not get further.
    expect(chunks()).toHaveLength(8);
  });

  test('but not while it gets further', async () => {
    let at = 0;
    const { send } = setUp((i) => {
      if (i % 2 === 0 || at === 40) return undefined;
      at += 4;
      return refused({ len: at });
    });
    expect(await send('/lfs/model')).toBe(true);
  });

  test.each<[name: string, reply: Reply, values: object]>([
    [
      'another status of the group',
      refused({ len: 4 }, Group.file, FileStatus.OFFSET_NOT_VALID + 1),
      { group: Group.file },
    ],
    ['the same status of another group', refused({ len: 4 }, Group.os), { group: Group.os }],
    ['no length', refused({}), { group: Group.file }],
    ['a length that is no number', refused({ len: '4' }), { group: Group.file }],
    ['a negative length', refused({ len: -1 }), { group: Group.file }],
  ])('with %s', async (_, reply, values) => {
    const { send } = setUp((i) => (i === 1 ? reply : undefined));
    await expect(send('/lfs/model')).rejects.toMatchObject({ code: 'DEVICE_ERROR', values });
  });

  test('after nine chunks in a row without an answer, while the device answers others', async () => {
    const { send, chunks } = setUp((i) => (i > 0 ? never : undefined));
    await expect(send('/lfs/model')).rejects.toMatchObject({
      code: 'DEVICE_ANSWER',
      values: { command: 'upload', reason: expect.stringMatching(/none of 9 chunks at offset/) },
    });
    expect(chunks()).toHaveLength(10);
  });
});

describe('a chunk without an answer', () => {
  test('is sent again; a file that may be open is closed before', async () => {
    const { send, chunks, others } = setUp((i) => (i === 0 ? never : undefined));
    expect(await send('/lfs/model')).toBe(true);
    expect(chunks()[1]).toEqual(chunks()[0]);
    expect(others().filter((name) => name !== 'echo')).toHaveLength(1);
  });

  test('of a slot, or not the first, is just sent again', async () => {
    const slot = setUp((i) => (i === 0 ? never : undefined));
    await slot.send(slotFiles.inactive);
    expect(slot.others().filter((name) => name !== 'echo')).toEqual([]);
    const later = setUp((i) => (i === 1 ? never : undefined));
    await later.send('/lfs/model');
    expect(later.chunks()[2]).toEqual(later.chunks()[1]);
    expect(later.others().filter((name) => name !== 'echo')).toEqual([]);
  });

  test('halves the number in flight', async () => {
    const { send, sender } = setUp((i) => (i === 0 ? never : i === 1 ? refused({ len: 1 }) : undefined), {
      buffers: 2,
      others: { 'file status': () => ({ ok: true, value: { len: 1 } }) },
    });
    await send('/lfs/model', 1);
    expect(sender.limits).toEqual({ buffers: 1, maxPacketBytes: 160 });
  });
});
