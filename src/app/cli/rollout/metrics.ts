// Serves metrics of a rollout to Prometheus over HTTP while the rollout is led.

import http from 'node:http';
import type net from 'node:net';
import { fail, reasonOf } from '../../../base/errors.js';
import type { RolloutSummary } from '../../../fleet/index.js';
import { rolloutMetrics } from '../../report/index.js';

/** @param where [HOST:]PORT; undefined disables it. @returns a function that stops it. @throws USAGE, LISTEN */
export async function serveMetrics(
  where: string | undefined,
  summary: () => Promise<RolloutSummary>,
): Promise<() => Promise<void>> {
  if (where === undefined) return async () => undefined;
  const [, host = '127.0.0.1', port] = /^(?:(.+):)?(\d{1,5})$/.exec(where) ?? [];
  if (port === undefined) throw fail('USAGE', { reason: `--metrics ${where}: must be a port, or HOST:PORT` });
  const server = http.createServer((request, response) => {
    if (request.url !== '/metrics') return void response.writeHead(404).end();
    summary()
      .then(rolloutMetrics)
      .then(({ type, text }) => response.writeHead(200, { 'content-type': type }).end(text))
      .catch((error: unknown) => response.writeHead(500).end(`${reasonOf(error)}\n`));
  });
  await new Promise<void>((resolve, reject) => server.once('error', reject).listen(Number(port), host, resolve)).catch(
    (error: unknown) => {
      throw fail(
        'LISTEN',
        { address: `${host}:${(server.address() as net.AddressInfo | null)?.port ?? port}`, reason: reasonOf(error) },
        error,
      );
    },
  );
  return () =>
    new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    });
}
