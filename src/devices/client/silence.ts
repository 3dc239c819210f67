// Finds out why a device may not have answered, from what came over its line instead.

import type { Received } from '../transport/index.js';

/** `unknown`: nothing is known of the line. */
export type SilenceCause = 'unknown' | 'nothing' | 'echo' | 'boot-loader' | 'unreadable' | 'text';

export interface Silence {
  /** For the message, after "no answer". */
  readonly seen: string;
  readonly silence: SilenceCause;
}

/** ESP chips whose boot loader waits for esptool. */
const waitsForDownload = /waiting for download|DOWNLOAD_BOOT|DOWNLOAD\(/i;
/** Share of bytes that are neither text nor packets above which the line carries something else. */
const unreadableShare = 0.3;

/** @param heardOwn whether requests came back as they were sent */
export function explainSilence(received: Received | null, heardOwn: boolean): Silence {
  if (heardOwn) return { seen: '; what was sent comes back unchanged', silence: 'echo' };
  if (received === null) return { seen: '', silence: 'unknown' };
  const { bytes, unreadable, text } = received;
  if (bytes === 0) return { seen: '; nothing came back', silence: 'nothing' };
  if (text.some((line) => waitsForDownload.test(line)))
    return { seen: '; the chip reports that it waits for a download', silence: 'boot-loader' };
  const count = `${bytes.toLocaleString('en')} bytes`;
  if (unreadable > unreadableShare * bytes)
    return { seen: `; ${count} came back that are neither packets nor text`, silence: 'unreadable' };
  const last = text.at(-1);
  return {
    seen:
      last === undefined
        ? `; ${count} came back, but no packet`
        : `; it sends text, the last line is ${JSON.stringify(last)}`,
    silence: 'text',
  };
}
