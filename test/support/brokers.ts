// Brokers that tests talk to: our own, and mosquitto with its default settings beside what a test needs.

import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import net from 'node:net';
import path from 'node:path';
import { startBroker } from '../../src/devices/mqtt/index.js';
import { writeFiles } from './files.js';

export interface TestBroker {
  readonly uri: string;
  readonly stop: () => Promise<void>;
}

/** A broker in a process of its own. */
export interface BrokerProcess extends TestBroker {
  /** As a power cut ends it. */
  readonly kill: () => Promise<void>;
}

export async function embeddedBroker(folder: string | null = null, port = 0): Promise<TestBroker> {
  const broker = await startBroker({ port, folder });
  return { uri: broker.uri, stop: () => broker.close() };
}

export async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as net.AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return port;
}

const program = existsSync('/usr/sbin/mosquitto') ? '/usr/sbin/mosquitto' : 'mosquitto';

export interface MosquittoOptions {
  /** Lines of its configuration, beside the listener; anonymous clients are let in unless they say otherwise. */
  readonly config?: readonly string[];
  readonly port?: number;
  readonly scheme?: 'mqtt' | 'mqtts';
}

/** @param folder for its configuration */
export async function mosquitto(
  folder: string,
  { config = ['allow_anonymous true'], port, scheme = 'mqtt' }: MosquittoOptions = {},
): Promise<BrokerProcess> {
  const at = port ?? (await freePort());
  const name = `mosquitto-${at}.conf`;
  // Started as root, it would become another user and lose its files.
  const user = process.getuid?.() === 0 ? ['user root'] : [];
  writeFiles(folder, { [name]: `${[`listener ${at} 127.0.0.1`, ...user, ...config].join('\n')}\n` });
  const child = spawn(program, ['-c', path.join(folder, name)], { stdio: ['ignore', 'ignore', 'pipe'] });
  await listening(child, at);
  return { uri: `${scheme}://127.0.0.1:${at}`, ...endings(child) };
}

/** `atoll broker`, which keeps what it retains in a folder. */
export async function brokerProcess(folder: string, port: number): Promise<BrokerProcess> {
  const args = [path.resolve('bin/atoll.js'), 'broker', '--port', String(port), '--data', folder];
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'ignore', 'pipe'] });
  await listening(child, port);
  return { uri: `mqtt://127.0.0.1:${port}`, ...endings(child) };
}

function endings(child: ChildProcess): Pick<BrokerProcess, 'stop' | 'kill'> {
  const endWith = (signal: NodeJS.Signals) => async (): Promise<void> => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  };
  return { stop: endWith('SIGTERM'), kill: endWith('SIGKILL') };
}

async function listening(child: ChildProcess, port: number): Promise<void> {
  let said = '';
  child.stderr?.on('data', (text: Buffer) => {
    said += text.toString();
  });
  for (let tries = 0; tries < 100; tries++) {
    if (child.exitCode !== null) throw new Error(`the broker ended with ${child.exitCode}: ${said}`);
    const open = await new Promise<boolean>((resolve) => {
      const socket = net.connect(port, '127.0.0.1', () => resolve(true)).once('error', () => resolve(false));
      socket.once('connect', () => socket.destroy());
    });
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  throw new Error(`the broker does not listen: ${said}`);
}

/** Files of a certificate authority, a broker of this machine, and clients by name; made by OpenSSL. */
export function certificates(folder: string, clients: readonly string[]): (name: string) => string {
  const at = (name: string): string => path.join(folder, name);
  const openssl = (...args: readonly string[]): void => void execFileSync('openssl', args, { stdio: 'ignore' });
  const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes'];
  const authority = (name: string): void =>
    openssl(
      'req',
      '-x509',
      ...key,
      '-keyout',
      at(`${name}.key`),
      '-out',
      at(`${name}.crt`),
      '-days',
      '2',
      '-subj',
      `/CN=${name}`,
    );
  authority('ca');
  authority('other-ca');
  for (const [name, signer, extra] of [
    ['broker', 'ca', 'subjectAltName=IP:127.0.0.1'],
    ...clients.map((client) => [client, 'ca', 'extendedKeyUsage=clientAuth'] as const),
    ['stranger', 'other-ca', 'extendedKeyUsage=clientAuth'],
  ] as const) {
    writeFiles(folder, { [`${name}.ext`]: extra });
    openssl('req', ...key, '-keyout', at(`${name}.key`), '-out', at(`${name}.csr`), '-subj', `/CN=${name}`);
    const signed = [
      '-CA',
      at(`${signer}.crt`),
      '-CAkey',
      at(`${signer}.key`),
      '-CAcreateserial',
      '-days',
      '2',
      '-extfile',
      at(`${name}.ext`),
    ];
    openssl('x509', '-req', '-in', at(`${name}.csr`), '-out', at(`${name}.crt`), ...signed);
  }
  return at;
}
