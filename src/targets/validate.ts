// Named checks on a target file, beyond what its schema can say. Each gives the faults that it finds.

import type { TargetFile } from './schema.js';

export interface TargetFault {
  readonly check: string;
  readonly path: string;
  readonly reason: string;
}

type Check = (target: TargetFile) => { readonly path: string; readonly reason: string } | null;

const checks: Readonly<Record<string, Check>> = {
  'flash-usable': ({ flash }) =>
    flash !== null && flash.usableBytes > flash.bytes ? { path: 'flash.usableBytes', reason: `${flash.usableBytes} of only ${flash.bytes} bytes` } : null,
  'flash-room': ({ flash }) =>
    flash !== null && flash.firmwareBytes >= flash.usableBytes ? { path: 'flash.firmwareBytes', reason: 'the firmware leaves no flash for a model' } : null,
  'ram-room': ({ ram }) => (ram.firmwareBytes >= ram.bytes ? { path: 'ram.firmwareBytes', reason: 'the firmware leaves no RAM for an arena' } : null),
  'core-or-accelerator': ({ core, runtime }) =>
    (core === null) !== (runtime.kernels === 'edgetpu') ? { path: 'core', reason: 'a microcontroller has a core, an Edge TPU none' } : null,
  'clock-for-cycles': ({ clockHz, latency }) =>
    latency.kind === 'cycles' && clockHz === null ? { path: 'clockHz', reason: 'cycles mean nothing without a clock' } : null,
  'alignment-power-of-two': ({ alignment }) =>
    (alignment & (alignment - 1)) !== 0 ? { path: 'alignment', reason: `${alignment} is not a power of two` } : null,
  'figures-have-sources': ({ sources, unverified, flash }) => {
    const missing = ['ram', ...(flash === null ? [] : ['flash']), 'latency'].find(
      (figure) => !Object.keys(sources).some((key) => key === figure || key.startsWith(`${figure}.`)) && !unverified.includes(figure),
    );
    return missing === undefined ? null : { path: `sources.${missing}`, reason: 'a figure needs a source, or a place under unverified' };
  },
};

/** Every fault of a target file; none when it is sound. */
export function validateTarget(target: TargetFile): TargetFault[] {
  return Object.entries(checks).flatMap(([check, run]) => {
    const fault = run(target);
    return fault === null ? [] : [{ check, ...fault }];
  });
}
