// The document that every verb prints instead of its own if it fails.

import type { ErrorCode } from '../../base/errors.js';

export interface ErrorDocument {
  readonly error: {
    readonly code: ErrorCode;
    readonly message: string;
    /** A file, device, tensor or other place; null if the message names it. */
    readonly where: string | null;
    /** What to do about it. */
    readonly hint: string;
    /** The values that the message was made of, by name. */
    readonly values: Readonly<Record<string, string | number>>;
  };
}
