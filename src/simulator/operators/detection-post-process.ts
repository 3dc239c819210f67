// TFLite_Detection_PostProcess: decodes an object detector's boxes around their anchors, and keeps the best of
// overlapping ones. Of equal scores the first box wins; unused output entries are 0, whereas TFLite's fast variant
// leaves old data. With several classes per detection released kernels (TFLite 2.21) count each class as a detection
// and write past their outputs; here each box has room for its classes, as documented.

import { FlexMap } from '../../formats/flatbuffer/index.js';
import type { ElementType } from '../../formats/tflite/index.js';
import {
  inputOf,
  invalid,
  type Operand,
  type OperatorContext,
  type OperatorFamily,
  outputOf,
  quantizationOf,
  requireRank,
  requireType,
} from './operator.js';

/** ymin, xmin, ymax, xmax. */
const boxNumbers = 4;
const defaultDetectionsPerClass = 100;
/** Far more than any detector produces. */
const detectionLimit = 1_000_000;
const types: readonly ElementType[] = ['uint8', 'float32'];

interface Options {
  readonly maxDetections: number;
  readonly classesPerDetection: number;
  readonly detectionsPerClass: number;
  readonly regular: boolean;
  readonly scoreThreshold: number;
  readonly overlapThreshold: number;
  readonly classes: number;
  readonly scale: readonly [y: number, x: number, h: number, w: number];
}

interface Detection {
  readonly box: number;
  readonly class: number;
  readonly score: number;
}

export const detectionPostProcess: OperatorFamily = {
  name: 'custom:TFLite_Detection_PostProcess',
  types,
  // Converters omit the shapes of its outputs.
  shapes: (context) => {
    const { maxDetections, classesPerDetection } = optionsIn(context);
    const count = maxDetections * classesPerDetection;
    return [[1, count, boxNumbers], [1, count], [1, count], [1]];
  },
  prepare: (context) => {
    const options = optionsIn(context);
    const [encodings, predictions, anchors] = [inputOf(context, 0), inputOf(context, 1), inputOf(context, 2)];
    requireRank(context, encodings, 3);
    requireRank(context, predictions, 3);
    requireRank(context, anchors, 2);
    const [batch = 0, boxes = 0, coordinates = 0] = encodings.shape;
    const [, scored = 0, columns = 0] = predictions.shape;
    // One column more than the number of classes: the first one is the background.
    const offset = columns - options.classes;
    if (
      batch !== 1 ||
      coordinates < boxNumbers ||
      scored !== boxes ||
      anchors.shape[0] !== boxes ||
      anchors.shape[1] !== boxNumbers
    )
      throw invalid(
        context,
        `boxes [${encodings.shape.join(', ')}], scores [${predictions.shape.join(', ')}] and anchors ` +
          `[${anchors.shape.join(', ')}] do not fit`,
      );
    if (offset !== 0 && offset !== 1) throw invalid(context, `${columns} scores for ${options.classes} classes`);
    const outputs = [0, 1, 2, 3].map((index) => outputOf(context, index));
    for (const output of outputs) requireType(context, output, 'float32');
    const [read, readAnchors, readScores] = [encodings, anchors, predictions].map((operand) =>
      reader(context, operand),
    ) as [Read, Read, Read];
    return () => {
      const decoded = decodedBoxes(boxes, coordinates, read, readAnchors, options.scale);
      if (decoded === null) throw invalid(context, 'a box ends before it begins');
      const scores = Float32Array.from({ length: boxes * columns }, (_, i) => readScores(i));
      const scoreOf = (box: number, one: number): number => scores[box * columns + one + offset] as number;
      const found = options.regular
        ? byClass(boxes, decoded, scoreOf, options)
        : byBox(boxes, decoded, scoreOf, options);
      write(outputs, found, decoded, options);
    };
  },
  work: () => ({ kind: 'elementwise', macs: 0 }),
  memory: (context) => {
    // TFLite's own buffers: decoded boxes, scores, and which boxes are candidates.
    const boxes = context.inputs[0]?.shape[1] ?? 0;
    return { scratch: [4 * boxNumbers * boxes, 4 * boxes * (context.inputs[1]?.shape[2] ?? 0), boxes] };
  },
};

