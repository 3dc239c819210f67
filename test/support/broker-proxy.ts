// A proxy in front of a broker that does what other brokers do: sends retained messages in another order, slowly, twice
// or not at all, limits how many messages may wait for acknowledgement, refuses with any reason code, or ends the
// connection.

import net from 'node:net';
import mqttPacket from 'mqtt-packet';
import { seededRandom } from '../../src/base/random.js';

export interface ProxyFaults {
  readonly seed?: number;
  /** Milliseconds over which retained messages are spread, in random order; 0 passes them through. */
  readonly spreadMs?: number;
  /** Shares of retained messages that come twice, and that do not come. */
  readonly repeated?: number;
  readonly missing?: number;
  /** Announced in CONNACK, and enforced as MQTT 5 says: with DISCONNECT 147. */
  readonly receiveMaximum?: number;
  /** Ends each connection with this reason code after so many messages of the client. */
  readonly disconnect?: { readonly afterMessages: number; readonly reasonCode: number; readonly times: number };
}

export interface Proxy {
  readonly uri: string;
  /** Connections made, and the most messages of a client that waited for acknowledgement at once. */
  readonly counts: { connections: number; maxUnacknowledged: number };
  readonly close: () => Promise<void>;
}

type Packet = mqttPacket.Packet;

/** @param broker URI of the broker, without TLS */
export async function proxyTo(broker: string, faults: ProxyFaults = {}): Promise<Proxy> {
  const counts = { connections: 0, maxUnacknowledged: 0 };
  const random = seededRandom(faults.seed ?? 1);
  const sockets = new Set<net.Socket>();
  const port = Number(new URL(broker).port);
  let disconnects = 0;
  const server = net.createServer((near) => {
    counts.connections += 1;
    const far = net.connect(port, '127.0.0.1');
    let isEnding = false;
    const end = (): void => {
      // A socket that is destroyed while the client still sends is reset, and the client loses the last packet.
      for (const socket of isEnding ? [far] : [near, far]) socket.destroy();
    };
    for (const socket of [near, far]) {
      sockets.add(socket.setNoDelay(true));
      socket
        .on('error', () => undefined)
        .on('close', () => {
          sockets.delete(socket);
          end();
        });
    }
    let protocolVersion = 5;
    let messages = 0;
    const unacknowledged = new Set<number>();
    const send = (socket: net.Socket, packet: Packet): void => {
      if (socket.writable) socket.write(mqttPacket.generate(packet, { protocolVersion }));
    };
    /** What the client sends after that is read and dropped until it closes the connection too. */
    const endWith = (reasonCode: number): void => {
      isEnding = true;
      send(near, { cmd: 'disconnect', reasonCode } as Packet);
      near.end();
      far.destroy();
    };

    const fromClient = mqttPacket.parser();
    fromClient.on('packet', (packet: Packet) => {
      if (isEnding) return;
      if (packet.cmd === 'connect') {
        protocolVersion = packet.protocolVersion ?? 4;
        fromBroker = brokerParser();
      }
      if (packet.cmd === 'publish') {
        messages += 1;
        if (packet.qos === 1 && packet.messageId !== undefined) unacknowledged.add(packet.messageId);
        counts.maxUnacknowledged = Math.max(counts.maxUnacknowledged, unacknowledged.size);
        if (faults.receiveMaximum !== undefined && unacknowledged.size > faults.receiveMaximum) return endWith(147);
        const { disconnect } = faults;
        if (disconnect !== undefined && messages > disconnect.afterMessages && disconnects < disconnect.times) {
          disconnects += 1;
          return endWith(disconnect.reasonCode);
        }
      }
      send(far, packet);
    });

    const deliverRetained = (packet: mqttPacket.IPublishPacket): void => {
      const { spreadMs = 0, repeated = 0, missing = 0 } = faults;
      if (random() < missing) {
        // The broker waits for the acknowledgement of what the client never gets.
        if (packet.qos === 1) send(far, { cmd: 'puback', messageId: packet.messageId } as Packet);
        return;
      }
      const later = (one: Packet): void => {
        if (spreadMs === 0) send(near, one);
        else setTimeout(() => send(near, one), spreadMs * random());
      };
      later(packet);
      if (random() < repeated) later({ ...packet, qos: 0, messageId: undefined } as unknown as Packet);
    };

    const brokerParser = () => {
      const parser = mqttPacket.parser({ protocolVersion });
      parser.on('packet', (packet: Packet) => {
        if (packet.cmd === 'puback' && packet.messageId !== undefined) unacknowledged.delete(packet.messageId);
        if (packet.cmd === 'publish' && packet.retain) return deliverRetained(packet);
        const announced = packet.cmd === 'connack' && faults.receiveMaximum !== undefined;
        send(
          near,
          announced
            ? { ...packet, properties: { ...packet.properties, receiveMaximum: faults.receiveMaximum } }
            : packet,
        );
      });
      return parser;
    };
    let fromBroker = brokerParser();
    near.on('data', (bytes: Buffer) => void fromClient.parse(bytes));
    far.on('data', (bytes: Buffer) => void fromBroker.parse(bytes));
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return {
    uri: `mqtt://127.0.0.1:${(server.address() as net.AddressInfo).port}`,
    counts,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
