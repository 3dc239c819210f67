import type { ConvertDocument } from '../documents/index.js';
import { bytesText, countText, shapeText, table } from './text.js';

/** What a conversion has made. */
export function convertReport(document: ConvertDocument): string {
  const { file, output, producer, format, layers, checked, outputBytes, macs, inputs, outputs, operators } = document;
  const row = (kind: string) => (tensor: (typeof inputs)[number]) => [
    kind,
    tensor.name,
    tensor.type,
    shapeText(tensor.shape),
  ];
  const counts = Object.entries(operators).sort(([, a], [, b]) => b - a);
  const total = counts.reduce((sum, [, count]) => sum + count, 0);
  return [
    `${file} -> ${output}`,
    `${producer ?? format}: ${layers} layer(s) became ${total} operator(s), ${bytesText(outputBytes)}, ` +
      `${countText(macs)} MACs`,
    '',
    table([...inputs.map(row('input')), ...outputs.map(row('output'))]),
    '',
    table(
      counts.map(([name, count]) => [name, String(count)]),
      ['operator', 'count'],
    ),
    '',
    `checked: ${checked.tensors} tensors compared with the source model on drawn inputs, ` +
      `largest difference ${checked.maxError.toExponential(1)} of the largest value`,
  ].join('\n');
}
