/** Where the library says the few things it has to say by itself: NODE_DEBUG=millrace, and a warning here and there. */
import { debuglog } from 'node:util';

/** Printed with NODE_DEBUG=millrace only. */
export const debug: (message: string) => void = debuglog('millrace');

let warn: (message: string) => void = (message) => process.emitWarning(message, { code: 'MILLRACE_WARNING' });

/** What `logOnce` has told by `warn`; a handful of literals. */
const told: Set<string> = new Set();

/** A warning the user should see, once per process: strangers may bring about its cause as often as they like. */
export function logOnce(subject: string, message: string): void {
  debug(message);
  if (told.has(subject)) return;
  told.add(subject);
  warn(message);
}

/** The command line prints warnings in its own form. A new printer has told nothing yet. */
export function setWarningPrinter(printer: (message: string) => void): void {
  warn = printer;
  told.clear();
}
