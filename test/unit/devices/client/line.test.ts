// Sizes, times and windows of a transfer, computed by hand.

import { encode } from 'cborg';
import { describe, expect, test } from 'vitest';
import { BurstLimit } from '../../../../src/devices/client/burst-limit.js';
import { chunkBytes, packetBytes } from '../../../../src/devices/client/chunk.js';
import { FlightWindow } from '../../../../src/devices/client/flight-window.js';
import { lineBound, Stopwatch } from '../../../../src/devices/client/line-bound.js';
import { LineTiming } from '../../../../src/devices/client/line-timing.js';
import { MeasuredRun, minRuns } from '../../../../src/devices/client/measure.js';
import type { Sender } from '../../../../src/devices/client/sender.js';
import type { SmpClient } from '../../../../src/devices/client/smp-client.js';
import type { Runner } from '../../../../src/evaluate/index.js';
import type { Target } from '../../../../src/targets/index.js';

const headerBytes = 8;
/** Header and CBOR of a packet that carries this much of a file. */
function packetOf(off: number, total: number, name: string, data: number): number {
  const request =
    off === 0 ? { off, len: total, name, data: new Uint8Array(data) } : { off, name, data: new Uint8Array(data) };
  return headerBytes + encode(request).byteLength;
}

describe('a chunk', () => {
  test.each([256, 300, 512, 2048])('fills a packet of %i bytes as far as its prefix allows', (limit) => {
    for (const [off, total] of [
      [0, 100_000],
      [512, 100_000],
      [70_000, 100_000],
    ] as const) {
      const data = chunkBytes('/atoll/inactive', off, total, limit);
      const size = packetOf(off, total, '/atoll/inactive', data);
      expect(size).toBeLessThanOrEqual(limit);
      expect(size).toBeGreaterThanOrEqual(limit - 2);
    }
  });

  test('is never empty, even if no packet can carry it', () => {
    expect(chunkBytes('/a/very/long/name/of/a/file', 0, 10, 20)).toBe(1);
  });

  test('needs a packet of this size, wherever in the file it lies', () => {
    const size = packetBytes('/atoll/inactive', 400, 100_000);
    for (const off of [512, 99_600]) expect(packetOf(off, 100_000, '/atoll/inactive', 400)).toBeLessThanOrEqual(size);
    expect(size - packetOf(100_000, 100_000, '/atoll/inactive', 400)).toBe(0);
  });
});

describe('the number of chunks in flight', () => {
  test('is halved by a loss, down to one', () => {
    const window = new FlightWindow(8);
    expect(window.size).toBe(8);
    expect(window.afterLoss(8)).toBe(true);
    expect(window.size).toBe(4);
    expect(window.afterLoss(3)).toBe(true);
    expect(window.size).toBe(1);
    // A loss with one chunk in flight has another cause.
    expect(window.afterLoss(1)).toBe(false);
    expect(window.size).toBe(1);
  });

  test('never grows by a loss, and grows after a time without any, later after each loss', () => {
    const window = new FlightWindow(3);
    window.afterLoss(2);
    expect(window.size).toBe(1);
    expect(window.afterLoss(8)).toBe(true);
    expect(window.size).toBe(1);
    // Two losses: 16 chunks, doubled twice.
    for (let i = 0; i < 63; i++) window.onDelivered();
    expect(window.size).toBe(1);
    window.onDelivered();
    expect(window.size).toBe(2);
    for (let i = 0; i < 64; i++) window.onDelivered();
    expect(window.size).toBe(3);
    for (let i = 0; i < 640; i++) window.onDelivered();
    expect(window.size).toBe(3);
  });

  test('counts anew after a loss', () => {
    const window = new FlightWindow(2);
    window.afterLoss(2);
    for (let i = 0; i < 31; i++) window.onDelivered();
    window.afterLoss(1);
    for (let i = 0; i < 31; i++) window.onDelivered();
    expect(window.size).toBe(1);
    window.onDelivered();
    expect(window.size).toBe(2);
  });
});

/** A line of 1,000 bytes a second that adds 10 bytes to each packet; echoes take this long, null: they are refused. */
function clientOf(
  echoMs: number | null,
  { bytesPerSecond = 1000 as number | null, arrives = (_bytes: number): boolean => true } = {},
): SmpClient {
  const client = {
    pauseMs: 0,
    canPause: true,
    learned: [] as unknown[],
    line: {
      bytesPerSecond,
      wireBytes: (packet: number) => packet + 10,
      wholeFrames: (bytes: number) => bytes - (bytes % 8),
    },
    ask: async () => {
      if (echoMs !== null) await new Promise((resolve) => setTimeout(resolve, echoMs));
      return { ok: echoMs !== null };
    },
    askOnce: async (_command: unknown, { d }: { d: string }) => (arrives(d.length) ? { ok: true } : null),
    learn: async (limit: unknown) => void client.learned.push(limit),
  };
  return client as unknown as SmpClient;
}

