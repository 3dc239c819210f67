// Samples on a device that answers from a script: what is requested, and which answers are refused.

import { describe, expect, test } from 'vitest';
import { remoteRunner } from '../../../../src/devices/client/remote-runner.js';
import type { SmpClient } from '../../../../src/devices/client/smp-client.js';
import type { DeviceDescription } from '../../../../src/devices/protocol/index.js';
import { type Model, TensorType } from '../../../../src/formats/tflite/index.js';
import { accumulatingModel, denseOptions, modelOf } from '../../../support/models.js';

/** Two int8 inputs of 3 and 5 bytes, an output of 4. */
const model: Model = modelOf(
  [
    { name: 'a', shape: [1, 3], type: TensorType.INT8, scale: 1 },
    { name: 'b', shape: [1, 5], type: TensorType.INT8, scale: 1 },
    { shape: [4, 3], data: new Int8Array(12), scale: 1 },
    { name: 'y', shape: [1, 4], type: TensorType.INT8, scale: 1 },
  ],
  [{ op: 'FULLY_CONNECTED', inputs: [0, 2, -1], outputs: [3], options: denseOptions() }],
  [0, 1],
  [3],
);
const sample = Uint8Array.from([1, 2, 3, 4, 5, 6, 7, 8]);

type Asked = { readonly name: string; readonly request: Record<string, unknown> };
type Answers = Readonly<Record<string, (request: Record<string, unknown>) => unknown>>;

function device(answers: Answers): { client: SmpClient; asked: Asked[] } {
  const asked: Asked[] = [];
  const client = {
    request: async ({ name }: { name: string }, request: Record<string, unknown>) => {
      asked.push({ name, request });
      return answers[name]?.(request) ?? {};
    },
  };
  return { client: client as unknown as SmpClient, asked };
}

function described(features: readonly string[] = [], more: Partial<DeviceDescription> = {}): DeviceDescription {
  return { tick_hz: 2000, features, ...more } as unknown as DeviceDescription;
}

/** An answer to `infer`: the ticks of each sample, and its outputs. */
function inferred(ticks: readonly number[], bytes = 4 * ticks.length): Answers {
  return { infer: () => ({ ticks, data: Uint8Array.from({ length: bytes }, (_, i) => i) }) };
}

