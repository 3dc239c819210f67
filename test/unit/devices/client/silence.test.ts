// What is said of a device that does not answer, by what its line carries.

import { Duplex } from 'node:stream';
import { describe, expect, test } from 'vitest';
import { SmpClient } from '../../../../src/devices/client/index.js';
import { osCommands } from '../../../../src/devices/protocol/index.js';
import { framings, StreamTransport } from '../../../../src/devices/transport/stream.js';

/** A line whose far end answers every write with this. */
function line(answer: (written: Buffer) => Buffer | null): Duplex {
  return new Duplex({
    read: () => undefined,
    write(bytes: Buffer, _encoding, done) {
      const back = answer(bytes);
      if (back !== null) this.push(back);
      done();
    },
  });
}

const boot =
  'ets Jul 29 2019 12:21:46\r\n\r\nrst:0x10 (RTCWDT_RTC_RESET),boot:0x3 ' +
  '(DOWNLOAD_BOOT(UART0/UART1/SDIO_REI_REO_V2))\r\nwaiting for download\r\n';

describe.each(['console', 'raw'] as const)('%s', (framing) => {
  test.each([
    ['nothing', () => null, 'nothing came back', 'nothing'],
    ['its own bytes', (written: Buffer) => written, 'comes back unchanged', 'echo'],
    [
      'noise',
      (written: Buffer) => Buffer.from(written.map((byte, i) => 0x80 | (byte ^ i))),
      'neither packets nor text',
      'unreadable',
    ],
  ] as const)('%s', async (_name, answer, seen, silence) => {
    const client = new SmpClient(new StreamTransport('line', line(answer), framings[framing], async () => undefined), {
      timeoutMs: 20,
      attempts: 2,
    });
    await expect(client.request(osCommands.echo, { d: '' })).rejects.toMatchObject({
      code: 'DEVICE_TIMEOUT',
      message: expect.stringContaining(seen),
      values: expect.objectContaining({ silence }),
    });
  });
});

test.each([
  ['the boot log of an ESP chip', boot, 'waits for a download', 'boot-loader'],
  [
    'a shell',
    '\u001b[1;32muart:~$ \u001b[munknown command\r\n',
    'it sends text, the last line is "·[1;32muart:~$ ·[munknown command"',
    'text',
  ],
])('%s', async (_name, text, seen, silence) => {
  const transport = new StreamTransport(
    'line',
    line(() => Buffer.from(text)),
    framings.console,
    async () => undefined,
  );
  const client = new SmpClient(transport, { timeoutMs: 20, attempts: 2 });
  const logged: string[] = [];
  client.onLog = (entry) => logged.push(entry);
  await expect(client.request(osCommands.echo, { d: '' })).rejects.toMatchObject({
    message: expect.stringContaining(seen),
    values: expect.objectContaining({ silence }),
  });
  expect(logged.join('')).not.toMatch(/\p{Cc}/u);
});
