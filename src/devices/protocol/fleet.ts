// Messages between agent and devices over a broker: CBOR maps that firmware-protocol/atoll.cddl specifies.
// docs/fleets.md lists the topics.

import { z } from 'zod';
import { decodeMap, encodeMap } from './cbor.js';
import { cleanText } from './clean-text.js';
import { bytes, uint } from './command.js';

/** Blocks per segment: a device subscribes to one segment at a time. */
export const segmentBlocks = 16;
/** Samples of a challenge. */
export const challengeSamples = 4;
export const maxRolloutName = 64;
/** Maximum size of challenge outputs in a report, for devices that are not bit-exact. */
const maxChallengeOutputBytes = 4096;
/** Maximum number of blocks per request. */
export const maxPulledBlocks = segmentBlocks;

/** Text from a device, which terminals and pages will show. */
const word = (most: number) =>
  z
    .string()
    .max(most)
    .transform((text) => cleanText(text, most));
const sha256 = bytes.refine((value) => value.byteLength === 32, 'must have 32 bytes');
const blockBytes = uint.refine(isBlockSize, 'must be a power of two from 512 to 32768');

/** Bytes of a challenge's outputs in a report: as many whole samples as fit. */
export function reportedOutputBytes(outputBytes: number): number {
  return outputBytes * Math.min(challengeSamples, Math.floor(maxChallengeOutputBytes / outputBytes));
}

/** Whether this is a valid block size for compression. */
export function isBlockSize(bytes: number): boolean {
  return Number.isInteger(Math.log2(bytes)) && bytes >= 512 && bytes <= 32_768;
}

/** What a device should run. */
const desiredSchema = z.looseObject({
  rollout: z.string().min(1).max(maxRolloutName),
  /** Incremented each time the device is notified: the same bundle with a higher number is new work. */
  attempt: uint.default(0),
  /** SHA-256 of the slot image. */
  sha: sha256,
  len: uint.min(1),
  /** Size of a block before compression; the last one may be shorter. */
  block: blockBytes,
  /** Seed of the challenge that the report must answer. */
  seed: uint,
  /** Seconds since 1970 after which the device starts nothing; absent: no deadline. */
  deadline: uint.optional(),
  /** Blocks must be requested in ranges; the broker does not retain them. */
  pull: z.boolean().optional(),
  /** The report must contain the outputs of the challenge. */
  outputs: z.boolean().optional(),
});
export type Desired = z.output<typeof desiredSchema>;
export type WrittenDesired = z.input<typeof desiredSchema>;

/** `idle`: nothing has been desired yet. */
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

/** A device's report. */
const reportedSchema = z.looseObject({
  /** Number of the report: lower numbers are outdated. */
  seq: uint,
  /** The device's target. */
  target: word(64),
  /** Tags given by the device's owner. */
  tags: z
    .record(z.string().max(64), word(64))
    .transform((tags) => Object.fromEntries(Object.entries(tags).map(([name, value]) => [cleanText(name, 64), value])))
    .optional(),
  state: z.enum(reportedStates),
  /** Absent if nothing is desired. */
  rollout: word(maxRolloutName).optional(),
  /** Attempt of the `desired` message that it answers. */
  attempt: uint.default(0),
  /** SHA-256 of the slot image that the report is about. */
  sha: sha256.optional(),
  /** SHA-256 of the running model; absent if none runs. */
  model: sha256.optional(),
  /** Error code and text of a failure. */
  code: word(64).optional(),
  detail: word(256).optional(),
  /** Self-test: number of vectors, number that failed, arena size. */
  vectors: uint.optional(),
  failed: uint.optional(),
  arena: uint.optional(),
  /** Inference time in microseconds: number of runs, median, 95th percentile. */
  runs: uint.optional(),
  median_us: uint.optional(),
  p95_us: uint.optional(),
  /** Number of labelled samples on the device, and of correct results. */
  samples: uint.optional(),
  correct: uint.optional(),
  /** CRC-32 of the outputs for `challengeSamples` samples drawn from the seed: the answer to the challenge. */
  crc: uint.optional(),
  /** These outputs, if requested and not too long. */
  outputs: bytes
    .refine(
      (value) => value.byteLength <= maxChallengeOutputBytes,
      `must have ${maxChallengeOutputBytes} bytes at most`,
    )
    .optional(),
});
/** A device's report, as it is sent. */
export type Reported = z.output<typeof reportedSchema>;
export type WrittenReported = z.input<typeof reportedSchema>;

/** A request for blocks of an image. */
const blockRequestSchema = z.looseObject({
  sha: sha256,
  /** First block and number of blocks. */
  from: uint,
  n: uint.min(1).max(maxPulledBlocks),
});
export type BlockRequest = z.output<typeof blockRequestSchema>;

/** One of the requested blocks. */
const blockSchema = z.looseObject({ sha: sha256, n: uint, data: bytes });
export type Block = z.output<typeof blockSchema>;

/** @throws CBOR_MALFORMED, ZodError from `decode` for anything else */
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
