#!/usr/bin/env node
import { main } from '../dist/cli/main.js';

// A reader that closes the pipe early is no error.
process.stdout.on('error', (error) => process.exit(error.code === 'EPIPE' ? 0 : 5));
process.exitCode = await main(process.argv.slice(2));
