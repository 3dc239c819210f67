// Metrics of a rollout in Prometheus' text format.

import type { RolloutSummary } from '../../fleet/index.js';

/** @returns the text, and its media type */
export async function rolloutMetrics(
  summary: RolloutSummary,
): Promise<{ readonly type: string; readonly text: string }> {
  const { Gauge, Registry } = await import('prom-client');
  const registry = new Registry();
  const { rollout, target } = summary;
  registry.setDefaultLabels({ rollout, target });
  const gauge = (name: string, help: string, labels: readonly string[] = []) =>
    new Gauge({ name, help, labelNames: [...labels], registers: [registry] });
  const phase = gauge('atoll_rollout_phase', '1 for the current phase of the rollout.', ['phase']);
  phase.set({ phase: summary.phase }, 1);
  gauge('atoll_rollout_wave', 'The current wave, counted from 1.').set(summary.wave);
  gauge('atoll_rollout_broker_connected', '1 while the agent is connected to the broker, or no agent leads.').set(
    summary.broker === null ? 1 : 0,
  );
  const brokerSince = gauge(
    'atoll_rollout_broker_disconnected_timestamp_seconds',
    'Start of the current disconnection from the broker; absent while connected.',
  );
  if (summary.broker !== null) brokerSince.set(summary.broker.since / 1000);
  gauge('atoll_rollout_elapsed_seconds', 'Time during which the rollout was led.').set(summary.elapsedMs / 1000);
  const devices = gauge('atoll_rollout_devices', 'Devices by wave and phase.', ['wave', 'phase']);
  const latency = gauge(
    'atoll_rollout_latency_p95_seconds',
    'Median over the confirmed devices of their 95th percentiles.',
    ['wave', 'model'],
  );
  const accuracy = gauge('atoll_rollout_accuracy_ratio', 'Median accuracy of the confirmed devices.', [
    'wave',
    'model',
  ]);
  for (const [i, wave] of summary.waves.entries()) {
    for (const [name, count] of Object.entries(wave.counts)) devices.set({ wave: i + 1, phase: name }, count);
    if (wave.p95Ms !== null) latency.set({ wave: i + 1, model: 'new' }, wave.p95Ms / 1000);
    if (wave.beforeP95Ms !== null) latency.set({ wave: i + 1, model: 'before' }, wave.beforeP95Ms / 1000);
    if (wave.accuracy !== null) accuracy.set({ wave: i + 1, model: 'new' }, wave.accuracy);
    if (wave.beforeAccuracy !== null) accuracy.set({ wave: i + 1, model: 'before' }, wave.beforeAccuracy);
  }
  const gates = gauge('atoll_rollout_gate_bad_devices', 'Devices of the current wave that a gate counts as bad.', [
    'gate',
    'measure',
  ]);
  for (const [i, { measure, judgement }] of summary.gates.entries())
    if (judgement !== null) gates.set({ gate: i + 1, measure }, judgement.bad);
  return { type: registry.contentType, text: await registry.metrics() };
}
