// What the driver accepts as the end of an execution.

import { expect, test } from 'vitest';
import { AcceleratorLink, firstInterruptTag } from '../../../../src/devices/accelerator/link.js';
import type { UsbControlDevice } from '../../../../src/devices/transport/index.js';

/** A link to a chip whose only event is this. */
function linkTo(event: Uint8Array): AcceleratorLink {
  const device = {
    configurations: [],
    transferIn: async () => ({ status: 'ok', data: new DataView(event.buffer) }),
    releaseInterface: async () => undefined,
    close: async () => undefined,
    reset: async () => undefined,
  };
  return new AcceleratorLink('usb:test', device as unknown as UsbControlDevice);
}

/** 16 bytes: address, length, and the tag in the low four bits of byte 12 (libedgetpu, usb_ml_commands.cc). */
function eventOf(tag: number, length = 16): Uint8Array {
  const event = new Uint8Array(length);
  event[12] = tag;
  return event;
}

test('the interrupt that the executable names ends it; the upper bits of its byte do not count', async () => {
  for (const number of [0, 1, 2, 3]) {
    await expect(linkTo(eventOf(firstInterruptTag + number)).interrupted(number)).resolves.toBeUndefined();
    await expect(linkTo(eventOf(0xf0 | (firstInterruptTag + number))).interrupted(number)).resolves.toBeUndefined();
  }
});

test('another interrupt, another event, or part of one is an error that ends the link', async () => {
  for (const [event, reason] of [
    [eventOf(firstInterruptTag + 1), 'an event 5 instead of 4'],
    [eventOf(3), 'an event 3 instead of 4'],
    [eventOf(firstInterruptTag, 15), 'an event of 15 bytes instead of 16'],
  ] as const) {
    const link = linkTo(event);
    await expect(link.interrupted(0)).rejects.toMatchObject({ code: 'EDGETPU_ANSWER', values: { reason } });
    expect(link.broken).toBe(true);
  }
});
