import type { EndingTransport } from './ending.js';

const most = 64;

/**
 * Clients of a device on a connectionless transport: a new source address is a new client; beyond the limit the oldest
 * is dropped.
 */
export class Clients<Client extends EndingTransport> {
  private readonly known = new Map<string, Client>();

  constructor(private readonly onConnection: (client: Client) => void) {}

  /** @param make creates the client's transport, which calls `forget` when it has ended */
  of(place: string, make: (forget: () => void) => Client): Client {
    const known = this.known.get(place);
    if (known !== undefined) return known;
    const client = make(() => this.known.delete(place));
    const [oldest] = this.known.values();
    if (this.known.size >= most) void oldest?.end('too many clients');
    this.known.set(place, client);
    this.onConnection(client);
    return client;
  }
}
