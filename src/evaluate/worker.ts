// Worker of threads.ts: an interpreter that runs the samples that it receives, one at a time.

import { parentPort, workerData } from 'node:worker_threads';
import { AtollError, fail, reasonOf } from '../base/errors.js';
import { readModel } from '../formats/tflite/index.js';
import { Interpreter } from '../simulator/index.js';
import type { WorkerAnswer, WorkerStart } from './threads.js';

const port = parentPort;
if (port === null) throw fail('INTERNAL', { reason: 'this file is a worker and cannot be run as a program' });
const answer = (message: WorkerAnswer): void => port.postMessage(message);

function failed(error: unknown): WorkerAnswer {
  const known = error instanceof AtollError ? error : fail('INTERNAL', { reason: reasonOf(error) }, error);
  return { kind: 'failed', code: known.code, values: known.values };
}

try {
  const { bytes, options } = workerData as WorkerStart;
  const interpreter = new Interpreter(readModel(bytes), options);
  port.on('message', (sample: Uint8Array) => {
    try {
      const start = performance.now();
      const output = interpreter.run(sample);
      answer({ kind: 'done', output, latencyMs: performance.now() - start });
    } catch (error) {
      answer(failed(error));
    }
  });
  answer({ kind: 'ready' });
} catch (error) {
  answer(failed(error));
}
