/** What a command is given besides its arguments: streams, environment, signals. Tests hand in their own. */
import type { Readable, Writable } from 'node:stream';

/** What a command touches outside itself. */
export interface CliIo {
  readonly stdin: Readable;
  readonly stdout: Writable;
  readonly stderr: NodeJS.WriteStream;
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly version: string;
  /** Calls back on the first SIGINT or SIGTERM. */
  readonly onSignal: (handler: () => void) => void;
}
