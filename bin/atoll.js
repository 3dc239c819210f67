#!/usr/bin/env node
import { main, reportFailure } from '../dist/app/cli/main.js';

// A reader that closes the pipe early is no error.
process.stdout.on('error', (error) => {
  if (error.code === 'EPIPE') process.exit(0);
  process.stderr.write(`error FILE_NOT_WRITABLE: cannot write standard output: ${error.message}\n`);
  process.exit(3);
});
for (const event of ['uncaughtException', 'unhandledRejection']) {
  process.on(event, (error) => process.exit(reportFailure(error, process.argv.slice(2))));
}
process.exitCode = await main(process.argv.slice(2));
// A native library may hold on to a device that is gone: that keeps nobody waiting, once everything is written.
const lingering = setInterval(() => {
  if (process.stdout.writableLength === 0 && process.stderr.writableLength === 0) process.exit();
}, 1000);
lingering.unref();
