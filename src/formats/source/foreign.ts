// Formats of trained models that are recognized but not read: they hold code, or a structure that only their own tool
// knows. The advice for each says how to export a format that is read.

import { fail } from '../../base/errors.js';

/** Bytes of the central directory of a zip file that are searched for names. */
const directoryBytes = 1 << 20;

/** By format: what a file is, for messages. */
const foreignFormats = {
  pytorch: 'a PyTorch file: weights and Python code',
  'pytorch-exported': 'a program exported by PyTorch (.pt2)',
  pickle: 'a Python pickle, which is code',
  safetensors: 'a safetensors file: weights without the structure of the model',
  'keras-weights': 'a file of Keras weights without the structure of the model',
  'keras-subclassed': 'a Keras model of a class of its own, whose structure is Python code',
  coreml: 'a Core ML model',
  'tfjs-graph': 'a graph model of TensorFlow.js',
  json: 'a JSON file that is not a model of TensorFlow.js',
  gguf: 'a GGUF file: a language model for llama.cpp',
} as const;

/** A format that is recognized but not read. */
export type ForeignKind = keyof typeof foreignFormats;

/** The error for a format that is recognized but not read. */
export function refuseForeign(path: string, kind: ForeignKind): Error {
  return fail('SOURCE_UNSUPPORTED', { path, kind, what: foreignFormats[kind] });
}

export function isZip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x50 && bytes[1] === 0x4b && (bytes[2] === 3 || bytes[2] === 5);
}

/** @returns null if the bytes are of none of these formats */
export function foreignKind(bytes: Uint8Array): ForeignKind | null {
  if (isZip(bytes)) return zipKind(bytes);
  // Pickle protocols 2 to 5 start with PROTO and the version.
  if (bytes[0] === 0x80 && (bytes[1] ?? 0) >= 2 && (bytes[1] ?? 0) <= 5) return 'pickle';
  if (startsWith(bytes, 'GGUF')) return 'gguf';
  // An 8-byte length, then a JSON object.
  if (bytes.byteLength > 10 && bytes[8] === 0x7b && bytes[9] === 0x22 && bytes[6] === 0 && bytes[7] === 0)
    return 'safetensors';
  return null;
}

function zipKind(bytes: Uint8Array): ForeignKind | null {
  const names = new TextDecoder('latin1').decode(bytes.subarray(Math.max(0, bytes.byteLength - directoryBytes)));
  if (/archive_format|models\/model\.json/.test(names)) return 'pytorch-exported';
  if (names.includes('data.pkl')) return 'pytorch';
  if (names.includes('coremldata.bin') || names.includes('com.apple.CoreML')) return 'coreml';
  return null;
}

function startsWith(bytes: Uint8Array, text: string): boolean {
  return Array.from(text).every((character, i) => bytes[i] === character.charCodeAt(0));
}
