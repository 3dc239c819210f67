// Declares commands: group, id, operation, and the maps of request and response. Encoder, decoder and types are derived
// from the declaration. Unknown keys of a response are kept, so that newer devices can add some.

import { z } from 'zod';
import { fail } from '../../base/errors.js';
import { type CborMap, decodeMap, encodeMap } from './cbor.js';
import { Op } from './header.js';

export interface Command<Request extends z.ZodType = z.ZodType, Response extends z.ZodType = z.ZodType> {
  readonly name: string;
  readonly group: number;
  readonly id: number;
  readonly op: typeof Op.read | typeof Op.write;
  readonly request: Request;
  readonly response: Response;
}

export type RequestOf<C extends Command> = z.input<C['request']>;
export type ResponseOf<C extends Command> = z.output<C['response']>;

export const uint = z.number().int().nonnegative();
export const bytes = z.custom<Uint8Array>((value) => value instanceof Uint8Array, 'must be a byte string');

export function readCommand<Q extends z.ZodRawShape, R extends z.ZodRawShape>(
  name: string,
  group: number,
  id: number,
  request: Q,
  response: R,
) {
  return {
    name,
    group,
    id,
    op: Op.read,
    request: z.looseObject(request),
    response: z.looseObject(response),
  } as const satisfies Command;
}

export function writeCommand<Q extends z.ZodRawShape, R extends z.ZodRawShape>(
  name: string,
  group: number,
  id: number,
  request: Q,
  response: R,
) {
  return {
    name,
    group,
    id,
    op: Op.write,
    request: z.looseObject(request),
    response: z.looseObject(response),
  } as const satisfies Command;
}

/** Encodes a map; undefined keys are left out. */
export function encodePayload(value: object): Uint8Array {
  return encodeMap(Object.fromEntries(Object.entries(value).filter(([, entry]) => entry !== undefined)) as CborMap);
}

/** @throws CBOR_MALFORMED, DEVICE_ANSWER */
export function decodeResponse<C extends Command>(command: C, map: CborMap): ResponseOf<C> {
  const result = command.response.safeParse(map);
  if (result.success) return result.data as ResponseOf<C>;
  const [issue] = result.error.issues;
  throw fail('DEVICE_ANSWER', {
    command: command.name,
    reason: `${issue?.path.join('.') ?? ''}: ${issue?.message ?? 'malformed'}`,
  });
}

/** Decodes a request; null if required keys are missing. */
export function decodeRequest<C extends Command>(command: C, payload: Uint8Array): z.output<C['request']> | null {
  const result = command.request.safeParse(payload.byteLength === 0 ? {} : decodeMap(payload, command.name));
  return result.success ? (result.data as z.output<C['request']>) : null;
}
