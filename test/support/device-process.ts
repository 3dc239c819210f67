// A device in a process of its own: `atoll simulate-device` or `atoll serve`, reached as its users reach it.

import { type ChildProcess, spawn } from 'node:child_process';
import path from 'node:path';

export interface DeviceProcess {
  readonly uri: string;
  readonly child: ChildProcess;
  /** As a user ends it; the exit code. */
  readonly stop: () => Promise<number | null>;
}

export function simulateDevice(...options: readonly string[]): Promise<DeviceProcess> {
  return serving('simulate-device', ...options);
}

export async function serving(
  verb: 'simulate-device' | 'serve',
  ...options: readonly string[]
): Promise<DeviceProcess> {
  const child = spawn(process.execPath, [path.resolve('bin/atoll.js'), verb, ...options, '--json'], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = new Promise<number | null>((resolve) => child.once('close', resolve));
  const uri = await new Promise<string>((resolve, reject) => {
    let said = '';
    child.stdout.on('data', (text: Buffer) => {
      said += text.toString();
      const found = /"uri": "([^"]+)"/.exec(said)?.[1];
      if (found !== undefined) resolve(found);
    });
    child.stderr.on('data', (text: Buffer) => {
      said += text.toString();
    });
    void ended.then((code) => reject(new Error(`${verb} ended with ${code}: ${said}`)));
  });
  return {
    uri,
    child,
    stop: () => {
      child.kill('SIGINT');
      return ended;
    },
  };
}
