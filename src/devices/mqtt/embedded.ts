// A broker in this process, for a test bench or a small fleet: MQTT 3.1.1 over TCP. Retained messages and queues of
// persistent sessions are kept in a folder.

import net from 'node:net';
import { setTimeout as delay } from 'node:timers/promises';
import { defined } from '../../base/checked.js';
import { fail, reasonOf } from '../../base/errors.js';
import { openPersistence } from './persistence.js';

/** Where an embedded broker listens, and where it keeps retained messages. */
export interface BrokerOptions {
  readonly host?: string;
  /** 0: any free port. */
  readonly port?: number;
  /** Folder for its messages; null: in memory only. */
  readonly folder?: string | null;
}

/** An MQTT broker in this process. */
export interface EmbeddedBroker {
  readonly uri: string;
  readonly close: () => Promise<void>;
}

/** Time for reads of the folder to finish. */
const settleMs = 50;

/**
 * Starts an MQTT broker in this process.
 * @throws LISTEN, FILE_NOT_WRITABLE
 */
export async function startBroker({
  host = '127.0.0.1',
  port = 1883,
  folder = null,
}: BrokerOptions = {}): Promise<EmbeddedBroker> {
  const [{ Aedes }, kept] = await Promise.all([import('aedes'), openPersistence(folder)]);
  const broker = await Aedes.createBroker({ persistence: kept.persistence });
  const sockets = new Set<net.Socket>();
  const server = net.createServer({ noDelay: true }, (socket) => {
    sockets.add(socket);
    socket.on('close', () => sockets.delete(socket));
    broker.handle(socket);
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(port, host, resolve)).catch(
    async (error: unknown) => {
      await kept.close();
      throw fail('LISTEN', { address: `${host}:${port}`, reason: reasonOf(error) }, error);
    },
  );
  const bound = defined(server.address()) as net.AddressInfo;
  return {
    uri: `mqtt://${net.isIPv6(host) ? `[${host}]` : host}:${bound.port}`,
    close: async () => {
      // Accepts no new connections, closes the present ones, and finishes their work before closing the folder.
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
      await new Promise<void>((resolve) => broker.close(() => resolve()));
      await delay(settleMs);
      await kept.close();
    },
  };
}
