// Verdicts as a JUnit XML report for CI systems.

import { escape as escapeXml } from 'html-escaper';
import type { GateResult } from '../../evaluate/index.js';
import type { CheckResult } from '../../targets/index.js';
import type { DeployResult } from '../deploy.js';

export interface JunitCase {
  readonly name: string;
  /** Null if the case passed or was skipped. */
  readonly failure: string | null;
  readonly skipped?: boolean;
}

export interface JunitSuite {
  readonly name: string;
  readonly className: string;
  readonly cases: readonly JunitCase[];
  readonly milliseconds: number;
  /** Unix time in milliseconds. */
  readonly at: number;
}

export function junitReport({ name, className, cases, milliseconds, at }: JunitSuite): string {
  const count = (is: (one: JunitCase) => boolean): number => cases.filter(is).length;
  const head =
    `tests="${cases.length}" failures="${count(({ failure }) => failure !== null)}" ` +
    `skipped="${count(({ skipped }) => skipped === true)}" time="${(milliseconds / 1000).toFixed(3)}"`;
  const lines = cases.map((one) => {
    const inner =
      one.failure !== null ? `<failure message="${xml(one.failure)}"/>` : one.skipped === true ? '<skipped/>' : '';
    return `    <testcase classname="${xml(className)}" name="${xml(one.name)}" time="0">${inner}</testcase>`;
  });
  return [
    '<?xml version="1.0" encoding="UTF-8"?>',
    `<testsuites ${head}>`,
    `  <testsuite name="${xml(name)}" errors="0" timestamp="${new Date(at).toISOString().slice(0, 19)}" ${head}>`,
    ...lines,
    '  </testsuite>',
    '</testsuites>',
    '',
  ].join('\n');
}

/** Escapes text, and replaces control characters that XML 1.0 does not allow. */
const xml = (text: string): string =>
  escapeXml(text.replaceAll(/[^\t\n\r\u0020-\uD7FF\uE000-\uFFFD\u{10000}-\u{10FFFF}]/gu, ' '));

export function gateCases(gates: readonly GateResult[]): JunitCase[] {
  return gates.map(({ gate, passed, message }) => ({ name: gate, failure: passed ? null : message }));
}

/** One case per target. The failure lists every reason why the model does not fit. */
export function checkCases(results: readonly CheckResult[]): JunitCase[] {
  return results.map(({ target, fits, reasons }) => ({
    name: `fits ${target}`,
    failure: fits ? null : reasons.map(({ code, message }) => `${code}: ${message}`).join('; '),
  }));
}

export function deployCases({ check, gates, push, agreement }: DeployResult): JunitCase[] {
  const { equalSamples, samples, agrees, challenge } = agreement;
  const { vectors, failed } = push.selfTest;
  return [
    ...checkCases([check]),
    ...gateCases(gates),
    { name: 'self-test', failure: failed === 0 ? null : `${failed} of ${vectors} vectors differ` },
    {
      name: 'outputs of device and simulator',
      failure: agrees ? null : `${samples - equalSamples} of ${samples} outputs differ`,
      skipped: samples === 0 && agrees,
    },
    { name: 'challenge', failure: challenge ? null : 'the device computes other outputs than the simulator' },
  ];
}