describe('the time on the line', () => {
  test('follows from its speed, if echoes are not faster than that', async () => {
    // Two echoes of 12 bytes and 10 bytes of framing take 44 ms at 1,000 bytes a second.
    const slow = await LineTiming.measure(clientOf(60));
    expect(slow.onLineMs(500)).toBe(500);
    expect(slow.turnaroundMs).toBeGreaterThan(10);
    const fast = await LineTiming.measure(clientOf(0));
    expect(fast.onLineMs(500)).toBe(0);
    const unknown = await LineTiming.measure(clientOf(5, { bytesPerSecond: null }));
    expect(unknown.onLineMs(500)).toBe(0);
  });

  test('of a device that refuses echoes has no turnaround', async () => {
    const timing = await LineTiming.measure(clientOf(null));
    expect(timing.turnaroundMs).toBe(0);
    // The line is taken at its word: eight round trips of 44 ms, and twice the request.
    expect(timing.timeoutMs(100)).toBe(8 * 44 + 2 * 110);
  });

  test('gives an answer eight round trips, and a tenth of a second at least', async () => {
    const timing = await LineTiming.measure(clientOf(60));
    const roundTrip = timing.turnaroundMs + 44;
    expect(timing.timeoutMs(190)).toBeCloseTo(8 * roundTrip + 400, 6);
    const unknown = await LineTiming.measure(clientOf(1, { bytesPerSecond: null }));
    expect(unknown.timeoutMs(190)).toBeGreaterThanOrEqual(100);
    expect(unknown.timeoutMs(190)).toBe(Math.max(100, 8 * unknown.turnaroundMs));
  });
});

describe('a transfer', () => {
  const name = '/f';

  test('has a packet for each chunk, the last one shorter, and an answer for each', () => {
    const client = clientOf(0);
    const chunk = chunkBytes(name, 1000, 1000, 100);
    const bound = lineBound(client, name, 1000, 100);
    const requests = Math.ceil(1000 / chunk);
    const last = 1000 - (requests - 1) * chunk + (100 - chunk);
    const answer = headerBytes + encode({ off: 0xffff }).byteLength;
    expect(bound.requests).toBe(requests);
    expect(bound.requestBytes).toBe((requests - 1) * 110 + last + 10);
    expect(bound.wireBytes).toBe(bound.requestBytes + requests * (answer + 10));
    expect(bound.lineMs).toBe(bound.wireBytes);
    expect(bound.requestLineMs).toBe(bound.requestBytes);
    expect(lineBound(clientOf(0, { bytesPerSecond: null }), name, 1000, 100)).toMatchObject({
      lineMs: 0,
      requestLineMs: 0,
    });
  });

  test('is predicted from line and turnaround; several buffers share the turnaround', async () => {
    const client = clientOf(60);
    const timing = await LineTiming.measure(client);
    const stopwatch = new Stopwatch(client, timing);
    const { requests, wireBytes, requestBytes } = lineBound(client, name, 1000, 100);
    const one = stopwatch.plan(name, 1000, { maxPacketBytes: 100, buffers: 1 });
    expect(one).toMatchObject({ bytes: 1000, requests });
    expect(one.expectedMs).toBeCloseTo(wireBytes + requests * timing.turnaroundMs, 6);
    expect(one.bottleneck).toBe(wireBytes >= requests * timing.turnaroundMs ? 'line' : 'round trips');
    const four = stopwatch.plan(name, 1000, { maxPacketBytes: 100, buffers: 4 });
    expect(four.expectedMs).toBeCloseTo(requestBytes + (requests * timing.turnaroundMs) / 4, 6);
    const waiting = new Stopwatch(client, await LineTiming.measure(clientOf(20, { bytesPerSecond: null })));
    expect(waiting.plan(name, 1000, { maxPacketBytes: 100, buffers: 1 }).bottleneck).toBe('round trips');
  });

  test('that sent nothing has no speed; one that took much longer than predicted waited for the device', async () => {
    const client = clientOf(0);
    const timing = await LineTiming.measure(client);
    const sender = (sentBytes: number) =>
      ({ sentBytes, limits: { maxPacketBytes: 100, buffers: 1 } }) as unknown as Sender;
    const stopwatch = new Stopwatch(client, timing);
    expect(stopwatch.end(sender(0), name, 0)).toMatchObject({ bytesPerSecond: null, bottleneck: null });
    await new Promise((resolve) => setTimeout(resolve, 50));
    const { durationMs, bytesPerSecond, bottleneck } = stopwatch.end(sender(10), name, 2000);
    expect(durationMs).toBeGreaterThanOrEqual(49);
    expect(bytesPerSecond).toBeCloseTo((1000 * 2000) / durationMs, 3);
    expect(bottleneck).toBe('device');
  });
});

