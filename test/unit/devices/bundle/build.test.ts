import { describe, expect, test } from 'vitest';
import { sha256, sha256Hex } from '../../../../src/base/hashes.js';
import { compressedBlocks } from '../../../../src/devices/bundle/blocks.js';
import { slotImageBytes } from '../../../../src/devices/bundle/build.js';
import {
  buildFittingImage,
  buildImageFor,
  buildSlotImage,
  checkFile,
  createKeys,
  decodeSlotImage,
  inflatedBlock,
  manifestView,
  readPrivateKey,
  requireSameEdges,
} from '../../../../src/devices/bundle/index.js';
import { blockBytes } from '../../../../src/devices/bundle/slot-image.js';
import {
  create,
  type Model,
  mainSubgraph,
  schema,
  TensorType,
  writeModel,
} from '../../../../src/formats/tflite/index.js';
import { loadTarget, type Target } from '../../../../src/targets/index.js';
import { compiledLike } from '../../../support/edgetpu-package.js';
import { int8Dense, wideModel } from '../../../support/models.js';

const pico = await loadTarget('pico');
const coral = await loadTarget('coral-usb');
const model = int8Dense(3000, 1);
const bytes = writeModel(model);

const trailerOf = (image: Uint8Array) => {
  const { trailer } = decodeSlotImage(image);
  if (trailer === null) throw new Error('no trailer');
  return trailer;
};

describe('a slot image', () => {
  test('has the length that was predicted, and hashes of every block of the model', () => {
    const image = buildSlotImage(bytes, model, pico);
    expect(slotImageBytes(bytes, model, pico)).toBe(image.byteLength);
    const { manifest } = trailerOf(image);
    const blocks = Array.from({ length: Math.ceil(bytes.byteLength / blockBytes) }, (_, i) =>
      sha256(bytes.subarray(i * blockBytes, (i + 1) * blockBytes)),
    );
    expect(blocks.length).toBeGreaterThan(1);
    expect(manifest.blocks).toEqual(blocks);
    expect(manifest).not.toHaveProperty('counter');
  });

  test('states counter, agreement and operators as given', () => {
    const target = { ...pico, agreement: { maxLsb: 2, minShare: 0.95 } } as Target;
    const { manifest } = trailerOf(buildSlotImage(bytes, model, target, { counter: 7, version: 'v', seed: 5 }));
    expect(manifest).toMatchObject({ counter: 7, version: 'v', agreement: { max_lsb: 2, min_share_ppm: 950_000 } });
    const { vectors } = trailerOf(buildSlotImage(bytes, model, pico, { seed: 5 }));
    expect(vectors.map(({ seed }) => seed)).toEqual([5, 6, 7, 8]);
  });

  test('has fewer vectors where the outputs are large, and at least one', () => {
    const outputsOf = (length: number): number => {
      const large = int8Dense(4, 1);
      const graph = mainSubgraph(large);
      const [weights, output] = [graph.tensors[1], graph.tensors[2]];
      if (weights === undefined || output === undefined) throw new Error('no tensors');
      weights.shape = Int32Array.of(length, 4);
      const buffer = large.buffers[weights.buffer];
      if (buffer !== undefined) buffer.data = new Uint8Array(4 * length).fill(1);
      output.shape = Int32Array.of(1, length);
      for (const operator of graph.operators) operator.inputs = Int32Array.of(0, 1, -1);
      return trailerOf(buildSlotImage(writeModel(large), large, pico)).vectors.length;
    };
    expect([4096, 4097, 8192, 8193, 20_000].map(outputsOf)).toEqual([4, 3, 2, 1, 1]);
  });

  test('has none for inputs that cannot be drawn', () => {
    const indexed = int8Dense(4, 1);
    const graph = mainSubgraph(indexed);
    graph.tensors.push(create(schema.Tensor, { name: 'index', shape: Int32Array.of(1), type: TensorType.INT32 }));
    graph.inputs = Int32Array.of(0, graph.tensors.length - 1);
    expect(trailerOf(buildSlotImage(writeModel(indexed), indexed, pico)).vectors).toEqual([]);
    expect(slotImageBytes(writeModel(indexed), indexed, pico)).toBe(
      buildSlotImage(writeModel(indexed), indexed, pico).byteLength,
    );
  });

  test('is refused where it does not fit', () => {
    const wide = wideModel();
    expect(() => buildFittingImage(writeModel(wide), wide, pico)).toThrow(
      expect.objectContaining({ code: 'MODEL_DOES_NOT_FIT' }),
    );
    expect(buildFittingImage(bytes, model, pico).check.fits).toBe(true);
    expect(buildImageFor(bytes, model, pico)).toEqual(buildSlotImage(bytes, model, pico));
  });

  test('is what a check counts', () => {
    expect(checkFile(bytes, model, pico).memory.flashBytes).toBe(buildSlotImage(bytes, model, pico).byteLength);
  });
});

