// The interface of a flashing method; each method has a file beside this one.

import type { OnProgress } from '../../base/progress.js';
import type { Flashing, Target } from '../../targets/index.js';
import type { FlashPlace } from './place.js';

export interface FlashJob {
  readonly target: Target;
  readonly image: Uint8Array;
  readonly place: FlashPlace;
  readonly choice: FlashChoice;
}

/** Selects a board if several are attached. */
export interface FlashChoice {
  readonly method?: Flashing['method'] | undefined;
  /** Folder where the bootloader's drive is mounted. */
  readonly drive?: string | undefined;
  /** Serial port, for programs that use one. */
  readonly port?: string | undefined;
  readonly baud?: number | undefined;
  /** USB serial number. */
  readonly serial?: string | undefined;
}

export type FlashStep = 'erase' | 'write' | 'verify';

export interface FlashRun {
  readonly signal?: AbortSignal | undefined;
  readonly onProgress?: OnProgress<FlashStep>;
}

/** An available method; nothing has been written yet. */
export interface FlashWay {
  readonly method: Flashing['method'];
  /** The drive, device, port or program. */
  readonly through: string;
  /** For an external program: its command lines. */
  readonly commands: readonly (readonly string[])[];
  readonly write: (run: FlashRun) => Promise<FlashResult>;
}

export interface FlashResult {
  /** What verified the flash: Atoll, by reading it; the bootloader; a program; nothing. */
  readonly verifiedBy: 'read-back' | 'bootloader' | 'program' | null;
}

/** @throws a coded error with the reason if this method is not available */
export type FindWay<Method extends Flashing['method']> = (
  job: FlashJob,
  how: Extract<Flashing, { method: Method }>,
) => Promise<FlashWay>;
