import type { SourceInspection } from '../inspect-source.js';
import { countText, table } from './text.js';

/** The layers of a source model. */
export function sourceReport(file: string, source: SourceInspection): string {
  const { format, producer, name, inputs, outputs, layers } = source;
  const parameters = layers.reduce((sum, layer) => sum + layer.parameters, 0);
  const missing = layers.filter(({ convertible }) => !convertible);
  const shape = (sizes: SourceInspection['inputs'][number]['shape']): string =>
    sizes === null ? 'any shape' : `[${sizes.map((size) => size ?? '?').join(', ')}]`;
  return [
    `${file}: ${producer ?? format} model ${name}, ${layers.length} layers, ${countText(parameters)} parameters`,
    '',
    table([
      ...inputs.map((input) => ['input', input.name, input.type, shape(input.shape)]),
      ...outputs.map((output) => ['output', output, '', '']),
    ]),
    '',
    table(
      layers.map(({ path, operator, parameters: own, convertible }) => [
        path,
        operator,
        own === 0 ? '' : countText(own),
        convertible ? '' : 'cannot be converted',
      ]),
      ['layer', 'class', 'parameters', ''],
    ),
    '',
    missing.length === 0
      ? 'every layer has a class that is converted'
      : `${missing.length} layer(s) cannot be converted`,
  ].join('\n');
}
