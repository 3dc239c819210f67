// Signatures: names for a subgraph, its inputs and its outputs.

import { elementAt } from '../base/checked.js';
import { fail } from '../base/errors.js';
import { type Model, tensorName } from '../formats/tflite/index.js';

/**
 * The subgraph to run: that of a signature, or the main one.
 * @throws SIGNATURE_UNKNOWN
 */
export function subgraphOfSignature(model: Model, key: string | undefined): number {
  return key === undefined ? 0 : signatureOf(model, key).subgraphIndex;
}

/** The names of the inputs in the subgraph's order: those of the signature, or of the tensors. */
export function inputNames(model: Model, key: string | undefined): string[] {
  return names(model, key, 'inputs');
}

export function outputNames(model: Model, key: string | undefined): string[] {
  return names(model, key, 'outputs');
}

/** Names of the main subgraph's inputs or outputs in its signature; null if there is no signature or no name. */
export function signatureNames(model: Model, side: 'inputs' | 'outputs'): (string | null)[] {
  const signature = model.signatureDefs.find(({ subgraphIndex }) => subgraphIndex === 0);
  const indices = elementAt(model.subgraphs, 0)[side];
  return Array.from(
    indices ?? [],
    (index) => signature?.[side].find(({ tensorIndex }) => tensorIndex === index)?.name ?? null,
  );
}

function names(model: Model, key: string | undefined, side: 'inputs' | 'outputs'): string[] {
  const subgraph = elementAt(model.subgraphs, subgraphOfSignature(model, key));
  const named = key === undefined ? [] : signatureOf(model, key)[side];
  return Array.from(
    subgraph[side] ?? [],
    (index) => named.find(({ tensorIndex }) => tensorIndex === index)?.name ?? tensorName(subgraph, index),
  );
}

function signatureOf(model: Model, key: string): Model['signatureDefs'][number] {
  const found = model.signatureDefs.find(({ signatureKey }) => signatureKey === key);
  if (found === undefined) {
    throw fail('SIGNATURE_UNKNOWN', {
      signature: key,
      known: model.signatureDefs.map(({ signatureKey }) => signatureKey).join(', ') || 'none',
    });
  }
  return found;
}
