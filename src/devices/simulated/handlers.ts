// Command handlers of the device, one entry per command; the server decodes requests and encodes responses.

import type { z } from 'zod';
import type { Command } from '../protocol/index.js';

type Request<C extends Command> = z.output<C['request']>;
type Response<C extends Command> = z.input<C['response']>;

export interface Handler {
  readonly command: Command;
  readonly handle: (request: never) => object | Promise<object>;
  /** Status query: answered immediately, even while an earlier request is in progress. */
  readonly anytime: boolean;
}

export function handler<C extends Command>(
  command: C,
  handle: (request: Request<C>) => (Response<C> & object) | Promise<Response<C> & object>,
): Handler {
  return { command, handle: handle as Handler['handle'], anytime: false };
}

/** A handler for a status query. */
export function readHandler<C extends Command>(
  command: C,
  tell: (request: Request<C>) => Response<C> & object,
): Handler {
  return { ...handler(command, tell), anytime: true };
}
