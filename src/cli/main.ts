#!/usr/bin/env node
/** The bin: gives the command line its streams and signals, and exits with its code. */
import { readFileSync } from 'node:fs';
import { setWarningPrinter } from '../node/log.ts';
import { runCli } from './cli.ts';
import { describeError, EXIT_FAILURE, EXIT_INTERRUPTED, isBrokenPipe } from './errors.ts';
import { printable } from './printable.ts';

const { version } = JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')) as {
  version: string;
};

setWarningPrinter((message) => process.stderr.write(`millrace: ${printable(message)}\n`));

const handlers: (() => void)[] = [];
let signals = 0;
for (const name of ['SIGINT', 'SIGTERM'] as const) {
  process.on(name, () => {
    // Nobody is there to close gracefully, or somebody is in a hurry.
    if (signals++ > 0 || handlers.length === 0) process.exit(EXIT_INTERRUPTED);
    for (const handler of handlers) handler();
  });
}
// Whoever read our lines is gone: go on without.
process.stderr.on('error', () => {});
process.stdout.on('error', () => {});
process.on('uncaughtException', (error) => {
  if (isBrokenPipe(error)) process.exit(0);
  process.stderr.write(`${describeError(error)}\n`);
  process.exit(EXIT_FAILURE);
});

const code: Promise<number> = runCli(process.argv.slice(2), {
  stdin: process.stdin,
  stdout: process.stdout,
  stderr: process.stderr,
  env: process.env,
  version,
  onSignal: (handler) => handlers.push(handler),
});
// Sockets in their closing period and an open stdin would keep the process: everything that matters has settled.
void code.then((exitCode) => process.exit(exitCode));
