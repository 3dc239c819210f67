// Programs of others that some tests need. Such tests are skipped where the program is absent, unless
// ATOLL_REQUIRE_TOOLS=1 makes its absence a failure; the last line of a run names what was missing.

import { execFileSync } from 'node:child_process';
import { networkInterfaces } from 'node:os';
import { test } from 'vitest';
import { hasPostgres } from './postgres.js';

function works(command: string, args: readonly string[]): boolean {
  try {
    execFileSync(command, args, { stdio: 'ignore', timeout: 20_000 });
    return true;
  } catch {
    return false;
  }
}

/** A Python that has the packages smpclient and pycose. */
export const smpPython = process.env.ATOLL_SMP_PYTHON ?? 'python3';

const probes = {
  socat: () => works('socat', ['-V']),
  make: () => works('make', ['--version']),
  gcc: () => works('gcc', ['--version']),
  'arm-none-eabi-gcc': () =>
    works('arm-none-eabi-gcc', ['-x', 'c', '-c', '-o', '/dev/null', '-include', 'math.h', '/dev/null']),
  'qemu-system-arm': () => works('qemu-system-arm', ['--version']),
  umockdev: () => works('umockdev-wrapper', ['pkg-config', '--exists', 'umockdev-1.0']),
  'dfu-util': () => works('dfu-util', ['--version']),
  openocd: () => works('openocd', ['--version']),
  bossac: () => works('sh', ['-c', 'command -v bossac']),
  esptool: () => works('esptool', ['version']),
  ipv6: () =>
    Object.values(networkInterfaces()).some((addresses) => addresses?.some(({ address }) => address === '::1')),
  libmosquitto: () => works('gcc', ['-xc', '-E', '-include', 'mosquitto.h', '/dev/null', '-o', '/dev/null']),
  libcrypto: () => works('pkg-config', ['--exists', 'libcrypto']),
  pycose: () => works(smpPython, ['-c', 'import pycose.messages']),
  mosquitto: () => works('sh', ['-c', 'command -v mosquitto || test -x /usr/sbin/mosquitto']),
  postgres: hasPostgres,
  openssl: () => works('openssl', ['version']),
  smpclient: () => works(smpPython, ['-c', 'import smpclient.transport.serial']),
} as const satisfies Record<string, () => boolean>;

export type Tool = keyof typeof probes;

export function missingTools(tools: readonly Tool[] = Object.keys(probes) as Tool[]): Tool[] {
  return tools.filter((tool) => !probes[tool]());
}

/** A test that needs these programs. */
export function toolTest(...tools: readonly Tool[]): typeof test {
  const missing = missingTools(tools);
  if (missing.length > 0 && process.env.ATOLL_REQUIRE_TOOLS === '1')
    throw new Error(`ATOLL_REQUIRE_TOOLS=1, but there is no ${missing.join(', ')}`);
  return test.skipIf(missing.length > 0) as typeof test;
}
