/**
 * How a transport is put under test: which programs run at the two ends of the path. One of them reads media frames from
 * its stdin, one writes those that arrive to its stdout; others may stand between (gateways of a peer). A new peer is one
 * file beside this one and a line in `all.ts`.
 */
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import type { Side } from '../emulator/messages.ts';

/** What is carried: media frames at their times, or bytes as fast as they go. */
export type Task = 'frames' | 'bulk';

/** What an adapter may need to know about a cell. */
export interface AdapterContext {
  readonly task: Task;
  /** Recovery budget on top of the one-way delay. */
  readonly latencyMs: number;
  readonly rttMs: number;
  /** Of all sources together. */
  readonly bitrateBps: number;
  /** Names of the sources, which number the tracks: `video`, `audio`. */
  readonly sources: readonly string[];
}

/** One program at one end. */
export interface Program {
  readonly side: Side;
  readonly command: string;
  readonly parameters: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** A line on stderr that says it is ready; or for so many milliseconds nothing is known to say so. */
  readonly ready: RegExp | number;
  /** Its processor time is the transport's. Not so for what only feeds a peer's program. */
  readonly isTransport: boolean;
  /** It writes lines for an encoder to descriptor 3: JSON with `track`, `bitsPerSecond` and `maxFrameBytes`. */
  readonly tellsEncoder?: boolean;
}

/** The programs of one run, started in this order: receiver, gateways, sender. */
export interface Plan {
  /** How frames stand in the pipes: behind a length of 32 bits, or behind the `record` header of docs/cli.md. */
  readonly framing: 'u32' | 'record';
  /** At the server's end; writes frames (bulk: bytes) to stdout. */
  readonly receiver: Program;
  readonly gateways: readonly Program[];
  /** At the client's end; reads frames (bulk: bytes) from stdin. May write `SKIPPED SOURCE INDEX` to stderr. */
  readonly sender: Program;
  /** What is wrong with the line that `sender.ready` matched; undefined when it is as planned. */
  readonly confirm?: (line: string) => string | undefined;
}

export interface Adapter {
  readonly name: string;
  /** For people: what exactly is measured. */
  readonly description: string;
  readonly tasks: readonly Task[];
  /** Why it cannot be measured on this machine; undefined when it can. */
  absence(): string | undefined;
  plan(context: AdapterContext): Plan;
}

/** Why a program cannot be run, with what would bring it; undefined when it can. */
export function absenceOf(command: string, debianPackage: string): string | undefined {
  const folders = (process.env.PATH ?? '').split(':');
  if (folders.some((folder) => existsSync(join(folder, command)))) return undefined;
  return `${command} is not installed (Debian: apt-get install ${debianPackage})`;
}
