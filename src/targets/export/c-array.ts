// A model as a constant array for C or C++ firmware, aligned as TFLM's flatbuffers need it.

export interface CArray {
  readonly source: string;
  readonly header: string;
  /** Of the array in both. */
  readonly symbol: string;
}

const perLine = 16;

/**
 * @param name a C identifier
 * @param headerFile what the source includes
 */
export function cArray(bytes: Uint8Array, name: string, headerFile: string): CArray {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += perLine) {
    lines.push(
      `  ${Array.from(bytes.subarray(at, at + perLine), (byte) => `0x${byte.toString(16).padStart(2, '0')}`).join(', ')},`,
    );
  }
  const symbol = name.endsWith('_model') ? name : `${name}_model`;
  const guard = `${symbol.toUpperCase()}_H_`;
  return {
    symbol,
    header: [
      `#ifndef ${guard}`,
      `#define ${guard}`,
      '',
      `#define ${symbol}_len ${bytes.length}`,
      '',
      '#ifdef __cplusplus',
      'extern "C" {',
      '#endif',
      `extern const unsigned char ${symbol}[${symbol}_len];`,
      '#ifdef __cplusplus',
      '}',
      '#endif',
      '',
      `#endif  // ${guard}`,
      '',
    ].join('\n'),
    // C has the word `alignas` from a header, C++ without.
    source: [
      `#include "${headerFile}"`,
      '',
      '#ifndef __cplusplus',
      '#include <stdalign.h>',
      '#endif',
      '',
      `alignas(16) const unsigned char ${symbol}[${symbol}_len] = {`,
      ...lines,
      '};',
      '',
    ].join('\n'),
  };
}
