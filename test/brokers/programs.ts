// Brokers of others as child processes of a test, each on a free port of this machine, with nothing but what it needs
// to let everyone in.

import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { peerFolder } from '../peers/folder.js';
import { embeddedBroker, freePort, mosquitto, type TestBroker } from '../support/brokers.js';
import { writeFiles } from '../support/files.js';
import { missingTools } from '../support/tools.js';

export interface BrokerProgram {
  readonly name: string;
  /** What is missing here; null where it can be started. */
  readonly missing: string | null;
  readonly start: () => Promise<TestBroker>;
}

interface Command {
  readonly program: string;
  readonly args: readonly string[];
  readonly options?: SpawnOptions;
  /** Programs that it needs beside it, started before it and ended after it. */
  readonly helpers?: readonly Omit<Command, 'helpers'>[];
}

const installed = (name: string): string => path.join(peerFolder, name);
const rabbitmq = '/usr/sbin/rabbitmq-server';

/** @param command in a folder of its own, at a port */
function programOf(
  name: string,
  missing: string | null,
  command: (folder: string, port: number) => Command | Promise<Command>,
): BrokerProgram {
  return {
    name,
    missing,
    start: async () => {
      const folder = mkdtempSync(path.join(tmpdir(), `atoll-${name}-`));
      const port = await freePort();
      const { helpers = [], ...main } = await command(folder, port);
      const children = [...helpers, main].map(({ program, args, options }) =>
        spawn(program, args, { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'], ...options }),
      );
      const stop = async (): Promise<void> => {
        for (const child of children.reverse()) await ended(child);
        rmSync(folder, { recursive: true, force: true, maxRetries: 5 });
      };
      try {
        await listening(name, children.at(-1) as ChildProcess, port);
      } catch (error) {
        await stop();
        throw error;
      }
      return { uri: `mqtt://127.0.0.1:${port}`, stop };
    },
  };
}

const absent = (name: string): string | null =>
  existsSync(path.join(installed(name), 'installed')) ? null : `${name} (node test/peers/install.js brokers)`;

export const brokerPrograms: readonly BrokerProgram[] = [
  { name: 'atoll broker', missing: null, start: () => embeddedBroker() },
  {
    name: 'mosquitto',
    missing: missingTools(['mosquitto'])[0] ?? null,
    start: () => mosquitto(mkdtempSync(path.join(tmpdir(), 'atoll-mosquitto-'))),
  },
  programOf('hivemq', absent('hivemq'), (folder, port) => {
    const listener = `<tcp-listener><port>${port}</port><bind-address>127.0.0.1</bind-address></tcp-listener>`;
    writeFiles(folder, {
      'config.xml':
        `<hivemq><listeners>${listener}</listeners>` +
        '<anonymous-usage-statistics><enabled>false</enabled></anonymous-usage-statistics></hivemq>\n',
    });
    return {
      program: 'java',
      args: ['-cp', path.join(installed('hivemq'), 'jars', '*'), path.resolve('test/brokers/HiveMq.java'), folder],
    };
  }),
  programOf('moquette', absent('moquette'), (folder, port) => {
    const settings = [
      `port ${port}`,
      'host 127.0.0.1',
      'allow_anonymous true',
      'telemetry_enabled false',
      `data_path ${folder}/data`,
    ];
    for (const name of ['config', 'data']) mkdirSync(path.join(folder, name));
    writeFiles(folder, { 'config/moquette.conf': `${settings.join('\n')}\n` });
    return {
      program: 'java',
      args: [
        `-Dmoquette.path=${folder}`,
        '-cp',
        path.join(installed('moquette'), 'jars', '*'),
        'io.moquette.broker.Server',
      ],
    };
  }),
  programOf('mochi', absent('mochi'), (_folder, port) => {
    return {
      program: path.join(installed('mochi'), 'cmd'),
      args: ['-tcp', `127.0.0.1:${port}`, '-ws', '127.0.0.1:0', '-info', '127.0.0.1:0'],
    };
  }),
  programOf('amqtt', absent('amqtt'), (folder, port) => {
    const plugin = 'amqtt.plugins.authentication.AnonymousAuthPlugin';
    writeFiles(folder, {
      'broker.yaml':
        `listeners: { default: { type: tcp, bind: '127.0.0.1:${port}' } }\nplugins: { ${plugin}: { ` +
        'allow_anonymous: true } }\n',
    });
    return { program: path.join(installed('amqtt'), 'bin', 'amqtt'), args: ['-c', 'broker.yaml'] };
  }),
  programOf('rabbitmq', existsSync(rabbitmq) ? null : 'rabbitmq-server', async (folder, port) => {
    const [names, distribution] = [await freePort(), await freePort()];
    writeFiles(folder, {
      'rabbitmq.conf':
        `listeners.tcp = none\nmqtt.listeners.tcp.1 = 127.0.0.1:${port}\nmqtt.allow_anonymous = ` +
        'true\nloopback_users = none\n',
      plugins: '[rabbitmq_mqtt].\n',
    });
    const node = {
      ...process.env,
      HOME: folder,
      ERL_EPMD_PORT: String(names),
      ERL_EPMD_ADDRESS: '127.0.0.1',
      RABBITMQ_NODENAME: `atoll-${port}@localhost`,
      RABBITMQ_DIST_PORT: String(distribution),
      RABBITMQ_CONFIG_FILE: path.join(folder, 'rabbitmq.conf'),
      RABBITMQ_ENABLED_PLUGINS_FILE: path.join(folder, 'plugins'),
      RABBITMQ_MNESIA_BASE: path.join(folder, 'mnesia'),
      RABBITMQ_LOGS: '-',
    };
    // Its name server would stay behind as a daemon if the node started it.
    return {
      program: '/usr/lib/rabbitmq/bin/rabbitmq-server',
      args: [],
      options: { env: node },
      helpers: [{ program: 'epmd', args: [], options: { env: node } }],
    };
  }),
];

async function ended(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  const gone = new Promise((resolve) => child.once('exit', resolve));
  child.kill();
  const impatience = setTimeout(() => child.kill('SIGKILL'), 15_000);
  await gone;
  clearTimeout(impatience);
}

async function listening(name: string, child: ChildProcess, port: number): Promise<void> {
  let said = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (text: Buffer) => {
      said = `${said}${text.toString()}`.slice(-4000);
    });
  for (let tries = 0; tries < 600; tries++) {
    if (child.exitCode !== null) throw new Error(`${name} ended with ${child.exitCode}: ${said}`);
    const open = await new Promise<boolean>((resolve) => {
      const socket = net.connect(port, '127.0.0.1').once('connect', () => resolve(true));
      socket.once('error', () => resolve(false)).once('connect', () => socket.destroy());
    });
    if (open) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`${name} does not listen: ${said}`);
}
