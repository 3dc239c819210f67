// Report of `inspect` for a model compiled for the Edge TPU.

import type {
  CompiledDescription,
  ExecutableDescription,
  LayerDescription,
  TransferDescription,
} from '../../targets/compiled/index.js';
import { bytesText, countText, shapeText, table } from './text.js';

export function compiledReport({
  parts,
  minRuntimeVersion,
  cachedParameterBytes,
  streamedParameterBytes,
}: CompiledDescription): string {
  const executables = parts.flatMap(({ operator, executables: list }) =>
    list.map((executable) => ({ operator, executable })),
  );
  const compiler = parts.map(({ compilerVersion }) => compilerVersion).find((version) => version !== '');
  const layers = executables.flatMap(({ operator, executable: { inputs, outputs } }) => [
    ...inputs.map((layer) => layerRow(operator, 'input', layer)),
    ...outputs.map((layer) => layerRow(operator, 'output', layer)),
  ]);
  return [
    `compiled for the Edge TPU${compiler === undefined ? '' : ` by ${compiler}`}; needs libedgetpu ` +
      `${minRuntimeVersion} or newer`,
    `parameters: ${bytesText(cachedParameterBytes)} cached, ${bytesText(streamedParameterBytes)} sent at every ` +
      'inference',
    table(
      executables.map(({ operator, executable }) => executableRow(operator, executable)),
      [
        'operator',
        'executable',
        'bytes',
        'parameters',
        'instructions',
        'addresses',
        'scratch',
        'per tile',
        'cycles',
        'chip',
      ],
    ),
    '',
    table(layers, ['operator', 'layer', '', 'type', 'shape', 'quantization', 'sent as']),
    '',
    ...executables.map(
      ({ operator, executable: { kind, transfers, deterministic } }) =>
        `operator ${operator}, ${kind}: ` +
        `${transfers.map(transferText).join(', ')}${deterministic ? '' : ', and what the device asks for'}`,
    ),
  ].join('\n');
}

function executableRow(operator: number, one: ExecutableDescription): string[] {
  const {
    kind,
    fileBytes,
    parameterBytes,
    instructionBytes,
    instructions,
    scratchBytes,
    narrowMemoryBytesPerTile,
    estimatedCycles,
    chip,
  } = one;
  const chunks = instructions.length === 1 ? '' : ` in ${instructions.length} chunks`;
  const addresses = instructions.reduce((sum, { addresses: list }) => sum + list.length, 0);
  return [
    String(operator),
    kind,
    bytesText(fileBytes),
    bytesText(parameterBytes),
    `${bytesText(instructionBytes)}${chunks}`,
    String(addresses),
    bytesText(scratchBytes),
    bytesText(narrowMemoryBytesPerTile),
    estimatedCycles === 0 ? '?' : countText(estimatedCycles),
    chip || '-',
  ];
}

function layerRow(operator: number, role: string, layer: LayerDescription): string[] {
  const { name, type, shape, quantization, bytes, paddedBytes, tiles, executions, flipped } = layer;
  const travels = [
    `${bytesText(paddedBytes)}${paddedBytes === bytes ? '' : ` for ${bytesText(bytes)}`}`,
    ...(tiles === null ? [] : [`${tiles[0]}x${tiles[1]} tiles`]),
    ...(flipped ? ['highest bits flipped'] : []),
    ...(executions === 1 ? [] : [`${executions} times`]),
  ];
  const short = name.length > 48 ? `${name.slice(0, 47)}…` : name;
  const numbers = quantization === null ? '' : `scale ${quantization.scale}, zero point ${quantization.zeroPoint}`;
  return [String(operator), role, short, type, shapeText(shape), numbers, travels.join(', ')];
}

function transferText({ what, to, index, offset, bytes }: TransferDescription): string {
  if (what === 'fence') return 'fence';
  if (what === 'interrupt') return `interrupt ${index}`;
  const which = what === 'instructions' || index === undefined ? what : `${what} ${index}`;
  return (
    `${which} ${to === 'device' ? 'out' : 'in'} ` +
    `${bytesText(bytes ?? 0)}${offset === undefined || offset === 0 ? '' : ` from ${countText(offset)} on`}`
  );
}
