/**
 * Framing: how media frames are cut from a byte stream and how they are written to one. Parsers are incremental:
 * however the bytes are split into chunks, the same media frames come out. Source: docs/cli.md.
 */
import { TransportError } from '../base/errors.ts';

/** The largest media frame. */
export const MEDIA_FRAME_BYTES_MAX = 16_777_216;

/** One media frame on its way in. */
export interface MediaUnit {
  /** Owned by the receiver of the unit from now on. */
  data: Uint8Array;
  /** Media time in us, or undefined: the time of arrival counts. */
  timestampUs: number | undefined;
  keyFrame: boolean;
  discardable: boolean;
  /** Which track of a pipe that carries several; 0 otherwise. */
  track: number;
}

/** One media frame on its way out. */
export interface OutgoingUnit {
  readonly data: Uint8Array;
  readonly timestampUs: number;
  readonly keyFrame: boolean;
  readonly discardable: boolean;
  readonly track: number;
  /** Media frames sent on the track before this one. */
  readonly sequence: number;
}

export type EmitUnit = (unit: MediaUnit) => void;

export interface FrameParser {
  /** Takes the next bytes, of which it keeps no view. @throws TransportError (ERR_MILLRACE_IO) on bad framing. */
  push(chunk: Uint8Array, emit: EmitUnit): void;
  /** Nothing came for a while: what is complete in itself need not wait for more. */
  flush(emit: EmitUnit): void;
  /** The input ended. @throws TransportError (ERR_MILLRACE_IO) inside a media frame. */
  end(emit: EmitUnit): void;
}

/** The bytes that stand for one media frame in an output stream: one or two pieces, written in order. */
export type FrameWriter = (unit: OutgoingUnit) => readonly Uint8Array[];

/** Bad framing: exit 1 with what was wrong. */
export function framingError(message: string): TransportError {
  return new TransportError('ERR_MILLRACE_IO', message);
}

/**
 * Collects length-prefixed frames: a header of fixed size that says how long the body is, then the body. Memory grows
 * with what arrived, never with what a header claims.
 */
export class PrefixedFrames {
  readonly #header: Uint8Array;
  readonly #name: string;
  #headerFilled = 0;
  #body: Uint8Array[] = [];
  #bodyFilled = 0;
  #bodySize = 0;

  constructor(headerSize: number, name: string) {
    this.#header = new Uint8Array(headerSize);
    this.#name = name;
  }

  /** `sizeOf` reads the body size from a complete header; `onFrame` gets header (reused) and body (owned). */
  push(
    chunk: Uint8Array,
    sizeOf: (header: Uint8Array) => number,
    onFrame: (header: Uint8Array, body: Uint8Array) => void,
  ): void {
    const header = this.#header;
    let at = 0;
    while (at < chunk.length) {
      if (this.#headerFilled < header.length) {
        const part = Math.min(header.length - this.#headerFilled, chunk.length - at);
        header.set(chunk.subarray(at, at + part), this.#headerFilled);
        this.#headerFilled += part;
        at += part;
        if (this.#headerFilled < header.length) return;
        this.#bodySize = sizeOf(header);
        if (this.#bodySize > MEDIA_FRAME_BYTES_MAX) {
          throw framingError(
            `a ${this.#name} frame of ${this.#bodySize} bytes is above the limit of 16 MiB: is this ${this.#name} framing?`,
          );
        }
      }
      const part = Math.min(this.#bodySize - this.#bodyFilled, chunk.length - at);
      if (part > 0) this.#body.push(chunk.slice(at, at + part));
      this.#bodyFilled += part;
      at += part;
      if (this.#bodyFilled === this.#bodySize) this.#finish(onFrame);
    }
  }

  end(): void {
    if (this.#headerFilled > 0) throw framingError(`the input ended inside a ${this.#name} frame`);
  }

  #finish(onFrame: (header: Uint8Array, body: Uint8Array) => void): void {
    const body = this.#body.length === 1 ? (this.#body[0] as Uint8Array) : Buffer.concat(this.#body);
    this.#body = [];
    this.#bodyFilled = 0;
    this.#headerFilled = 0;
    onFrame(this.#header, body);
  }
}
