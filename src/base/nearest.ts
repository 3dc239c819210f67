// Names that the user may have meant.

import { distance } from 'fastest-levenshtein';

/** `; did you mean a or b?` for the known names nearest to a wanted one; empty if none is near. */
export function nearestText(wanted: string, known: readonly string[]): string {
  if (wanted === '') return '';
  const near = known
    .map((id) => ({ id, edits: distance(wanted, id) }))
    .filter(({ id, edits }) => edits <= Math.max(2, id.length / 3) || id.includes(wanted) || wanted.includes(id))
    .sort((a, b) => a.edits - b.edits)
    .slice(0, 3)
    .map(({ id }) => id);
  return near.length === 0 ? '' : `; did you mean ${near.join(' or ')}?`;
}