type Read = (element: number) => number;

/** Real values, as float32. */
function reader(context: OperatorContext, operand: Operand): Read {
  if (operand.type === 'float32') return (i) => (operand.data as Float32Array)[i] as number;
  if (operand.type !== 'uint8')
    throw invalid(context, `tensor ${operand.label} is ${operand.type}; the kernel takes ${types.join(', ')}`);
  const { scale, zeroPoint } = quantizationOf(context, operand);
  return (i) => Math.fround(Math.fround(scale) * (((operand.data as Uint8Array)[i] as number) - zeroPoint));
}

/** null if a box has negative extent. */
function decodedBoxes(
  boxes: number,
  coordinates: number,
  read: Read,
  readAnchors: Read,
  [scaleY, scaleX, scaleH, scaleW]: Options['scale'],
): Float32Array | null {
  const out = new Float32Array(boxes * boxNumbers);
  for (let b = 0; b < boxes; b++) {
    const [y, x, h, w] = [0, 1, 2, 3].map((k) => read(b * coordinates + k)) as [number, number, number, number];
    const [anchorY, anchorX, anchorH, anchorW] = [0, 1, 2, 3].map((k) => readAnchors(b * boxNumbers + k)) as [
      number,
      number,
      number,
      number,
    ];
    const [centerY, centerX] = [
      Math.fround((y / scaleY) * anchorH + anchorY),
      Math.fround((x / scaleX) * anchorW + anchorX),
    ];
    const [halfH, halfW] = [
      Math.fround(0.5 * Math.exp(h / scaleH) * anchorH),
      Math.fround(0.5 * Math.exp(w / scaleW) * anchorW),
    ];
    out.set([centerY - halfH, centerX - halfW, centerY + halfH, centerX + halfW], b * boxNumbers);
    if (
      (out[b * boxNumbers] as number) > (out[b * boxNumbers + 2] as number) ||
      (out[b * boxNumbers + 1] as number) > (out[b * boxNumbers + 3] as number)
    )
      return null;
  }
  return out;
}

/** The fast variant: each box represents its best classes. */
function byBox(
  boxes: number,
  decoded: Float32Array,
  scoreOf: (box: number, one: number) => number,
  options: Options,
): Detection[] {
  const perBox = Math.min(options.classesPerDetection, options.classes);
  const ranked = Array.from({ length: boxes }, (_, box) =>
    falling(
      Array.from({ length: options.classes }, (__, one) => one),
      (one) => scoreOf(box, one),
    ).slice(0, perBox),
  );
  const best = ranked.map(([first = 0], box) => scoreOf(box, first));
  const detections: Detection[] = [];
  for (const box of suppressed(best, decoded, options, options.maxDetections)) {
    for (const one of ranked[box] ?? []) detections.push({ box, class: one, score: scoreOf(box, one) });
    // Each box has room for the requested number of classes.
    for (let missing = perBox; missing < options.classesPerDetection; missing++)
      detections.push({ box: -1, class: 0, score: 0 });
  }
  return detections;
}

/** The regular variant: each class separately, then the best of all. */
function byClass(
  boxes: number,
  decoded: Float32Array,
  scoreOf: (box: number, one: number) => number,
  options: Options,
): Detection[] {
  let kept: Detection[] = [];
  for (let one = 0; one < options.classes; one++) {
    const scores = Array.from({ length: boxes }, (_, box) => scoreOf(box, one));
    const added = suppressed(scores, decoded, options, options.detectionsPerClass).map((box) => ({
      box,
      class: one,
      score: scores[box] as number,
    }));
    kept = falling([...kept, ...added], ({ score }) => score).slice(0, options.maxDetections);
  }
  return kept;
}

