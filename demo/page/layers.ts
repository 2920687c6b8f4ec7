/**
 * Temporal layers: every second picture is needed by no other, so that losing one costs one picture and no freeze. Each
 * video chunk begins with one byte, the number of base-layer pictures so far modulo 256 (as TL0PICIDX in RFC 7741).
 * In: chunks in order, some missing. Out: which can be decoded.
 */

/** In front of every video chunk. */
export const LAYER_BYTES = 1;

/** Numbers chunks on their way out. */
export class LayerWriter {
  #base = 255;

  /** @param isBase False: a picture that no other needs. */
  wrap(data: Uint8Array, isBase: boolean): Uint8Array {
    if (isBase) this.#base = (this.#base + 1) % 256;
    const wrapped = new Uint8Array(LAYER_BYTES + data.length);
    wrapped[0] = this.#base;
    wrapped.set(data, LAYER_BYTES);
    return wrapped;
  }
}

/** Tells whether the decoder has all that a chunk refers to. */
export class LayerReader {
  /** The base picture decoded last; undefined: a key frame is needed. */
  #base: number | undefined;

  get needsKeyFrame(): boolean {
    return this.#base === undefined;
  }

  /** True: decode it. False: leave it out, and ask for a key frame if `needsKeyFrame`. */
  accepts(chunk: {
    readonly data: Uint8Array;
    readonly keyFrame: boolean;
    readonly discardable: boolean;
  }): boolean {
    const base = chunk.data[0];
    if (base === undefined) return false;
    if (chunk.keyFrame) {
      this.#base = base;
      return true;
    }
    const expected = this.#base;
    if (expected === undefined) return false;
    const isComplete = base === (chunk.discardable ? expected : (expected + 1) % 256);
    this.#base = isComplete ? base : undefined;
    return isComplete;
  }

  /** The decoder has lost everything. */
  reset(): void {
    this.#base = undefined;
  }
}
