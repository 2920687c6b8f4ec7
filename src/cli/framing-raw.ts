/**
 * raw framing: no structure. Bytes are cut into media frames of one source symbol each (an input of whole frames, such
 * as UDP, never comes here), and written one after the other.
 */
import type { EmitUnit, FrameParser, FrameWriter } from './framing.ts';

export class RawParser implements FrameParser {
  readonly #frameBytes: () => number;
  #pending: Uint8Array = new Uint8Array(0);
  #filled = 0;

  /** @param frameBytes How long the next media frame may be; asked once per frame. */
  constructor(frameBytes: () => number) {
    this.#frameBytes = frameBytes;
  }

  push(chunk: Uint8Array, emit: EmitUnit): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#filled === 0) this.#pending = new Uint8Array(Math.max(1, this.#frameBytes()));
      const part = Math.min(this.#pending.length - this.#filled, chunk.length - at);
      this.#pending.set(chunk.subarray(at, at + part), this.#filled);
      this.#filled += part;
      at += part;
      if (this.#filled === this.#pending.length) this.flush(emit);
    }
  }

  flush(emit: EmitUnit): void {
    if (this.#filled === 0) return;
    const data = this.#pending.subarray(0, this.#filled);
    this.#filled = 0;
    emit({ data, timestampUs: undefined, keyFrame: false, discardable: false, track: 0 });
  }

  end(emit: EmitUnit): void {
    this.flush(emit);
  }
}

export const writeRaw: FrameWriter = ({ data }) => [data];