describe('packets that a device loses', () => {
  const limitOf = async (client: SmpClient, largest = 512): Promise<BurstLimit> =>
    new BurstLimit(client, await LineTiming.measure(client), largest);

  test('are halved, in whole frames, until echoes of their size arrive', async () => {
    const client = clientOf(0, { arrives: (bytes) => bytes < 130 });
    const limit = await limitOf(client);
    await limit.afterLoss(512);
    expect(limit.maxPacketBytes).toBe(128);
    expect((client as unknown as { learned: unknown[] }).learned).toEqual([{ maxPacketBytes: 128, pauseMs: 0 }]);
    // A larger packet was sent before that.
    await limit.afterLoss(512);
    expect(limit.maxPacketBytes).toBe(128);
  });

  test('are sent with pauses once they are as small as may be', async () => {
    const client = clientOf(0, { arrives: () => (client as unknown as { pauseMs: number }).pauseMs >= 20 });
    const limit = await limitOf(client, 128);
    await limit.afterLoss(128);
    expect(client.pauseMs).toBe(20);
  });

  test('are not changed by accidents; three among ten are none', async () => {
    const client = clientOf(0);
    const limit = await limitOf(client);
    await limit.afterLoss(512);
    for (let i = 0; i < 10; i++) limit.onDelivered();
    await limit.afterLoss(512);
    await limit.afterLoss(512);
    expect(limit.maxPacketBytes).toBe(512);
    await limit.afterLoss(512);
    expect(limit.maxPacketBytes).toBe(256);
    await limit.afterLoss(256);
    await limit.afterLoss(256);
    expect(limit.maxPacketBytes).toBe(256);
  });
});

describe('a measured run', () => {
  const outputs = [
    { name: 'y', type: 'int8', shape: [2], bytes: 2, quantization: null },
  ] as unknown as Runner['outputs'];
  const runnerOf = (output: (sample: Uint8Array) => Uint8Array, latencies: number[] = []): Runner =>
    ({
      inputs: [],
      outputs,
      basis: 'device',
      run: async (sample: Uint8Array) => ({ output: output(sample), latencyMs: latencies.shift() ?? 1 }),
    }) as unknown as Runner;
  const target = (agreement: Target['agreement']): Target =>
    ({ agreement, runtime: { kernelProfile: 'tflm-reference' } }) as unknown as Target;

  test('counts differences by size, and samples that are equal', async () => {
    const run = new MeasuredRun(
      runnerOf((sample) => sample),
      target({ maxLsb: 1, minShare: 0.75 }),
      runnerOf((sample) => Uint8Array.of(sample[0] ?? 0, 5)),
    );
    for (const second of [5, 5, 6, 9]) await run.runner.run(Uint8Array.of(3, second));
    expect(run.agreement()).toEqual({
      kernelProfile: 'tflm-reference',
      samples: 4,
      equalSamples: 2,
      elements: 8,
      lsbHistogram: { 0: 6, 1: 1, 4: 1 },
      maxLsb: 4,
      agrees: true,
    });
    await run.runner.run(Uint8Array.of(3, 9));
    // 8 of 10 within one step; two more would be too many.
    expect(run.agreement().agrees).toBe(true);
    await run.runner.run(Uint8Array.of(3, 9));
    await run.runner.run(Uint8Array.of(3, 9));
    expect(run.agreement().agrees).toBe(false);
  });

  test('repeats the last sample until there are thirty latencies; the first is kept apart', async () => {
    const sent: number[] = [];
    const remote = runnerOf(
      (sample) => {
        sent.push(sample[0] ?? -1);
        return sample;
      },
      [50, 2, 4],
    );
    const run = new MeasuredRun(remote, target('exact'), null);
    for (const value of [1, 2, 3]) await run.runner.run(Uint8Array.of(value, 0));
    const { agreement, latencyMs } = await run.finish();
    expect(sent).toEqual([1, 2, ...new Array(minRuns - 2).fill(3)]);
    expect(agreement).toBeNull();
    expect(latencyMs).toMatchObject({ basis: 'device', runs: minRuns, first: 50, steady: { min: 1, median: 1 } });
  });

  test('of nothing has no latency, and no difference', async () => {
    const run = new MeasuredRun(
      runnerOf((sample) => sample),
      target('exact'),
      runnerOf((sample) => sample),
    );
    expect(await run.finish()).toMatchObject({
      agreement: { samples: 0, elements: 0, maxLsb: 0, agrees: true },
      latencyMs: { runs: 0, first: 0, steady: { min: 0, median: 0, p95: 0 } },
    });
  });
});
