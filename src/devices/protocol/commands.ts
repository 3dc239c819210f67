// The commands that Atoll sends and answers: OS group (0), file group (8), and its own group (16724), whose maps
// firmware-protocol/atoll.cddl specifies.

import { z } from 'zod';
import { cleanText } from './clean-text.js';
import { bytes, readCommand, uint, writeCommand } from './command.js';
import { Group } from './status.js';

/** Text from a device, which terminals and pages will show. */
const word = z.string().transform((text) => cleanText(text, 200));
const positive = z.number().int().positive();
const powerOfTwo = positive.refine((value) => Number.isInteger(Math.log2(value)), 'must be a power of two');

export const osCommands = {
  echo: writeCommand('echo', Group.os, 0, { d: z.string() }, { r: z.string() }),
  /** Some clients send a read where others send a write. */
  echoRead: readCommand('echo', Group.os, 0, { d: z.string() }, { r: z.string() }),
  reset: writeCommand('reset', Group.os, 5, { force: uint.optional() }, {}),
  params: readCommand('params', Group.os, 6, {}, { buf_size: uint, buf_count: uint }),
  info: readCommand('info', Group.os, 7, { format: z.string().optional() }, { output: word }),
} as const;

export const fileCommands = {
  upload: writeCommand(
    'upload',
    Group.file,
    0,
    { off: uint, data: bytes, name: z.string(), len: uint.optional() },
    { off: uint },
  ),
  download: readCommand(
    'download',
    Group.file,
    0,
    { off: uint, name: z.string() },
    { off: uint, data: bytes, len: uint.optional() },
  ),
  status: readCommand('file status', Group.file, 1, { name: z.string() }, { len: uint }),
  hash: readCommand(
    'file hash',
    Group.file,
    2,
    { name: z.string(), type: z.string().optional(), off: uint.optional(), len: uint.optional() },
    { type: z.string(), off: uint.optional(), len: uint, output: z.union([uint, bytes]) },
  ),
  hashTypes: readCommand(
    'file hash types',
    Group.file,
    3,
    {},
    { types: z.record(z.string(), z.looseObject({ format: uint, size: uint })) },
  ),
  close: writeCommand('file close', Group.file, 4, {}, {}),
} as const;

export const statsCommands = {
  read: readCommand(
    'statistics',
    Group.stats,
    0,
    { name: z.string() },
    { name: z.string(), fields: z.record(z.string(), uint) },
  ),
  list: readCommand('list statistics', Group.stats, 1, {}, { stat_list: z.array(z.string()) }),
} as const;

/** Lists the groups of a device (Zephyr smp_group_10.rst). */
export const enumerationCommands = {
  count: readCommand('count of groups', Group.enumeration, 0, {}, { count: uint }),
  list: readCommand('list of groups', Group.enumeration, 1, {}, { groups: z.array(uint) }),
  single: readCommand(
    'single group',
    Group.enumeration,
    2,
    { index: uint.optional() },
    { group: uint, end: z.boolean().optional() },
  ),
  details: readCommand(
    'details of groups',
    Group.enumeration,
    3,
    { groups: z.array(uint).optional() },
    { groups: z.array(z.looseObject({ group: uint, name: z.string().optional(), handlers: uint.optional() })) },
  ),
} as const;

/** The files that represent the slots. */
export const slotFiles = {
  inactive: '/atoll/inactive',
  active: '/atoll/active',
  /** Accepts uploads of the compressed form of the inactive slot's content. */
  compressed: '/atoll/inactive.z',
} as const;

const slot = z.looseObject({
  slot: uint,
  len: uint,
  sha: bytes.optional(),
  model: bytes.optional(),
  active: z.boolean(),
  pending: z.boolean(),
  confirmed: z.boolean(),
  tested: z.boolean(),
  attempts: uint,
});

export const atollCommands = {
  describe: readCommand(
    'describe',
    Group.atoll,
    0,
    {},
    {
      proto: uint,
      id: word,
      target: word,
      fw: word,
      runtime: word,
      runtime_version: word.optional(),
      profile: word,
      operators: z.array(uint).optional(),
      slots: positive.optional(),
      align: positive.optional(),
      features: z.array(word).optional(),
      tick_hz: positive,
      slot_bytes: uint,
      arena_bytes: uint,
      key: z.boolean(),
      sim: z.boolean().optional(),
      inflate: powerOfTwo.optional(),
    },
  ),
  slots: readCommand('slots', Group.atoll, 1, {}, { slots: z.array(slot) }),
  activate: writeCommand('activate', Group.atoll, 2, { slot: uint, sha: bytes }, { arena: uint }),
  confirm: writeCommand('confirm', Group.atoll, 3, { sha: bytes }, {}),
  erase: writeCommand('erase', Group.atoll, 4, { slot: uint }, {}),
  writeInput: writeCommand('write input', Group.atoll, 5, { input: uint, off: uint, data: bytes }, { off: uint }),
  run: writeCommand(
    'run',
    Group.atoll,
    6,
    { n: uint.optional(), stream: z.boolean().optional() },
    { n: positive, ticks: uint },
  ),
  readOutput: readCommand(
    'read output',
    Group.atoll,
    7,
    { output: uint, off: uint },
    { off: uint, data: bytes, len: uint.optional() },
  ),
  selfTest: writeCommand(
    'self-test',
    Group.atoll,
    8,
    { slot: uint },
    { vectors: uint, failed: uint, max_lsb: uint, ticks: uint, arena: uint },
  ),
  challenge: writeCommand(
    'challenge',
    Group.atoll,
    9,
    { seed: uint, n: uint, outputs: z.boolean().optional() },
    { n: positive, crc: uint, outputs: bytes.optional() },
  ),
  profile: readCommand(
    'profile',
    Group.atoll,
    10,
    { off: uint.optional() },
    { ops: z.array(z.tuple([uint, uint])), next: uint.optional() },
  ),
  infer: writeCommand(
    'infer',
    Group.atoll,
    11,
    { data: bytes, stream: z.boolean().optional() },
    { ticks: z.array(uint).min(1), data: bytes },
  ),
} as const;

/** How a device describes itself. */
export type DeviceDescription = z.output<typeof atollCommands.describe.response>;
/** A slot as a device reports it. */
export type SlotState = z.output<typeof slot>;
