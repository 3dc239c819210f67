// Packets against vectors from the protocol's documentation (Zephyr smp_protocol.rst; smp's packet.py).

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import {
  atollCommands,
  decodeMap,
  decodePacket,
  decodeRequest,
  decodeResponse,
  encodePacket,
  encodePayload,
  fileCommands,
  Op,
  osCommands,
  statusName,
} from '../../../../src/devices/protocol/index.js';

const hex = (bytes: Uint8Array): string => Buffer.from(bytes).toString('hex');
const bytes = (text: string): Uint8Array => new Uint8Array(Buffer.from(text.replaceAll(' ', ''), 'hex'));

describe('golden packets', () => {
  test.each([
    ['echo request', osCommands.echo, Op.write, 0, { d: 'hello' }, '0a00000900000000 a161646568656c6c6f'],
    ['echo response', osCommands.echo, Op.writeResponse, 0, { r: 'hello' }, '0b00000900000000 a161726568656c6c6f'],
    ['params request', osCommands.params, Op.read, 1, {}, '0800000100000106 a0'],
    [
      'params response',
      osCommands.params,
      Op.readResponse,
      1,
      { buf_size: 384, buf_count: 4 },
      '0900001800000106 a2686275665f73697a65190180696275665f636f756e7404',
    ],
    [
      'upload request',
      fileCommands.upload,
      Op.write,
      2,
      { off: 0, len: 10, name: '/lfs/m.tflite', data: Uint8Array.from({ length: 10 }, (_, i) => i) },
      '0a00002e00080200 a4636f666600636c656e0a646e616d656d2f6c66732f6d2e74666c69746564646174614a00010203040506070809',
    ],
    ['upload response', fileCommands.upload, Op.writeResponse, 2, { off: 10 }, '0b00000600080200 a1636f66660a'],
    [
      'offset error',
      fileCommands.upload,
      Op.writeResponse,
      3,
      { err: { group: 8, rc: 11 }, len: 2048 },
      '0b00001800080300 a263657272a26567726f7570086272630b636c656e190800',
    ],
  ] as const)('%s', (_, command, op, sequence, map, expected) => {
    const packet = encodePacket({
      version: 1,
      op,
      group: command.group,
      sequence,
      command: command.id,
      payload: encodePayload(map),
    });
    expect(hex(packet)).toBe(expected.replaceAll(' ', ''));
    const decoded = decodePacket(packet);
    expect(decoded).toMatchObject({ version: 1, op, group: command.group, sequence, command: command.id });
    expect(decodeMap(decoded.payload, 'test')).toEqual(map);
  });
});

describe('bytes that are not packets', () => {
  test.each([
    ['too short', '0a0000', /3 bytes/],
    ['a length that does not match', '0a00000900000000 a0', /announces 9 bytes of payload, but 1 follow/],
    ['a reserved version', '1a00000100000000 a0', /version bits 3/],
    ['an unknown operation', '0d00000100000000 a0', /operation 5/],
  ])('%s', (_, packet, message) => {
    expect(() => decodePacket(bytes(packet))).toThrow(
      expect.objectContaining({ code: 'SMP_MALFORMED', message: expect.stringMatching(message) }),
    );
  });

  test.each([
    ['no map', '01'],
    ['a map cut short', 'a26161'],
    ['a number beyond 2^53', 'a1616f1b0040000000000001'],
    ['a key twice', 'a2616101616102'],
    ['text with a huge length', 'a17bffffffffffffffff'],
    ['deep nesting', `${'a16161'.repeat(100000)}00`],
  ])('%s', (_, payload) => {
    expect(() => decodeMap(bytes(payload), 'test')).toThrow(expect.objectContaining({ code: 'CBOR_MALFORMED' }));
  });

  test('maps of indefinite length, which embedded encoders emit, are taken', () => {
    expect(decodeMap(bytes('bf636f66660aff'), 'test')).toEqual({ off: 10 });
  });
});

test('unknown keys of a response are kept, missing ones are an error', () => {
  expect(decodeResponse(osCommands.params, { buf_size: 1, buf_count: 2, more: 'x' })).toMatchObject({ more: 'x' });
  expect(() => decodeResponse(osCommands.params, { buf_size: 1 })).toThrow(
    expect.objectContaining({ code: 'DEVICE_ANSWER' }),
  );
  expect(decodeRequest(osCommands.echo, bytes('a0'))).toBeNull();
});

test('status codes have names', () => {
  expect(statusName(null, 8)).toBe('ENOTSUP');
  expect(statusName(8, 11)).toBe('OFFSET_NOT_VALID');
  expect(statusName(16724, 8)).toBe('ARENA_TOO_SMALL');
  expect(statusName(8, 99)).toBe('code 99');
});

test('the specification names every command of the group with its number', () => {
  const cddl = readFileSync(new URL('../../../../firmware-protocol/atoll.cddl', import.meta.url), 'utf8');
  for (const { name, id, op } of Object.values(atollCommands)) {
    const rule = name.replaceAll(' ', '-');
    expect(cddl).toContain(`; command ${id}, ${op === Op.read ? 'read' : 'write'}\n${rule}-request = {`);
    expect(cddl).toContain(`${rule}-response = {`);
  }
});
