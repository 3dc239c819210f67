// Words suggestions for a model that does not fit a target.

import { assertNever } from '../../base/checked.js';
import type { Change, Suggestion } from '../../optimize/suggestions.js';

/** What a suggestion would change, as a noun phrase. */
export function suggestionText(suggestion: Suggestion): string {
  switch (suggestion.kind) {
    case 'together':
      return suggestion.changes.map(changeText).join(', and ');
    case 'other-target':
      return `${suggestion.target} (${suggestion.name})`;
    default:
      return changeText(suggestion);
  }
}

function changeText(change: Change): string {
  switch (change.kind) {
    case 'memory-plan':
      return 'a memory plan in the file (`atoll optimize MODEL --plan-memory -o OUT`)';
    case 'int8':
      return 'int8 instead of int16 (`atoll quantize` with --scheme int8)';
    case 'smaller-input':
      return (
        `an input of ${change.to.join(' x ')} instead of ${change.from.join(' x ')} (the model must be trained ` +
        'for it)'
      );
    default:
      return assertNever(change);
  }
}
