/** Where the library says the few things it has to say by itself: NODE_DEBUG=millrace, and one warning. */
import { debuglog } from 'node:util';

/** Printed with NODE_DEBUG=millrace only. */
export const debug: (message: string) => void = debuglog('millrace');

let warn: (message: string) => void = (message) => process.emitWarning(message, { code: 'MILLRACE_WARNING' });

/** A warning the user should see once. */
export function log(message: string): void {
  warn(message);
}

/** The command line prints warnings in its own form. */
export function setWarningPrinter(printer: (message: string) => void): void {
  warn = printer;
}
