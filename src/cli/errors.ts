/**
 * How failures reach a person: one line with a code and what to do, never a stack trace. Exit codes: 0 ok, 1 transport
 * or I/O error, 2 usage.
 */
import { type ErrorCode, TransportError } from '../base/errors.ts';
import { printable } from './printable.ts';
import { redact } from './redact.ts';

export const EXIT_OK = 0;
export const EXIT_FAILURE = 1;
export const EXIT_USAGE = 2;
/** A second signal while closing: 128 + SIGINT, as shells have it. */
export const EXIT_INTERRUPTED = 130;

/** The command line is wrong. The message says how it should be. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}

/** At the end of an advice. */
const RECONNECT = ', or use --reconnect';

/** What to do about each failure, for messages that name only the failure. */
const ADVICE: Partial<Record<ErrorCode, string>> = {
  ERR_MILLRACE_TIMEOUT: 'check host, port and firewall (UDP), or give more time with --timeout',
  ERR_MILLRACE_IDLE_TIMEOUT: 'the path or the peer is gone; start again, or use --reconnect',
  ERR_MILLRACE_FORGOTTEN: 'the other side was restarted; start again, or use --reconnect',
  ERR_MILLRACE_REFUSED: 'start the other side first, or use --reconnect',
  ERR_MILLRACE_UNREACHABLE: 'start again once it is online, or use --reconnect',
  ERR_MILLRACE_UNKNOWN_HOST: 'check the spelling of the host',
  ERR_MILLRACE_ADDRESS: 'choose another port, or stop what uses it',
  ERR_MILLRACE_VERSION: 'update millrace on the older side',
  ERR_MILLRACE_PASSPHRASE: 'give both sides the same passphrase',
  ERR_MILLRACE_CERTIFICATE: 'give the right --ca, --pin or --servername',
  ERR_MILLRACE_REJECTED: 'ask whoever runs the other side for access',
  ERR_MILLRACE_BUSY: 'the resource has its publisher already: stop that one first, or use another resource',
  ERR_MILLRACE_PROTOCOL: 'run the same version of millrace on both sides',
};

/** Codes of `node:` errors in words, for messages about files and sockets. */
const SYSTEM: Record<string, string> = {
  ENOENT: 'there is no such file or directory',
  EACCES: 'permission denied',
  EPERM: 'not permitted',
  EISDIR: 'it is a directory',
  ENOSPC: 'the disk is full',
  EADDRINUSE: 'the address is in use',
  EADDRNOTAVAIL: 'this machine does not have that address',
  ENOTFOUND: 'the host name does not resolve',
  EAI_AGAIN: 'the name service cannot be reached',
};

/** Wraps a failure of files, pipes or local sockets; `what` names the thing as the user wrote it. */
export function ioError(what: string, cause: unknown): TransportError {
  const code = (cause as NodeJS.ErrnoException)?.code;
  const text = (code === undefined ? undefined : SYSTEM[code]) ?? messageOf(cause);
  return new TransportError('ERR_MILLRACE_IO', `${what}: ${text}`, { cause });
}

/**
 * The line for stderr, without its newline. Secrets are redacted, and what a peer said steers no terminal.
 *
 * @param hasAdvice False where the program itself does what is to be done.
 * @param canReconnect False for a command without `--reconnect`.
 */
export function describeError(error: unknown, hasAdvice = true, canReconnect = true): string {
  if (error instanceof UsageError) return `millrace: ${oneLine(error.message)}`;
  if (!(error instanceof TransportError))
    return `millrace: ERR_MILLRACE_INTERNAL: ${oneLine(messageOf(error))}`;
  const all = ADVICE[error.code];
  const advice = canReconnect ? all : all?.replace(RECONNECT, '');
  const message = oneLine(error.message);
  // The library's own messages often say it already, after a semicolon.
  const isEnough = !hasAdvice || advice === undefined || message.includes(';');
  return `millrace: ${error.code}: ${isEnough ? message : `${message}; ${advice}`}`;
}

/** The exit code that an error means. */
export function exitCodeOf(error: unknown): number {
  return error instanceof UsageError ? EXIT_USAGE : EXIT_FAILURE;
}

/** True when the reader of our output went away: a quiet end, not a failure. */
export function isBrokenPipe(error: unknown): boolean {
  const code = (error as NodeJS.ErrnoException)?.code;
  return code === 'EPIPE' || code === 'ERR_STREAM_DESTROYED';
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function oneLine(text: string): string {
  return printable(redact(text).replace(/\s*\n\s*/g, ' '));
}
