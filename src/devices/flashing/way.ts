// What every way to a board's flash has in common; one file each beside this one.

import type { Progress } from '../../base/progress.js';
import type { Flashing, Target } from '../../targets/index.js';
import type { FlashPlace } from './place.js';

export interface FlashJob {
  readonly target: Target;
  readonly image: Uint8Array;
  readonly place: FlashPlace;
  readonly choice: FlashChoice;
}

/** What tells one board from another, where several are attached. */
export interface FlashChoice {
  readonly method?: Flashing['method'] | undefined;
  /** Folder where the bootloader's drive is mounted. */
  readonly drive?: string | undefined;
  /** Serial port, for the programs that use one. */
  readonly port?: string | undefined;
  readonly baud?: number | undefined;
  /** USB serial number. */
  readonly serial?: string | undefined;
}

export interface FlashRun {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: (step: 'erase' | 'write' | 'verify', progress: Progress) => void;
}

/** A way that was found open: nothing has been written yet. */
export interface FlashWay {
  readonly method: Flashing['method'];
  /** The drive, device, port or program. */
  readonly through: string;
  /** Of a program of others: the command lines, one after another. */
  readonly commands: readonly (readonly string[])[];
  readonly write: (run: FlashRun) => Promise<FlashResult>;
}

export interface FlashResult {
  /** Who has seen that the flash holds the image: we, reading it; the bootloader; a program; nobody. */
  readonly verifiedBy: 'read-back' | 'bootloader' | 'program' | null;
}

/** @throws a coded error that says why this way is not open */
export type FindWay<Method extends Flashing['method']> = (
  job: FlashJob,
  how: Extract<Flashing, { method: Method }>,
) => Promise<FlashWay>;
