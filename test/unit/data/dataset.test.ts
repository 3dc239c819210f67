import path from 'node:path';
import { strToU8, zipSync } from 'fflate';
import sharp from 'sharp';
import { describe, expect, test } from 'vitest';
import { type Dataset, openDataset, runsOf, type Sample } from '../../../src/data/index.js';
import { floatBytes, temporaryFolder, writeFiles } from '../../support/files.js';

const folder = temporaryFolder();

async function samplesOf(dataset: Dataset, limit?: number): Promise<Sample[]> {
  const all: Sample[] = [];
  for await (const sample of dataset.samples(limit)) all.push(sample);
  return all;
}

function open(name: string, yaml: string): Promise<Dataset> {
  writeFiles(folder, { [`${name}.yaml`]: yaml });
  return openDataset(path.join(folder, `${name}.yaml`));
}

function npy(descr: string, shape: readonly number[], data: Uint8Array): Uint8Array {
  const header = (
    `{'descr': '${descr}', 'fortran_order': False, 'shape': ` +
    `(${shape.join(', ')}${shape.length === 1 ? ',' : ''}), }`
  ).padEnd(117, ' ');
  const out = new Uint8Array(10 + 118 + data.byteLength);
  out.set([0x93, ...strToU8('NUMPY'), 1, 0, 118, 0]);
  out.set(strToU8(`${header}\n`), 10);
  out.set(data, 128);
  return out;
}

test('raw files: many samples in one, real values by the quantization on disk', async () => {
  writeFiles(folder, {
    'raw.bin': new Uint8Array(Int8Array.of(-2, 0, 83, 84, 85, 127).buffer),
    'raw.csv': '1\n0\n2\n',
  });
  const dataset = await open(
    'raw',
    'name: raw\ntask: classification\ninputs:\n  - {files: raw.bin, type: int8, shape: [2], quantization: ' +
      '{scale: 0.5, zeroPoint: 83}}\nlabels: {csv: raw.csv}\n',
  );
  expect(dataset).toMatchObject({ count: 3, metric: 'top1', hasLabels: true });
  const samples = await samplesOf(dataset);
  expect(samples.map(({ inputs }) => [...(inputs[0] ?? [])])).toEqual([
    [-42.5, -41.5],
    [0, 0.5],
    [1, 22],
  ]);
  expect(samples.map(({ label }) => label)).toEqual([1, 0, 2]);
});

test('one file per sample, labels by file name, in any order of rows', async () => {
  writeFiles(folder, {
    'a1.f32': floatBytes([1]),
    'a2.f32': floatBytes([2]),
    'by-name.csv': '\ufefffile,label\n"a2.f32","dog, small"\n\na1.f32,cat\n',
  });
  const dataset = await open(
    'by-name',
    'name: n\ntask: classification\ninputs:\n  - {files: "a*.f32", type: float32, shape: [1]}\nlabels: {csv: ' +
      'by-name.csv, header: true, file: 0, label: 1}\n',
  );
  expect(dataset.classes).toEqual(['cat', 'dog, small']);
  expect((await samplesOf(dataset)).map(({ inputs, label }) => [inputs[0]?.[0], label])).toEqual([
    [1, 0],
    [2, 1],
  ]);
});

test('numpy arrays: .npy, and .npz by name', async () => {
  const values = npy('<f4', [3, 2], floatBytes([1, 2, 3, 4, 5, 6]));
  const labels = npy('<i4', [3], new Uint8Array(Int32Array.of(2, 1, 0).buffer));
  writeFiles(folder, { 'x.npy': values, 'both.npz': zipSync({ 'x.npy': values, 'y.npy': labels }) });
  const fromNpy = await open('npy', 'name: n\ntask: none\ninputs:\n  - {files: x.npy}\n');
  expect(fromNpy.inputs[0]?.shape).toEqual([2]);
  expect((await samplesOf(fromNpy)).map(({ inputs }) => [...(inputs[0] ?? [])])).toEqual([
    [1, 2],
    [3, 4],
    [5, 6],
  ]);
  const fromNpz = await open(
    'npz',
    'name: n\ntask: classification\ninputs:\n  - {files: "both.npz#x", shape: [2]}\nlabels: "both.npz#y"\n',
  );
  expect((await samplesOf(fromNpz)).map(({ label }) => label)).toEqual([2, 1, 0]);
  await expect(open('npz2', 'name: n\ntask: none\ninputs:\n  - {files: both.npz}\n')).rejects.toThrow(
    /contains 2 arrays/,
  );
});