describe('a compiled model', () => {
  const uncompiled = int8Dense(8, 1);
  const compiled = compiledLike(uncompiled, [{ type: 0, parameterBytes: 64 }], 14);
  const compiledBytes = writeModel(compiled);

  test('has vectors of the uncompiled one, or none without it', () => {
    const alone = trailerOf(buildImageFor(compiledBytes, compiled, coral));
    expect(alone.vectors).toEqual([]);
    expect(alone.manifest).toMatchObject({ operators: ['edgetpu-custom-op'], arena: 0 });
    const together = trailerOf(buildImageFor(compiledBytes, compiled, coral, { uncompiled }));
    expect(together.vectors).toHaveLength(4);
    expect(together.vectors).toEqual(trailerOf(buildSlotImage(writeModel(uncompiled), uncompiled, coral)).vectors);
  });

  test('needs a runtime that is new enough', () => {
    const old = { ...coral, runtime: { ...coral.runtime, version: 13 } } as Target;
    expect(() => buildImageFor(compiledBytes, compiled, old)).toThrow(
      expect.objectContaining({ code: 'EDGETPU_RUNTIME' }),
    );
    expect(() => buildImageFor(compiledBytes, compiled, pico)).toThrow(
      expect.objectContaining({ code: expect.any(String) }),
    );
  });

  test('must have the inputs and outputs of the uncompiled one', () => {
    expect(() => requireSameEdges(compiled, uncompiled)).not.toThrow();
    const change = (edit: (model: Model) => void): Model => {
      const other = int8Dense(8, 1);
      edit(other);
      return other;
    };
    const outputs = change((other) => {
      const tensor = mainSubgraph(other).tensors[mainSubgraph(other).outputs?.[0] ?? -1];
      if (tensor !== undefined) tensor.type = TensorType.INT16;
    });
    expect(() => requireSameEdges(compiled, outputs)).toThrow(/outputs int8\[.*of the compiled model, int16\[/);
    expect(() => requireSameEdges(compiled, int8Dense(9, 1))).toThrow(/inputs int8\[.*\] of the compiled model/);
  });
});

describe('a manifest as JSON', () => {
  test('has hashes in hexadecimal and operators by name', () => {
    const view = manifestView(trailerOf(buildSlotImage(bytes, model, pico)));
    expect(view).toMatchObject({
      version: '0',
      counter: 0,
      target: 'pico',
      agreement: 'exact',
      operators: ['FULLY_CONNECTED'],
      signedBy: null,
      model: { sha256: sha256Hex(bytes), bytes: bytes.byteLength, blockBytes },
      vectors: { seeds: [1, 2, 3, 4] },
    });
    expect(view.model.blocks[0]).toBe(sha256Hex(bytes.subarray(0, blockBytes)));
  });

  test('names the key of the signature, and custom operators as they are', () => {
    const key = readPrivateKey(createKeys('ed25519').privateKey, 'k.pem');
    const custom = compiledLike(int8Dense(8, 1), [{ type: 0, parameterBytes: 64 }], 14);
    const view = manifestView(trailerOf(buildImageFor(writeModel(custom), custom, coral, { key, counter: 3 })));
    expect(view).toMatchObject({
      signedBy: Buffer.from(key.id).toString('hex'),
      operators: ['edgetpu-custom-op'],
      counter: 3,
    });
  });
});

test('a block inflates to its length, and to no other', () => {
  const data = Uint8Array.from({ length: 1500 }, (_, i) => i % 7);
  const blocks = compressedBlocks(data, 1024);
  expect(blocks.map((block, n) => inflatedBlock(block, n === 0 ? 1024 : 476))).toEqual([
    data.subarray(0, 1024),
    data.subarray(1024),
  ]);
  const [first = new Uint8Array(0)] = blocks;
  expect([1023, 1025].map((length) => inflatedBlock(first, length))).toEqual([null, null]);
  expect(inflatedBlock(Uint8Array.of(255, 255), 4)).toBeNull();
});
