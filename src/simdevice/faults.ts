// Named faults that a simulated device can be given, to see what the host makes of them.

import { fail } from '../errors.js';

export const faultNames = ['lost-response', 'late-response', 'short-write', 'reboot-mid-upload', 'wrong-result', 'volume-full'] as const;
export type FaultName = (typeof faultNames)[number];

/**
 * - lost-response: every tenth answer is not sent; the request was carried out
 * - late-response: every tenth answer comes after the answer to the repeated request
 * - short-write: one chunk is stored without its last byte, and reported as whole
 * - reboot-mid-upload: the device resets once after half of the image
 * - wrong-result: the first output byte of every inference is off by one
 * - volume-full: the second half of an image cannot be written
 */
export class Faults {
  private answers = 0;
  private readonly done = new Set<FaultName>();

  constructor(private readonly names: ReadonlySet<FaultName>) {}

  has(name: FaultName): boolean {
    return this.names.has(name);
  }

  /** True for the first call only, and only where the fault is given. */
  once(name: FaultName): boolean {
    if (!this.has(name) || this.done.has(name)) return false;
    this.done.add(name);
    return true;
  }

  countAnswer(): number {
    this.answers += 1;
    return this.answers;
  }
}

/** @throws USAGE for a name that is none */
export function faultsNamed(names: readonly string[]): FaultName[] {
  return names.map((name) => {
    const fault = faultNames.find((known) => known === name);
    if (fault === undefined) throw fail('USAGE', { reason: `no fault is named ${name}; there are ${faultNames.join(', ')}` });
    return fault;
  });
}