describe('files that are not arrays', () => {
  test.each([
    ['no magic', new Uint8Array(40), /does not start/],
    ['cut short', npy('<f4', [100], floatBytes([1])), /ends after 4 of 400 bytes/],
    ['big-endian', npy('>f4', [1], floatBytes([1])), /big-endian/],
    ['objects', npy('|O8', [1], new Uint8Array(8)), /does not name a numeric type/],
  ])('%s', async (name, bytes, message) => {
    writeFiles(folder, { 'bad.npy': bytes });
    await expect(open(`bad ${name}`, 'name: n\ntask: none\ninputs:\n  - {files: bad.npy}\n')).rejects.toThrow(message);
  });
});

test('images: decoded, resized, scaled; labels from folder names', async () => {
  const { mkdirSync } = await import('node:fs');
  for (const [kind, color] of [
    ['black', { r: 0, g: 0, b: 0 }],
    ['red', { r: 255, g: 0, b: 0 }],
  ] as const) {
    mkdirSync(path.join(folder, 'img', kind), { recursive: true });
    writeFiles(folder, {
      [`img/${kind}/1.png`]: await sharp({ create: { width: 8, height: 6, channels: 3, background: color } })
        .png()
        .toBuffer(),
    });
  }
  const dataset = await open(
    'images',
    'name: i\ntask: classification\ninputs:\n  - {files: "img/**/*.png", images: {resize: {width: 4, height: ' +
      '2}, range: [-1, 1]}}\nlabels: folders\n',
  );
  expect(dataset.classes).toEqual(['black', 'red']);
  const samples = await samplesOf(dataset);
  expect(samples.map(({ label }) => label)).toEqual([0, 1]);
  expect(samples.map(({ inputs }) => inputs[0]?.length)).toEqual([24, 24]);
  expect([...(samples[0]?.inputs[0]?.slice(0, 3) ?? [])]).toEqual([-1, -1, -1]);
  expect([...(samples[1]?.inputs[0]?.slice(0, 3) ?? [])]).toEqual([1, -1, -1]);
  const gray = await open(
    'gray',
    'name: i\ntask: none\ninputs:\n  - {files: "img/red/*.png", images: {channels: gray, mean: 10, std: 2}}\n',
  );
  expect((await samplesOf(gray))[0]?.inputs[0]?.length).toBe(48);
  writeFiles(folder, { 'broken.png': 'no image' });
  expect(gray.warnings).toEqual([]);
  const small = await open(
    'small',
    'name: i\ntask: none\ninputs:\n  - {files: "img/red/*.png", images: {mean: [0.485, 0.456, 0.406], std: 0.25}}\n',
  );
  expect(small.warnings).toEqual([{ code: 'PIXEL_RANGE', message: expect.stringContaining('range: [0, 1]') }]);
  const ranged = await open(
    'ranged',
    'name: i\ntask: none\ninputs:\n  - {files: "img/red/*.png", images: {range: [0, 1], mean: 0.5, std: 0.5}}\n',
  );
  expect(ranged.warnings).toEqual([]);
  await expect(
    open('broken', 'name: i\ntask: none\ninputs:\n  - {files: broken.png, images: {}}\n').then((broken) =>
      samplesOf(broken),
    ),
  ).rejects.toThrow(expect.objectContaining({ code: 'DATASET_IMAGE_INVALID' }));
});

test('with state per-file samples go on from those before in their file, and a limit takes the first', async () => {
  writeFiles(folder, { 's1.bin': floatBytes([1, 2, 3]), 's2.bin': floatBytes([4, 5]) });
  const input = 'inputs:\n  - {files: [s1.bin, s2.bin], type: float32, shape: [1]}\n';
  const continued = async (name: string, state: string, limit?: number): Promise<boolean[]> => {
    const dataset = await open(name, `name: s\ntask: none\n${state}${input}`);
    expect(dataset.sharesFiles).toBe(true);
    const samples: boolean[] = [];
    for await (const { continues } of dataset.samples(limit)) samples.push(continues);
    return samples;
  };
  expect(await continued('streams', 'state: per-file\n')).toEqual([false, true, true, false, true]);
  expect(await continued('streams', 'state: per-file\n', 2)).toEqual([false, true]);
  expect(await continued('samples', 'state: per-sample\n')).toEqual([false, false, false, false, false]);
});

