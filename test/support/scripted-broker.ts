// Speaks MQTT as far as a test must: answers each packet as the test says, and keeps nothing.

import net from 'node:net';
import mqttPacket from 'mqtt-packet';

export interface BrokerScript {
  /** Reason code of CONNACK; for MQTT 3.1.1 its return code. */
  readonly connack?: number;
  readonly connackProperties?: object;
  readonly suback?: number;
  /** This many connections, from the first one on, are closed at a subscription, without an answer. */
  readonly closeAtSubscription?: number;
  readonly puback?: number;
  /** Ends each connection after so many milliseconds, and says why. */
  readonly disconnect?: { readonly afterMs: number; readonly reasonCode: number };
  /** Closes without an answer on MQTT 5. */
  readonly silentOnVersion5?: boolean;
  /** Milliseconds before a message is acknowledged. */
  readonly acknowledgeAfterMs?: number;
}

export interface ScriptedBroker {
  readonly uri: string;
  /** Messages that wait for acknowledgement now, the most that did, connections made, and those that are open. */
  readonly counts: { unacknowledged: number; most: number; connections: number; readonly open: number };
  readonly close: () => Promise<void>;
}

export async function scriptedBroker(script: BrokerScript): Promise<ScriptedBroker> {
  const sockets = new Set<net.Socket>();
  const counts = {
    unacknowledged: 0,
    most: 0,
    connections: 0,
    get open() {
      return sockets.size;
    },
  };
  const server = net.createServer((socket) => {
    sockets.add(socket);
    counts.connections += 1;
    const connection = counts.connections;
    let protocolVersion = 5;
    const send = (packet: object): void => {
      if (!socket.destroyed) socket.write(mqttPacket.generate(packet as mqttPacket.Packet, { protocolVersion }));
    };
    let parser = mqttPacket.parser();
    const answer = (packet: mqttPacket.Packet): void => {
      const { connack = 0, connackProperties = {}, suback = 0, puback = 0, acknowledgeAfterMs = 0 } = script;
      switch (packet.cmd) {
        case 'connect':
          protocolVersion = packet.protocolVersion ?? 4;
          if (protocolVersion === 5 && script.silentOnVersion5 === true) return void socket.end();
          parser = mqttPacket.parser({ protocolVersion });
          parser.on('packet', answer);
          send({
            cmd: 'connack',
            reasonCode: connack,
            returnCode: connack,
            sessionPresent: false,
            properties: connackProperties,
          });
          if (connack !== 0) socket.end();
          if (script.disconnect !== undefined) {
            const { afterMs, reasonCode } = script.disconnect;
            setTimeout(() => {
              send({ cmd: 'disconnect', reasonCode });
              socket.end();
            }, afterMs);
          }
          return;
        case 'subscribe':
          if (connection <= (script.closeAtSubscription ?? 0)) return void socket.end();
          return send({ cmd: 'suback', messageId: packet.messageId, granted: packet.subscriptions.map(() => suback) });
        case 'publish':
          counts.unacknowledged += 1;
          counts.most = Math.max(counts.most, counts.unacknowledged);
          setTimeout(() => {
            counts.unacknowledged -= 1;
            send({ cmd: 'puback', messageId: packet.messageId, reasonCode: puback });
          }, acknowledgeAfterMs);
          return;
        default:
      }
    };
    parser.on('packet', answer);
    socket
      .on('data', (bytes: Buffer) => void parser.parse(bytes))
      .on('error', () => undefined)
      .on('close', () => sockets.delete(socket));
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  return {
    uri: `mqtt://127.0.0.1:${(server.address() as net.AddressInfo).port}/plant`,
    counts,
    close: async () => {
      const closed = new Promise((resolve) => server.close(resolve));
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}
