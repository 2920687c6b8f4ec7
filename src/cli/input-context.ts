/** What every kind of media input is given, and where its media frames go. */
import type { Readable } from 'node:stream';
import type { MediaUnit } from './framing.ts';
import type { Framing } from './option-values.ts';
import type { Clock } from './pace.ts';

/** What an input needs to know. */
export interface InputContext {
  readonly framing: Framing | undefined;
  /** Bit/s, from `--bitrate`. */
  readonly bitrate: number | undefined;
  readonly pace: 'real' | 'off' | undefined;
  /** Bytes of a media frame that is cut from a byte stream. */
  readonly frameBytes: () => number;
  /** What the path carries, bit/s; 0 = not known. */
  readonly targetBps: () => number;
  readonly stdin: Readable;
  readonly clock: Clock;
  /** A line on stderr. */
  readonly note: (line: string) => void;
  /** Stops the input; the media frames so far still count. */
  readonly signal: AbortSignal;
}

/** Gets each media frame; a promise asks the input to wait, if it can. */
export type UnitSink = (unit: MediaUnit) => void | Promise<void>;