test('windows are cut from whole files', async () => {
  writeFiles(folder, { 'w1.bin': floatBytes([1, 2, 3, 4, 5, 6, 7]), 'w2.bin': floatBytes([1]) });
  const windows = 'task: anomaly\nwindows: {length: 4, stride: 2, score: mse}\n';
  const dataset = await open('windows', `name: w\n${windows}inputs:\n  - {files: w1.bin, type: float32}\n`);
  const [sample] = await samplesOf(dataset);
  expect([...runsOf(sample as Sample, dataset)].map(({ inputs: [window] }) => [...(window ?? [])])).toEqual([
    [1, 2, 3, 4],
    [3, 4, 5, 6],
  ]);
  const short = await open('short', `name: w\n${windows}inputs:\n  - {files: w2.bin, type: float32}\n`);
  expect(() => [
    ...runsOf({ index: 0, continues: false, inputs: [Float32Array.of(1)], label: null, targets: null }, short),
  ]).toThrow(/fewer than a window/);
});

test('a limit takes the same samples every time, and others with another seed', async () => {
  writeFiles(folder, { 'many.bin': floatBytes(Array.from({ length: 100 }, (_, i) => i)) });
  const indices = async (extra: string): Promise<number[]> =>
    (
      await samplesOf(
        await open('limit', `name: l\ntask: none\ninputs:\n  - {files: many.bin, type: float32, shape: [1]}\n${extra}`),
      )
    ).map(({ index }) => index);
  const first = await indices('limit: 10\n');
  expect(first).toHaveLength(10);
  expect(first).toEqual([...first].sort((a, b) => a - b));
  expect(await indices('limit: 10\n')).toEqual(first);
  expect(await indices('limit: 10\nseed: 5\n')).not.toEqual(first);
});

describe('errors of dataset files name the line', () => {
  writeFiles(folder, {
    'ok.bin': floatBytes([1, 2, 3]),
    'two.csv': '1\n2\n',
    'half.npy': npy('<f4', [3], floatBytes([0, 0.5, 1])),
  });
  const input = 'inputs:\n  - {files: ok.bin, type: float32, shape: [1]}\n';
  test.each([
    ['an unknown key', `name: x\ntask: none\nspeed: 3\n${input}`, 'DATASET_INVALID', /line 3.*speed/],
    ['a wrong task', `name: x\ntask: guess\n${input}`, 'DATASET_INVALID', /line 2, task/],
    [
      'a nested fault',
      'name: x\ntask: none\ninputs:\n  - files: ok.bin\n    type: float32\n    shape: [0]\n',
      'DATASET_INVALID',
      /line 6, inputs\[0\].shape\[0\]/,
    ],
    ['no YAML', 'a: [1', 'DATASET_INVALID', /line/],
    [
      'no files',
      'name: x\ntask: none\ninputs:\n  - {files: "gone*.bin", type: float32, shape: [1]}\n',
      'DATASET_NO_FILES',
      /gone\*\.bin/,
    ],
    [
      'a size that does not divide',
      'name: x\ntask: none\ninputs:\n  - {files: ok.bin, type: float32, shape: [2]}\n',
      'DATASET_FILE_SIZE',
      /12 bytes.*needs 8/,
    ],
    [
      'raw files without a type',
      'name: x\ntask: none\ninputs:\n  - {files: ok.bin, shape: [1]}\n',
      'DATASET_INVALID',
      /need a type/,
    ],
    [
      'a float as label',
      `name: x\ntask: classification\n${input}labels: half.npy\n`,
      'DATASET_LABELS',
      /contains 0.5, which is not a class number/,
    ],
    [
      'images without an images key',
      'name: x\ntask: none\ninputs:\n  - {files: "img/**/*.png", type: uint8, shape: [1]}\n',
      'DATASET_INVALID',
      /1.png is an image/,
    ],
    [
      'a missing key',
      'name: x\ninputs: []\n',
      'DATASET_INVALID',
      /task: .*(Invalid option|is missing).*; line 2, inputs: Too small/,
    ],
    [
      'too few labels',
      `name: x\ntask: classification\n${input}labels: {csv: two.csv}\n`,
      'DATASET_LABELS',
      /2 rows in two.csv for 3 samples/,
    ],
    [
      'inputs of different length',
      `name: x\ntask: none\n${input}  - {files: ok.bin, type: int8, shape: [1]}\n`,
      'DATASET_INVALID',
      /12 samples, the first input 3/,
    ],
  ])('%s', async (_, yaml, code, message) => {
    await expect(open('fault', yaml)).rejects.toThrow(
      expect.objectContaining({ code, message: expect.stringMatching(message) }),
    );
  });
});
