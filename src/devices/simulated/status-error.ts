import { AtollError, reasonOf } from '../../base/errors.js';
import { AtollStatus, FileStatus, Group, statusName } from '../protocol/index.js';

/** A request that the device refuses: a status code, and further keys of the response. */
export class StatusError extends Error {
  override readonly name = 'StatusError';

  /** @param group null for protocol errors */
  constructor(
    readonly group: number | null,
    readonly rc: number,
    /** Further keys of the response: `len` of the file group, `detail` of Atoll's group. */
    readonly extra: Readonly<Record<string, number | string>> = {},
  ) {
    super(`group ${group ?? '-'} rc ${rc}`);
  }
}

export function fileError(
  name: keyof typeof FileStatus,
  extra: Readonly<Record<string, number | string>> = {},
): StatusError {
  return new StatusError(Group.file, FileStatus[name], extra);
}

export function atollStatusError(name: keyof typeof AtollStatus, detail: string): StatusError {
  return new StatusError(Group.atoll, AtollStatus[name], { detail });
}

/** The name of a refusal, or the code of another error, for a report. */
export function codeOf(error: unknown): string {
  if (error instanceof StatusError) return statusName(error.group, error.rc);
  return error instanceof AtollError ? error.code : 'INTERNAL';
}

/** The same in words. */
export function detailOf(error: unknown): string {
  return error instanceof StatusError ? String(error.extra.detail ?? '') : reasonOf(error);
}
