// Starts Zephyr's own SMP servers, as the tests of github.com/intercreate/smpclient carry them
// (tests/fixtures/smp-server): programs for native_sim, and images for QEMU. Their manifest.json says how each is
// started and reached.

import { spawn } from 'node:child_process';
import { mkdtemp, readdir, readFile, rm, symlink } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';

const startMs = 20_000;

/**
 * @returns {Promise<{name: string, artifact: string, transport: string, groups: string[], run: string | null, qemu_cmd:
 * string | null, udp_port: number | null, ip_family: string | null}[]>} those that are in the folder and can be run
 */
export async function serversIn(folder) {
  const manifest = JSON.parse(await readFile(path.join(folder, 'manifest.json'), 'utf8'));
  const there = new Set(await readdir(folder));
  return manifest
    .filter(({ artifact, run, qemu_cmd: emulated }) => there.has(artifact) && (run !== null || emulated !== null))
    .map((entry) => ({ ...entry, name: `${entry.target}.${entry.config}` }))
    .sort((a, b) => (a.name < b.name ? -1 : 1));
}

/** @returns {Promise<{uri: string, stop: () => Promise<void>}>} its URI for `openDevice` */
export async function start(folder, server) {
  // What a server writes (its flash) stays apart from the programs.
  const work = await mkdtemp(path.join(tmpdir(), 'atoll-zephyr-'));
  for (const name of await readdir(folder)) await symlink(path.join(folder, name), path.join(work, name));
  const port = server.qemu_cmd === null ? null : await freePort();
  const [program, ...args] = (server.run ?? server.qemu_cmd.replace('<PORT>', String(port))).split(' ');
  const child = spawn(program, args, { cwd: work, stdio: ['ignore', 'pipe', 'pipe'] });
  let said = '';
  const ended = new Promise((resolve) => child.once('exit', resolve));
  const failed = new Promise((_, reject) => {
    child.once('error', reject);
    child.once('exit', (code) => reject(new Error(`${server.name} ended with ${code}: ${said.slice(-300)}`)));
  });
  failed.catch(() => undefined);
  child.stdout.on('data', (text) => {
    said += text;
  });
  child.stderr.on('data', (text) => {
    said += text;
  });
  const stop = async () => {
    child.kill('SIGKILL');
    await ended;
    await rm(work, { recursive: true, force: true });
  };
  const framing = server.transport === 'serial_raw' ? 'raw' : 'console';
  const find = async () => {
    if (port !== null) return `tcp:127.0.0.1:${port}?framing=${framing}`;
    if (server.transport === 'udp')
      return `udp:${server.ip_family === 'ipv6' ? '[::1]' : '127.0.0.1'}:${server.udp_port ?? 1337}`;
    for (;;) {
      const terminal = /connected to pseudotty: (\S+)/.exec(said)?.[1];
      if (terminal !== undefined) return `serial:${terminal}?framing=${framing}`;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  };
  const late = new Promise((_, reject) =>
    setTimeout(() => reject(new Error(`${server.name} says nothing of where it is`)), startMs).unref(),
  );
  try {
    const uri = await Promise.race([find(), failed, late]);
    // Booting, and the socket of an emulator.
    await new Promise((resolve) => setTimeout(resolve, 1000));
    return { uri, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}