/** Non-maximum suppression: high-scoring boxes that do not overlap a better one too much. */
function suppressed(
  scores: readonly number[],
  decoded: Float32Array,
  { scoreThreshold, overlapThreshold }: Options,
  most: number,
): number[] {
  const above = scores.flatMap((score, box) => (score >= scoreThreshold ? [box] : []));
  const candidates = falling(above, (box) => scores[box] as number);
  const chosen: number[] = [];
  for (const box of candidates) {
    if (chosen.length >= most) break;
    if (chosen.every((better) => overlap(decoded, better, box) <= overlapThreshold)) chosen.push(box);
  }
  return chosen;
}

/** Intersection over union, in float32 like the kernel. */
function overlap(boxes: Float32Array, a: number, b: number): number {
  const [aTop, aLeft, aBottom, aRight] = boxes.subarray(a * boxNumbers, (a + 1) * boxNumbers) as unknown as [
    number,
    number,
    number,
    number,
  ];
  const [bTop, bLeft, bBottom, bRight] = boxes.subarray(b * boxNumbers, (b + 1) * boxNumbers) as unknown as [
    number,
    number,
    number,
    number,
  ];
  const f = Math.fround;
  const [areaA, areaB] = [f(f(aBottom - aTop) * f(aRight - aLeft)), f(f(bBottom - bTop) * f(bRight - bLeft))];
  if (areaA <= 0 || areaB <= 0) return 0;
  const height = Math.max(f(Math.min(aBottom, bBottom) - Math.max(aTop, bTop)), 0);
  const width = Math.max(f(Math.min(aRight, bRight) - Math.max(aLeft, bLeft)), 0);
  const shared = f(height * width);
  return f(shared / f(f(areaA + areaB) - shared));
}

function write(
  outputs: readonly Operand[],
  found: readonly Detection[],
  decoded: Float32Array,
  options: Options,
): void {
  const [boxes, classes, scores, count] = outputs.map(({ data }) => data as Float32Array) as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  for (const data of [boxes, classes, scores]) data.fill(0);
  for (const [i, { box, class: one, score }] of found.entries()) {
    if (box >= 0) boxes.set(decoded.subarray(box * boxNumbers, (box + 1) * boxNumbers), i * boxNumbers);
    classes[i] = one;
    scores[i] = score;
  }
  count[0] = options.regular ? found.length : found.length / options.classesPerDetection;
}

/** In descending order; equal ones keep their order. */
function falling<Item>(items: readonly Item[], value: (item: Item) => number): Item[] {
  return [...items].sort((a, b) => value(b) - value(a));
}

function optionsIn(context: OperatorContext): Options {
  const map = context.customOptions === null ? null : FlexMap.in(context.customOptions);
  const read = (key: string): number | null => map?.number(key) ?? null;
  const number = (key: string, least: number, most: number): number => {
    const value = read(key);
    if (value === null || !(value >= least && value <= most))
      throw invalid(context, `its options have ${value === null ? 'no' : `${value} as`} ${key}`);
    return value;
  };
  const scale = ['y_scale', 'x_scale', 'h_scale', 'w_scale'].map((key) => Math.fround(number(key, 1e-30, 1e30)));
  const perClass = read('detections_per_class');
  const options: Options = {
    maxDetections: number('max_detections', 0, detectionLimit),
    classesPerDetection: number('max_classes_per_detection', 1, 1000),
    detectionsPerClass:
      perClass === null ? defaultDetectionsPerClass : number('detections_per_class', 1, detectionLimit),
    regular: (read('use_regular_nms') ?? 0) !== 0,
    scoreThreshold: Math.fround(number('nms_score_threshold', -Infinity, Infinity)),
    overlapThreshold: Math.fround(number('nms_iou_threshold', 1e-30, 1)),
    classes: number('num_classes', 1, detectionLimit),
    scale: scale as unknown as Options['scale'],
  };
  if (options.maxDetections * options.classesPerDetection > detectionLimit)
    throw invalid(context, `${options.maxDetections} detections of ${options.classesPerDetection} classes`);
  return options;
}
