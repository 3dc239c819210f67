import { describe, expect, test } from 'vitest';
import { create } from '../../../../src/formats/tflite/index.js';
import { edgeTpuSchema, type Layer, laidOut, tensorFrom } from '../../../../src/targets/compiled/index.js';
import { layerOf } from '../../../../src/targets/compiled/layer.js';
import { Limits } from '../../../../src/targets/compiled/limits.js';

const { LayerTable, OutputLayerTable, OutputLayoutTable, OutputShapeInfoTable, TensorLayoutTable, TensorShapeTable } =
  edgeTpuSchema;
type LayerFields = edgeTpuSchema.LayerFields;

/** The example of executable.fbs: 2 x 2 tiles make an output of 4 x 5 x 32. */
const tiled = create(OutputLayoutTable, {
  yToTile: Int32Array.of(0, 0, 2, 2),
  xToTile: Int32Array.of(0, 0, 0, 1, 1),
  tileOffsets: Int32Array.of(0, 192, 320, 512),
  xToLocalOffset: Int32Array.of(0, 32, 64, 0, 32),
  yToLocalRow: Int32Array.of(0, 1, 0, 1),
  xToRowBytes: Int32Array.of(96, 96, 96, 64, 64),
});

function output(fields: Partial<LayerFields>, layout = tiled): Layer {
  const details = { kind: 'OutputLayer' as const, ...create(OutputLayerTable, { layout }) };
  return layerOf(
    create(LayerTable, { name: 'o', bytes: 640, y: 4, x: 5, z: 32, details, ...fields }),
    'output',
    'here',
    new Limits(),
  );
}

function numbered(length: number): Uint8Array {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + (i >> 8)) & 255);
}

describe('a layer', () => {
  test('of tiles: every element from where its tile has it', () => {
    const layer = output({});
    const received = numbered(640);
    const tensor = tensorFrom(layer, received);
    // By the words of the schema: tile, row in it, column in it.
    const tileWidth = [3, 2];
    for (let y = 0; y < 4; y++) {
      for (let x = 0; x < 5; x++) {
        const [column, row] = [x < 3 ? 0 : 1, y < 2 ? 0 : 1];
        const start =
          ([0, 192, 320, 512][2 * row + column] as number) +
          ((y % 2) * (tileWidth[column] as number) + (x < 3 ? x : x - 3)) * 32;
        expect(tensor.subarray((y * 5 + x) * 32, (y * 5 + x + 1) * 32)).toEqual(received.subarray(start, start + 32));
      }
    }
    expect(layer.tiles).toEqual([2, 2]);
    expect(laidOut(layer, tensor)).toEqual(received);
  });

  test('of signed elements: their highest bits travel flipped', () => {
    const layer = output({ y: 1, x: 1, z: 5, bytes: 8, dataType: 8 });
    expect([...tensorFrom(layer, Uint8Array.of(0, 127, 128, 255, 1, 9, 9, 9))]).toEqual([128, 255, 0, 127, 129]);
    expect([...laidOut(layer, Uint8Array.of(128, 255, 0, 127, 129))]).toEqual([0, 127, 128, 255, 1, 0, 0, 0]);
    const wide = output({ y: 1, x: 1, z: 2, bytes: 8, dataType: 9 });
    expect([...tensorFrom(wide, Uint8Array.of(1, 2, 3, 0x84, 0, 0, 0, 0))]).toEqual([1, 0x82, 3, 4]);
  });

  test('read several times in one inference: the padding of each is removed', () => {
    const layer = output({ y: 1, x: 1, z: 3, bytes: 4, executions: 2 });
    expect(layer).toMatchObject({ bytes: 6, paddedBytes: 8 });
    expect([...tensorFrom(layer, Uint8Array.of(1, 2, 3, 0, 4, 5, 6, 0))]).toEqual([1, 2, 3, 4, 5, 6]);
  });

  test('in slices: each part of the tensor, with padded channels', () => {
    const shape = create(TensorShapeTable, { ranges: Int32Array.of(0, 1, 0, 2) });
    const slice = (ranges: number[], strides: number[]) =>
      create(TensorLayoutTable, {
        shape: create(TensorShapeTable, { ranges: Int32Array.from(ranges) }),
        strides: Int32Array.from(strides),
      });
    const shapeInfo = create(OutputShapeInfoTable, {
      slices: [slice([0, 0, 0, 2], [4, 1]), slice([1, 1, 0, 2], [4, 1])],
      sliceOffsets: Int32Array.of(8, 0),
    });
    const details = { kind: 'OutputLayer' as const, ...create(OutputLayerTable, { shapeInfo }) };
    const layer = layerOf(
      create(LayerTable, { bytes: 16, y: 1, x: 2, z: 3, details, shape }),
      'output',
      'here',
      new Limits(),
    );
    expect([...tensorFrom(layer, numbered(16))]).toEqual([56, 63, 70, 0, 7, 14]);
  });

  test.each([
    ['elements of unknown type', { dataType: 7 }],
    ['bytes for 640 of elements', { bytes: 600 }],
    ['a shape of', { y: 0 }],
    ['executions', { executions: 0 }],
    ['without the tile of row 4', { y: 5, bytes: 800 }],
    ['that leaves 640 bytes', {}],
    ['bytes of instructions, inputs and outputs', { y: 1, x: 1, z: 640, executions: 1001, bytes: 2 ** 28 }],
    ['dimensions', { y: 1, x: 1, z: 1, shape: create(TensorShapeTable, { ranges: new Int32Array(40_000) }) }],
    ['bytes for 1280 of elements', { dataType: 1 }],
    ['pieces', { executions: 200_000 }],
  ])('that contradicts itself is refused: %s', (reason, fields: Partial<LayerFields>) => {
    const layout =
      Object.keys(fields).length === 0
        ? create(OutputLayoutTable, { ...tiled, tileOffsets: Int32Array.of(0, 192, 320, 540) })
        : tiled;
    expect(() => output(fields, layout)).toThrow(
      expect.objectContaining({ code: 'EDGETPU_PACKAGE_INVALID', message: expect.stringContaining(reason) }),
    );
  });
});
