// What is in a model that was compiled for the Edge TPU, for people.

import type { CompiledModel, Executable } from '../edgetpu/index.js';
import { bytesText, countText, table } from './text.js';

export function compiledReport({ parts, minRuntimeVersion, cachedParameterBytes, streamedParameterBytes }: CompiledModel): string {
  const rows = parts.flatMap(({ operator, executables }) => executables.map((executable) => executableRow(operator, executable)));
  const compiler = parts.map(({ compilerVersion }) => compilerVersion).find((version) => version !== '');
  return [
    `compiled for the Edge TPU${compiler === undefined ? '' : ` by ${compiler}`}; needs libedgetpu ${minRuntimeVersion} or newer`,
    `parameters: ${bytesText(cachedParameterBytes)} cached, ${bytesText(streamedParameterBytes)} sent at every inference`,
    table(rows, ['operator', 'executable', 'bytes', 'parameters', 'instructions', 'scratch', 'cycles', 'chip', 'inputs', 'outputs']),
  ].join('\n');
}

function executableRow(operator: number, one: Executable): string[] {
  const layers = (list: Executable['inputs']): string => list.map(({ bytes }) => bytesText(bytes)).join(', ') || '-';
  const { kind, bytes, parameterBytes, instructionBytes, scratchBytes, estimatedCycles, chip, inputs, outputs } = one;
  const sizes = [bytes, parameterBytes, instructionBytes, scratchBytes].map(bytesText);
  return [String(operator), kind, ...sizes, estimatedCycles === 0 ? '?' : countText(estimatedCycles), chip || '-', layers(inputs), layers(outputs)];
}
