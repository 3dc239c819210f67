import type { Gate, Quarantine, RolloutForecast } from '../../fleet/index.js';
import { bytesText, namedText, percentText, table } from './text.js';

export function rolloutPlanReport(forecast: RolloutForecast): string {
  const { rollout, target, bundle, devices, waves, publishedBytes, unknown, otherTargets, neverConnected } = forecast;
  const signed = bundle.signed ? 'signed' : 'not signed';
  const perDevice = publishedBytes.perDevice * devices;
  let sum = 0;
  const rows = waves.map((wave, i) => {
    sum += wave.devices;
    const share = `${((100 * sum) / devices).toFixed(sum === devices ? 0 : 1)} %`;
    return [String(i + 1), String(wave.devices), share, String(wave.online), String(wave.running), namedText(wave.ids)];
  });
  return [
    `rollout ${rollout}: version ${bundle.version} (${bundle.sha256.slice(0, 12)}, ${signed}) to ${devices} ` +
      `devices of ${target}, in ${waves.length} waves`,
    `published: ${bytesText(publishedBytes.bundle)} once, and ${bytesText(publishedBytes.perDevice)} for each ` +
      `device (${bytesText(perDevice)})`,
    '',
    ...(devices === 0
      ? [`no device of ${target} is selected`]
      : [table(rows, ['wave', 'devices', 'cumulative', 'online', 'already run it', ''])]),
    '',
    ...forecast.gates.map(
      (gate, g) =>
        `${gateText(gate)}: waves fail from ${waves.map((wave) => wave.failsFrom[g] ?? 'never').join(', ')} ` +
        'bad devices on',
    ),
    ...(neverConnected.length === 0 ? [] : [quarantineText({ ids: neverConnected, why: 'never-connected' })]),
    ...(unknown.length === 0 ? [] : [`not in this fleet: ${namedText(unknown)}`]),
    ...(otherTargets.length === 0
      ? []
      : [`of another target, left out: ${namedText(otherTargets.map(({ id, target: other }) => `${id} (${other})`))}`]),
  ].join('\n');
}

export function quarantineText({ ids, why }: { readonly ids: readonly string[]; readonly why: Quarantine }): string {
  if (why === 'not-expected') return `not in the rollout, which expects a fixed number of devices: ${namedText(ids)}`;
  return (
    'not in the rollout, because they were never connected to the broker (anyone may have written their ' +
    `reports): ${namedText(ids)}`
  );
}

export function gateText(gate: Gate): string {
  const then = gate.action === 'next' ? 'noted only' : `else ${gate.action.replace('-', ' ')}`;
  if (gate.measure === 'confirmed') return `at least ${percentText(1 - gate.maxBad)} confirmed, ${then}`;
  return `at most ${percentText(gate.maxBad)} ${badText(gate)}, ${then}`;
}

function badText(gate: Gate): string {
  const either = (...limits: readonly (string | null)[]): string =>
    limits.filter((limit) => limit !== null).join(' or ');
  switch (gate.measure) {
    case 'latency':
      return either(
        gate.limitMs === null ? null : `above ${gate.limitMs} ms`,
        gate.factor === null ? null : `more than ${gate.factor} times as slow as before`,
      );
    case 'accuracy':
      return either(
        gate.least === null ? null : `below ${percentText(gate.least)} accuracy`,
        gate.drop === null ? null : `less accurate by more than ${percentText(gate.drop)} than before`,
      );
    case 'agreement':
      return `more than ${gate.limitLsb} LSB from the simulator`;
    case 'arena':
      return `above ${bytesText(gate.limitBytes)} of arena`;
    default:
      return gate.measure;
  }
}
