// Sequence numbers are 8 bits: after 256 requests a late answer may carry the number of another request.

import { expect, test } from 'vitest';
import { SmpClient } from '../../../../src/devices/client/index.js';
import {
  decodePacket,
  encodePacket,
  encodePayload,
  Op,
  osCommands,
  type SmpPacket,
} from '../../../../src/devices/protocol/index.js';
import type { Transport } from '../../../../src/devices/transport/index.js';
import { plainLine } from '../../../../src/devices/transport/transport.js';

test.each<[string, Partial<SmpPacket>]>([
  ['another command', { command: 6 }],
  ['another group', { group: 8 }],
  ['another operation', { op: Op.readResponse }],
  ['another sequence number', { sequence: 99 }],
])('an answer to %s does not answer a request', async (_name, difference) => {
  const transport: Transport = {
    name: 'made',
    line: plainLine,
    onPacket: null,
    onLog: null,
    onClose: null,
    send: async (bytes) => {
      const request = decodePacket(bytes);
      const answer: SmpPacket = { ...request, op: Op.writeResponse, payload: encodePayload({ r: 'right' }) };
      transport.onPacket?.(encodePacket({ ...answer, payload: encodePayload({ r: 'late' }), ...difference }));
      transport.onPacket?.(encodePacket(answer));
    },
    close: async () => undefined,
  };
  expect(await new SmpClient(transport).request(osCommands.echo, { d: 'x' })).toMatchObject({ r: 'right' });
});