describe('input by input', () => {
  const answers: Answers = {
    run: () => ({ n: 4, ticks: 40 }),
    'read output': ({ off }) => ({ off, data: Uint8Array.of(10 + Number(off), 11 + Number(off)) }),
  };

  test('each input is written from its place in the sample, and the outputs are joined', async () => {
    const { client, asked } = device(answers);
    const runner = remoteRunner(client, model, described(), 128);
    expect(runner).toMatchObject({ concurrency: 1, basis: 'device', state: 'none' });
    const { output, latencyMs } = await runner.run(sample);
    expect(asked).toEqual([
      { name: 'write input', request: { input: 0, off: 0, data: sample.subarray(0, 3) } },
      { name: 'write input', request: { input: 1, off: 0, data: sample.subarray(3) } },
      { name: 'run', request: {} },
      { name: 'read output', request: { output: 0, off: 0 } },
      { name: 'read output', request: { output: 0, off: 2 } },
    ]);
    expect(output).toEqual(Uint8Array.of(10, 11, 12, 13));
    // 40 ticks of 2 kHz for 4 runs
    expect(latencyMs).toBe(5);
  });

  test('long inputs are written in parts that leave room for the header', async () => {
    const long = modelOf(
      [
        { shape: [1, 40], type: TensorType.INT8, scale: 1 },
        { shape: [1, 40], data: new Int8Array(40), scale: 1 },
        { shape: [1, 1], type: TensorType.INT8, scale: 1 },
      ],
      [{ op: 'FULLY_CONNECTED', inputs: [0, 1, -1], outputs: [2], options: denseOptions() }],
      [0],
      [2],
    );
    const parts = async (maxPacketBytes: number): Promise<unknown[]> => {
      const { client, asked } = device({ ...answers, 'read output': () => ({ off: 0, data: Uint8Array.of(1) }) });
      await remoteRunner(client, long, described(), maxPacketBytes).run(new Uint8Array(40));
      return asked.flatMap(({ name, request }) =>
        name === 'write input' ? [[request.off, (request.data as Uint8Array).length]] : [],
      );
    };
    expect(await parts(64 + 20)).toEqual([
      [0, 20],
      [20, 20],
    ]);
    expect(await parts(64 + 39)).toEqual([
      [0, 39],
      [39, 1],
    ]);
    expect(await parts(64 + 40)).toEqual([[0, 40]]);
    // At least 16 bytes, however small the packets are.
    expect(await parts(66)).toEqual([
      [0, 16],
      [16, 16],
      [32, 8],
    ]);
  });

  test.each<[name: string, data: Uint8Array]>([
    ['nothing', new Uint8Array()],
    ['more than the output has', new Uint8Array(5)],
  ])('an answer with %s is refused', async (_, data) => {
    const { client } = device({ ...answers, 'read output': () => ({ off: 0, data }) });
    await expect(remoteRunner(client, model, described(), 128).run(sample)).rejects.toMatchObject({
      code: 'DEVICE_ANSWER',
      values: { command: 'read output', reason: `${data.length} bytes at offset 0 of 4` },
    });
  });

  test('later parts are refused where they go beyond the output', async () => {
    const { client } = device({
      ...answers,
      'read output': ({ off }) => ({ off, data: new Uint8Array(off === 0 ? 3 : 2) }),
    });
    await expect(remoteRunner(client, model, described(), 128).run(sample)).rejects.toMatchObject({
      values: { reason: '2 bytes at offset 3 of 4' },
    });
  });

  test('a clock that does not run is refused', async () => {
    const { client } = device({ ...answers, run: () => ({ n: 1, ticks: 0 }) });
    await expect(remoteRunner(client, model, described(), 128).run(sample)).rejects.toMatchObject({
      values: { command: 'run', reason: expect.stringContaining('0 ticks') },
    });
  });
});

describe('several samples in a request', () => {
  test.each<[features: string[], packet: number, concurrency: number]>([
    // A sample has 8 bytes of inputs, and its answer 4 bytes and a time of up to 5.
    [['infer'], 64 + 27, 3],
    [['infer'], 64 + 26, 2],
    [['infer'], 64 + 17, 1],
    [[], 64 + 27, 1],
  ])('%j with packets of %i bytes: %i', (features, packet, concurrency) => {
    expect(remoteRunner(device({}).client, model, described(features), packet).concurrency).toBe(concurrency);
  });

  test('too small packets carry a sample in parts', async () => {
    const wide = modelOf(
      [
        { shape: [1, 40], type: TensorType.INT8, scale: 1 },
        { shape: [1, 40], data: new Int8Array(40), scale: 1 },
        { shape: [1, 1], type: TensorType.INT8, scale: 1 },
      ],
      [{ op: 'FULLY_CONNECTED', inputs: [0, 1, -1], outputs: [2], options: denseOptions() }],
      [0],
      [2],
    );
    const { client, asked } = device({
      run: () => ({ n: 1, ticks: 2 }),
      'read output': () => ({ off: 0, data: Uint8Array.of(1) }),
    });
    await remoteRunner(client, wide, described(['infer']), 64 + 39).run(new Uint8Array(40));
    expect(asked.map(({ name }) => name)).toEqual(['write input', 'write input', 'run', 'read output']);
  });

  test('samples of one turn share a request, in order', async () => {
    const { client, asked } = device(inferred([2, 4]));
    const runner = remoteRunner(client, model, described(['infer']), 64 + 27);
    const reused = sample.slice();
    const first = runner.run(reused);
    reused.fill(9);
    const results = await Promise.all([first, runner.run(reused)]);
    expect(asked).toEqual([{ name: 'infer', request: { data: Buffer.concat([sample, reused]) } }]);
    expect(results).toEqual([
      { output: Uint8Array.of(0, 1, 2, 3), latencyMs: 1 },
      { output: Uint8Array.of(4, 5, 6, 7), latencyMs: 2 },
    ]);
  });

  test('a full request is sent at once, the rest in the next', async () => {
    let ticks: number[] = [];
    const { client, asked } = device({
      infer: ({ data }) => {
        ticks = new Array<number>((data as Uint8Array).length / 8).fill(2);
        return { ticks, data: new Uint8Array(4 * ticks.length) };
      },
    });
    const runner = remoteRunner(client, model, described(['infer']), 64 + 27);
    const runs = [0, 1, 2].map(() => runner.run(sample));
    expect(asked).toHaveLength(1);
    await Promise.all([...runs, runner.run(sample)]);
    expect(asked.map(({ request }) => (request.data as Uint8Array).length)).toEqual([24, 8]);
  });

  test.each<[name: string, answer: Answers, reason: string]>([
    ['times', inferred([2, 2], 4), '2 times and 4 bytes for 1 sample(s) of 4 bytes'],
    ['bytes', inferred([2], 5), '1 times and 5 bytes for 1 sample(s) of 4 bytes'],
    ['ticks', inferred([0]), 'it took 0 ticks: the clock of the device does not run'],
  ])('an answer with other %s is refused', async (_, answer, reason) => {
    const runner = remoteRunner(device(answer).client, model, described(['infer']), 200);
    await expect(runner.run(sample)).rejects.toMatchObject({
      code: 'DEVICE_ANSWER',
      values: { command: 'infer', reason },
    });
  });

  test('an error is that of every sample of the request', async () => {
    const { client } = device({
      infer: () => {
        throw new Error('unplugged');
      },
    });
    const runner = remoteRunner(client, model, described(['infer']), 200);
    const results = await Promise.allSettled([runner.run(sample), runner.run(sample)]);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
  });
});

