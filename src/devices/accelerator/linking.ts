// Writes addresses into instructions, as in libedgetpu's executable_util.cc: 32 bits at any bit offset, least
// significant first. Over USB an address only identifies a transfer, since the host knows their order; each item gets
// its own.

import { elementAt } from '../../base/checked.js';
import type { Executable, Place } from '../../targets/compiled/index.js';

const pageBytes = 4096n;
const firstAddress = 0x1000n;

/** The instructions of an executable as they are sent. */
export function linked(executable: Executable): readonly Uint8Array[] {
  const addresses = addressesOf(executable);
  return executable.instructions.map(({ bytes, fields }) => {
    const out = bytes.slice();
    for (const { place, half, bit } of fields) {
      const address = addresses.get(keyOf(place)) ?? 0n;
      putWord(out, bit, Number((half === 'lower' ? address : address >> 32n) & 0xffffffffn));
    }
    return out;
  });
}

/** Addresses one after another, each on its own page. */
function addressesOf({ inputs, outputs, parameters, scratchBytes }: Executable): ReadonlyMap<string, bigint> {
  const addresses = new Map<string, bigint>();
  let next = firstAddress;
  const place = (key: Place, bytes: number): void => {
    addresses.set(keyOf(key), next);
    next += ((BigInt(bytes) + pageBytes - 1n) / pageBytes + 1n) * pageBytes;
  };
  place({ of: 'parameters' }, parameters.byteLength);
  place({ of: 'scratch' }, scratchBytes);
  for (const [layer, { paddedBytes }] of inputs.entries()) place({ of: 'input', layer }, paddedBytes);
  for (const [layer, { paddedBytes }] of outputs.entries()) place({ of: 'output', layer }, paddedBytes);
  return addresses;
}

function keyOf(place: Place): string {
  return 'layer' in place ? `${place.of} ${place.layer}` : place.of;
}

/** Writes 32 bits at a bit offset. Exported for tests. */
export function putWord(bytes: Uint8Array, bit: number, word: number): void {
  const [at, shift] = [bit >> 3, bit & 7];
  const [value, mask] = [BigInt(word) << BigInt(shift), 0xffffffffn << BigInt(shift)];
  for (let i = 0; i < (shift === 0 ? 4 : 5); i++) {
    const [content, covered] = [Number((value >> BigInt(8 * i)) & 255n), Number((mask >> BigInt(8 * i)) & 255n)];
    bytes[at + i] = (elementAt(bytes, at + i) & ~covered) | content;
  }
}
