// What agent and devices of a fleet tell each other over a broker: CBOR maps that firmware-protocol/atoll.cddl
// specifies. docs/fleets.md has the topics.

import { z } from 'zod';
import { decodeMap, encodeMap } from './cbor.js';
import { cleanText } from './clean-text.js';
import { bytes, uint } from './command.js';

/** Blocks of a segment: a device subscribes to one segment at a time. */
export const segmentBlocks = 16;
/** Samples that a challenge runs. */
export const challengeSamples = 4;
export const maxRolloutName = 64;
/** Outputs of a challenge that fit a report, where a device's are not equal to the simulator's to the last bit. */
const maxChallengeOutputBytes = 4096;
/** Blocks that a device may ask for at once. */
export const maxPulledBlocks = segmentBlocks;

/** A word of a device, which terminals and pages will show. */
const word = (most: number) =>
  z
    .string()
    .max(most)
    .transform((text) => cleanText(text, most));
const sha256 = bytes.refine((value) => value.byteLength === 32, 'must have 32 bytes');
const blockBytes = uint.refine(isBlockSize, 'must be a power of two from 512 to 32768');

/** Bytes of a challenge's outputs in a report: those of as many whole samples as fit. */
export function reportedOutputBytes(outputBytes: number): number {
  return outputBytes * Math.min(challengeSamples, Math.floor(maxChallengeOutputBytes / outputBytes));
}

/** Whether blocks may be compressed in this length. */
export function isBlockSize(bytes: number): boolean {
  return Number.isInteger(Math.log2(bytes)) && bytes >= 512 && bytes <= 32_768;
}

/** What a device is to run. */
const desiredSchema = z.looseObject({
  rollout: z.string().min(1).max(maxRolloutName),
  /** Counts how often the device has been told: the same once more with a higher one is new work. */
  attempt: uint.default(0),
  /** Of the slot image. */
  sha: sha256,
  len: uint.min(1),
  /** Bytes of a block, before it is compressed; the last one may be shorter. */
  block: blockBytes,
  /** Seed of the challenge that the report must answer. */
  seed: uint,
  /** Seconds since 1970 after which nothing is begun any more; absent: none. */
  deadline: uint.optional(),
  /** Blocks are asked for, range by range, rather than found at the broker. */
  pull: z.boolean().optional(),
  /** The report is to hold the outputs of the challenge themselves. */
  outputs: z.boolean().optional(),
});
export type Desired = z.output<typeof desiredSchema>;
export type WrittenDesired = z.input<typeof desiredSchema>;

/** `idle`: nothing has been desired of it yet. */
export const reportedStates = [
  'idle',
  'downloading',
  'verified',
  'pending',
  'confirmed',
  'failed',
  'rolled-back',
] as const;
export type ReportedState = (typeof reportedStates)[number];

/** How far a device is. */
const reportedSchema = z.looseObject({
  /** Counts the reports of a device: those that are overtaken tell nothing. */
  seq: uint,
  /** Kind of device. */
  target: word(64),
  /** Words by which its owner tells it from others. */
  tags: z
    .record(z.string().max(64), word(64))
    .transform((tags) => Object.fromEntries(Object.entries(tags).map(([name, value]) => [cleanText(name, 64), value])))
    .optional(),
  state: z.enum(reportedStates),
  /** Absent where nothing has been desired. */
  rollout: word(maxRolloutName).optional(),
  /** Of the desire that it answers. */
  attempt: uint.default(0),
  /** Of the slot image that it is about. */
  sha: sha256.optional(),
  /** SHA-256 of the model that runs; absent: none does. */
  model: sha256.optional(),
  /** Why it failed, and in words. */
  code: word(64).optional(),
  detail: word(256).optional(),
  /** Of what it measured on its own: self-test vectors, those that failed, the arena. */
  vectors: uint.optional(),
  failed: uint.optional(),
  arena: uint.optional(),
  /** Microseconds of inferences: how many, the median, the 95th percentile. */
  runs: uint.optional(),
  median_us: uint.optional(),
  p95_us: uint.optional(),
  /** Labelled samples that the device holds, and how many it got right. */
  samples: uint.optional(),
  correct: uint.optional(),
  /** CRC-32 of the outputs on `challengeSamples` samples drawn from the seed: the answer to the challenge. */
  crc: uint.optional(),
  /** These outputs, where they were asked for and are not too long. */
  outputs: bytes
    .refine(
      (value) => value.byteLength <= maxChallengeOutputBytes,
      `must have ${maxChallengeOutputBytes} bytes at most`,
    )
    .optional(),
});
export type Reported = z.output<typeof reportedSchema>;
export type WrittenReported = z.input<typeof reportedSchema>;

/** A device asks for blocks of an image. */
const blockRequestSchema = z.looseObject({
  sha: sha256,
  /** The first one, and how many from there on. */
  from: uint,
  n: uint.min(1).max(maxPulledBlocks),
});
export type BlockRequest = z.output<typeof blockRequestSchema>;

/** One of them. */
const blockSchema = z.looseObject({ sha: sha256, n: uint, data: bytes });
export type Block = z.output<typeof blockSchema>;

/** @throws CBOR_MALFORMED, ZodError for what is no such map, from `decode` */
function messageOf<S extends z.ZodType>(name: string, schema: S) {
  return {
    encode: (message: z.input<S>): Uint8Array => encodeMap(message as never),
    decode: (payload: Uint8Array): z.output<S> => schema.parse(decodeMap(payload, name)),
  };
}

export const { encode: encodeDesired, decode: decodeDesired } = messageOf('desired', desiredSchema);
export const { encode: encodeReported, decode: decodeReported } = messageOf('reported', reportedSchema);
export const { encode: encodeBlockRequest, decode: decodeBlockRequest } = messageOf(
  'block request',
  blockRequestSchema,
);
export const { encode: encodeBlock, decode: decodeBlock } = messageOf('block', blockSchema);