describe('a model that keeps state', () => {
  const stateful = accumulatingModel();
  const one = Uint8Array.of(1, 2, 3, 4);
  const answers: Answers = {
    run: () => ({ n: 1, ticks: 2 }),
    'read output': () => ({ off: 0, data: new Uint8Array(4) }),
    ...inferred([2]),
  };

  test.each<[features: string[], state: string]>([
    [[], 'reset'],
    [['stream'], 'continues'],
  ])('with %j: %s', (features, state) => {
    expect(remoteRunner(device(answers).client, stateful, described(features), 200).state).toBe(state);
  });

  test.each<[continues: boolean | undefined, request: object]>([
    [true, { stream: true }],
    [false, {}],
    [undefined, {}],
  ])('a run that continues (%j) says so', async (continues, request) => {
    const { client, asked } = device(answers);
    await remoteRunner(client, stateful, described(['stream']), 200).run(one, undefined, continues);
    expect(asked.find(({ name }) => name === 'run')?.request).toEqual(request);
    const together = device(answers);
    await remoteRunner(together.client, stateful, described(['stream', 'infer']), 200).run(one, undefined, continues);
    expect(together.asked).toEqual(
      [{ name: 'infer', request: { data: Buffer.from(one), ...request } }].map((asks) => ({
        ...asks,
        request: { ...asks.request, data: continues === true ? one : Buffer.from(one) },
      })),
    );
  });

  test('without state nothing continues', async () => {
    const { client, asked } = device({ ...answers, ...inferred([2]) });
    await remoteRunner(client, model, described(['stream', 'infer']), 200).run(sample, undefined, true);
    expect(asked[0]?.request).toEqual({ data: Buffer.from(sample) });
    const parts = device(answers);
    await remoteRunner(parts.client, model, described(['stream']), 200).run(sample, undefined, true);
    expect(parts.asked.find(({ name }) => name === 'run')?.request).toEqual({});
  });
});

test('latencies of a simulated device are marked as such', () => {
  expect(remoteRunner(device({}).client, model, described([], { sim: true }), 200).basis).toBe('simulated');
});
