/** The command line inside this process, with streams and a signal of the test's own. */
import { PassThrough } from 'node:stream';
import { runCli } from '../../src/cli/cli.ts';
import type { CliIo } from '../../src/cli/io.ts';

/** In the environment of every run. */
export const PASSPHRASE = 'only for a test';

/** A run of the command line. */
export interface RunHere {
  readonly code: Promise<number>;
  /** What it has written to stderr. */
  said(): string;
  /** As SIGINT would. */
  signal(): void;
}

/** Runs `millrace ARGS`. */
export function runHere(args: readonly string[]): RunHere {
  let said = '';
  let signal = (): void => {};
  const io = {
    stdin: new PassThrough(),
    stdout: new PassThrough(),
    stderr: {
      write: (text: string) => {
        said += text;
      },
    },
    env: { MILLRACE_PASSPHRASE: PASSPHRASE },
    version: '0',
    onSignal: (handler: () => void) => {
      signal = handler;
    },
  };
  return { code: runCli(args, io as unknown as CliIo), said: () => said, signal: () => signal() };
}
