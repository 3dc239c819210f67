// The device side in C, built from firmware-protocol/c and run: as a program of this machine, and on boards that QEMU
// emulates.

import { type ChildProcess, execFile, spawn } from 'node:child_process';
import path from 'node:path';
import { promisify } from 'node:util';
import type { DeviceProcess } from './device-process.js';

const folder = path.resolve('firmware-protocol/c');

/** @param goal of its Makefile */
export async function buildFirmware(goal: 'posix' | 'qemu' | 'usb' | 'fleet'): Promise<void> {
  await promisify(execFile)('make', ['-C', folder, goal]);
}

/** @param where pty, tcp:0 or udp:0 */
export async function posixDevice(where: string, ...options: readonly string[]): Promise<DeviceProcess> {
  const child = spawn(path.join(folder, 'build/atoll-device'), ['--listen', where, ...options], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  return reached(child, /"uri": "([^"]+)"/);
}

export interface BoardOptions {
  readonly machine: 'mps2-an386' | 'mps2-an500';
  /** Named as the machine unless given. */
  readonly firmware?: string;
  /** Keeps the emulated flash from one start to the next. */
  readonly flashFile?: string;
  /** Counts time in instructions, so that it is the same in every run. */
  readonly deterministic?: boolean;
}

export async function qemuBoard({
  machine,
  firmware = machine,
  flashFile,
  deterministic = false,
}: BoardOptions): Promise<DeviceProcess> {
  const memory =
    flashFile === undefined ? [] : ['-object', `memory-backend-file,id=psram,size=16M,mem-path=${flashFile},share=on`];
  const args = ['-M', flashFile === undefined ? machine : `${machine},memory-backend=psram`, ...memory];
  args.push('-nodefaults', '-display', 'none', '-monitor', 'none', '-chardev', 'pty,id=c0', '-serial', 'chardev:c0');
  if (deterministic) args.push('-icount', 'shift=5,align=off,sleep=off');
  args.push('-kernel', path.join(folder, `build/${firmware}.elf`));
  const child = spawn('qemu-system-arm', args, { stdio: ['ignore', 'pipe', 'pipe'] });
  const board = await reached(child, /redirected to (\S+)/);
  return { ...board, uri: `serial:${board.uri}` };
}

async function reached(child: ChildProcess, pattern: RegExp): Promise<DeviceProcess> {
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const uri = await new Promise<string>((resolve, reject) => {
    let said = '';
    const listen = (text: Buffer): void => {
      said += text.toString();
      const found = pattern.exec(said)?.[1];
      if (found !== undefined) resolve(found);
    };
    child.stdout?.on('data', listen);
    child.stderr?.on('data', listen);
    void ended.then((code) => reject(new Error(`it ended with ${code}: ${said}`)));
  });
  return {
    uri,
    child,
    stop: () => {
      child.kill();
      return ended;
    },
  };
}
