// Explains why a device may not have answered, by what came over its line instead.

import type { Received } from '../transport/index.js';

export interface Silence {
  /** For the message, after "no answer". */
  readonly seen: string;
  readonly advice: string;
}

/** ESP chips whose boot loader waits for esptool. */
const waitsForDownload = /waiting for download|DOWNLOAD_BOOT|DOWNLOAD\(/i;
/** Share of bytes that are neither text nor packets above which the line carries something else. */
const unreadableShare = 0.3;

/** @param heardOwn whether requests came back as they were sent */
export function explainSilence(received: Received | null, heardOwn: boolean): Silence {
  if (heardOwn) {
    return {
      seen: '; what was sent comes back unchanged',
      advice:
        'TX and RX are connected with each other, or a shell echoes: connect the line to the device, or use the port of its SMP server',
    };
  }
  if (received === null)
    return { seen: '', advice: 'check cable, power and address; the device may be busy or in reset: try again' };
  const { bytes, unreadable, text } = received;
  if (bytes === 0) {
    const advice =
      'check that this is its port, that it has power, and that its firmware serves SMP here; it may be busy or in reset: try again';
    return { seen: '; nothing at all came back', advice };
  }
  if (text.some((line) => waitsForDownload.test(line))) {
    return {
      seen: '; the chip says that it waits for a download',
      advice:
        'it is in its boot loader: reset it without the BOOT button; where opening the port resets it, add ?dtr=off&rts=off',
    };
  }
  if (unreadable > unreadableShare * bytes) {
    return {
      seen: `; ${bytes.toLocaleString('en')} bytes came back that are neither packets nor text`,
      advice: 'the baud rate is probably another (?baud=), or the framing (?framing=raw)',
    };
  }
  const last = text.at(-1);
  return {
    seen:
      last === undefined
        ? `; ${bytes.toLocaleString('en')} bytes came back, and no packet among them`
        : `; it sends text, the last line ${JSON.stringify(last)}`,
    advice:
      'its console works, and nothing there speaks SMP: use the port of its SMP server, or enable it on this one (Zephyr: CONFIG_MCUMGR_TRANSPORT_UART)',
  };
}
