// The SMP server: finds the handler of a packet, and encodes its result in the request's version.

import { defined } from '../../base/checked.js';
import { AtollError } from '../../base/errors.js';
import {
  decodePacket,
  decodeRequest,
  encodePacket,
  encodePayload,
  Op,
  type SmpPacket,
  SmpStatus,
} from '../protocol/index.js';
import type { Handler } from './handlers.js';
import { StatusError } from './status-error.js';

export interface SmpServerOptions {
  /** Called with an error that is not a status of a handler: something in the device itself fails. */
  readonly onFault?: (error: unknown) => void;
  /** Awaited after a request was handled and before its response is sent; if it fails, the response is an error. */
  readonly keep?: () => Promise<void>;
}

export class SmpServer {
  private readonly handlers: ReadonlyMap<string, Handler>;

  constructor(
    handlers: readonly Handler[],
    private readonly options: SmpServerOptions = {},
  ) {
    this.handlers = new Map(
      handlers.map((entry) => [keyOf(entry.command.group, entry.command.id, entry.command.op), entry]),
    );
  }

  /** The response to a packet; null for bytes that are not a request, which a device ignores. */
  async answer(bytes: Uint8Array): Promise<Uint8Array | null> {
    let packet: SmpPacket;
    try {
      packet = decodePacket(bytes);
    } catch {
      return null;
    }
    if (packet.op !== Op.read && packet.op !== Op.write) return null;
    return encodePacket({
      ...packet,
      op: packet.op === Op.read ? Op.readResponse : Op.writeResponse,
      payload: encodePayload(await this.respond(packet)),
    });
  }

  /** True if the packet is a status query. */
  takesAnytime(bytes: Uint8Array): boolean {
    try {
      const { group, command, op } = decodePacket(bytes);
      return this.handlers.get(keyOf(group, command, op))?.anytime === true;
    } catch {
      return false;
    }
  }

  private async respond(packet: SmpPacket): Promise<object> {
    try {
      const entry = this.handlers.get(keyOf(packet.group, packet.command, packet.op));
      if (entry === undefined) throw new StatusError(null, SmpStatus.ENOTSUP);
      const request = decodeRequest(entry.command, packet.payload);
      if (request === null) throw new StatusError(null, SmpStatus.EINVAL);
      const answer = await entry.handle(defined(request) as never);
      await this.options.keep?.();
      return answer;
    } catch (error) {
      if (error instanceof StatusError) return errorMap(error, packet.version);
      if (error instanceof AtollError && error.code === 'CBOR_MALFORMED') return { rc: SmpStatus.EINVAL };
      // An error of the device itself: report it and continue serving.
      this.options.onFault?.(error);
      return { rc: SmpStatus.EUNKNOWN, rsn: error instanceof Error ? error.message : String(error) };
    }
  }
}

/** Version 2 names the group of an error; version 1 has one number, with user codes from 256 on. */
function errorMap({ group, rc, extra }: StatusError, version: number): object {
  if (group === null) return { rc };
  if (version === 0) return { rc: group >= 64 ? SmpStatus.EPERUSER + rc : SmpStatus.EUNKNOWN, ...extra };
  return { err: { group, rc }, ...extra };
}

function keyOf(group: number, command: number, op: number): string {
  return `${group}/${command}/${op}`;
}
