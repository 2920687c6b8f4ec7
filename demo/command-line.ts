/**
 * What the programs of the demo share on their command lines: options that are numbers, the passphrase, and how they end
 * when they cannot go on. In: texts and errors. Out: checked values; one line on stderr, never a stack trace for what the
 * person who started the program can mend.
 */
import { readFileSync } from 'node:fs';
import process from 'node:process';
import { TransportError } from '../src/index.ts';

/** Exit codes. */
const FAILED = 1;
const WRONG_USAGE = 2;

/** Something that the person who started the program can mend, in words. */
export class Refusal extends Error {
  readonly exitCode: number;

  constructor(message: string, exitCode: number = FAILED) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** @throws Refusal unless `text` is a number from `least` to `most`. */
export function numberOption(name: string, text: string, least: number, most: number): number {
  const value = Number(text);
  if (text.trim() !== '' && value >= least && value <= most) return value;
  throw new Refusal(`--${name} is from ${least} to ${most}; --help lists the options`, WRONG_USAGE);
}

/** The first line of the file, else what the environment has. Undefined if there is neither. */
export function readPassphrase(path: string | undefined): string | undefined {
  return path === undefined ? process.env.MILLRACE_PASSPHRASE : readFileSync(path, 'utf8').split(/\r?\n/)[0];
}

/** For errors of the library that are the caller's mistakes: here the command line's. */
export function refuse(error: unknown): never {
  const isUsage = error instanceof TypeError || error instanceof RangeError;
  throw isUsage ? new Refusal(`${error.message}; --help lists the options`, WRONG_USAGE) : error;
}

interface SystemError extends NodeJS.ErrnoException {
  readonly address?: string;
  readonly port?: number;
}

/** What the system says about sockets and files, in words; undefined for what nobody expects. */
function systemProblem({ code, syscall, address, port, path }: SystemError): string | undefined {
  const where = path ?? [address, port].filter((part) => part !== undefined).join(':');
  switch (code) {
    case 'EADDRINUSE':
      return `port ${port ?? where} is in use by another program; choose one with an option, see --help`;
    case 'EADDRNOTAVAIL':
      return `this machine does not have the address ${address}`;
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
      return 'no machine is known by that name';
    case 'ENOENT':
      return `there is no ${where}`;
    case 'EACCES':
      return syscall === 'open' ? `${where} may not be read` : `${where} may not be used by this user`;
    default:
      return undefined;
  }
}

/** The line for people, and the exit code. */
export function explain(error: unknown): { readonly text: string; readonly exitCode: number } {
  if (error instanceof Refusal) return { text: error.message, exitCode: error.exitCode };
  if (!(error instanceof Error)) return { text: String(error), exitCode: FAILED };
  const { code = '' } = error as NodeJS.ErrnoException;
  if (code.startsWith('ERR_PARSE_ARGS')) {
    // Node.js goes on about positional arguments.
    return { text: `${error.message.split('. ')[0]}; --help lists the options`, exitCode: WRONG_USAGE };
  }
  const text = error instanceof TransportError ? error.message : systemProblem(error);
  return { text: text ?? error.stack ?? error.message, exitCode: FAILED };
}

/** From now on, an error that nothing else takes care of ends the program with {@link explain}'s line. */
export function explainErrors(): void {
  process.on('uncaughtException', (error) => {
    const { text, exitCode } = explain(error);
    console.error(text);
    process.exit(exitCode);
  });
}
