// The content of a custom operator, ready to be sent: the executable that runs, and the one that caches its parameters.

import { elementAt } from '../../base/checked.js';
import { fail } from '../../base/errors.js';
import { type CompiledPart, type Executable, type Layer, laidOut, tensorFrom } from '../../targets/compiled/index.js';
import { linked } from './linking.js';

export interface LoadedExecutable {
  readonly executable: Executable;
  /** Instructions with addresses. */
  readonly instructions: readonly Uint8Array[];
}

export interface AcceleratorProgram {
  readonly main: LoadedExecutable;
  /** null if nothing is cached. */
  readonly caching: LoadedExecutable | null;
}

const chip = 'beagle';

/** @param where name of the file, for messages. @throws EDGETPU_EXECUTABLE */
export function programOf({ executables }: CompiledPart, where: string): AcceleratorProgram {
  const of = (...kinds: Executable['kind'][]): Executable[] => executables.filter(({ kind }) => kinds.includes(kind));
  const [main, ...others] = of('stand-alone', 'execution-only');
  const [caching = null, ...more] = of('parameter-caching');
  const unfit = (reason: string): Error => fail('EDGETPU_EXECUTABLE', { where, reason });
  if (main === undefined || others.length > 0 || more.length > 0)
    throw unfit(`it has ${executables.length} executables: ${executables.map(({ kind }) => kind).join(', ')}`);
  if ((main.kind === 'execution-only') !== (caching !== null))
    throw unfit(`its executable is ${main.kind}${caching === null ? ', and nothing caches its parameters' : ''}`);
  if (caching !== null && caching.inputs.length + caching.outputs.length > 0)
    throw unfit('the executable that caches its parameters has inputs or outputs');
  if (caching !== null && caching.parameterCachingToken === 0n) throw unfit('its cached parameters have no token');
  for (const { chip: wanted, batchSize, deterministic, transfers } of caching === null ? [main] : [caching, main]) {
    if (wanted !== '' && wanted !== chip) throw unfit(`it is for the chip ${wanted}, not ${chip}`);
    if (batchSize !== 1) throw unfit(`it runs batches of ${batchSize}`);
    // Otherwise the device would have to request transfers, which it does over USB only if configured to.
    if (!deterministic || transfers.length === 0) throw unfit('its transfers are not known in advance');
    if (transfers.at(-1)?.what !== 'interrupt') throw unfit('its transfers do not end with an interrupt');
  }
  return { main: loaded(main), caching: caching === null ? null : loaded(caching) };
}

function loaded(executable: Executable): LoadedExecutable {
  return { executable, instructions: linked(executable) };
}

/** Input tensors in transfer layout, extended by the bytes that may be read beyond their ends. */
export function inputsAsSent(executable: Executable, tensors: readonly Uint8Array[]): readonly Uint8Array[] {
  return executable.inputs.map((layer, i) => {
    const sent = laidOut(layer, elementAt(tensors, i));
    const wanted = reachOf(executable, i);
    if (wanted <= sent.byteLength) return sent;
    const padded = new Uint8Array(wanted);
    padded.set(sent);
    return padded;
  });
}

export function outputsFrom({ outputs }: Executable, received: readonly Uint8Array[]): readonly Uint8Array[] {
  return outputs.map((layer: Layer, i) => tensorFrom(layer, elementAt(received, i)));
}

/** End of the transfers of an input. */
function reachOf({ transfers }: Executable, layer: number): number {
  return transfers.reduce(
    (most, transfer) =>
      transfer.what === 'data' && transfer.place.of === 'input' && transfer.place.layer === layer
        ? Math.max(most, transfer.offset + transfer.bytes)
        : most,
    0,
  );
}
