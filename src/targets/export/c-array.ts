// A model as a constant array for C or C++ firmware, with the alignment that TFLM's flatbuffers need.

/** A C array with its header. */
export interface CArray {
  /** Content of the source file. */
  readonly source: string;
  /** Content of the header. */
  readonly header: string;
  /** Name of the array in both files. */
  readonly symbol: string;
}

const perLine = 16;

/**
 * Writes bytes as a C array, aligned to 16 bytes, with a header that declares it.
 * @param name a C identifier
 * @param headerFile what the source includes
 */
export function cArray(bytes: Uint8Array, name: string, headerFile: string): CArray {
  const lines: string[] = [];
  for (let at = 0; at < bytes.length; at += perLine) {
    lines.push(`  ${Array.from(bytes.subarray(at, at + perLine), hexByte).join(', ')},`);
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
    // `alignas` is a keyword in C++; in C it needs a header.
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

const hexByte = (byte: number): string => `0x${byte.toString(16).padStart(2, '0')}`;
