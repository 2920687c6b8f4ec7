/**
 * Media frames in datagrams, for plain UDP and for peers that carry datagrams: fragments behind a header of RTP's size,
 * as the model's UDP sends them. In: frames. Out: fragments, and frames again once all of theirs are there.
 */

/** As much as fits 1500 bytes of Ethernet with room for tunnels. */
export const FRAGMENT_BYTES = 1_400;
/** RTP without extensions: here source, index, fragment number and count. */
export const HEADER_BYTES = 12;
/** A frame that lacks a fragment when this many newer ones have begun is given up. */
const PENDING_MAX = 512;

/** The datagrams of one frame, each at most `fragmentBytes` and a header long. */
export function fragmentsOf(
  source: number,
  index: number,
  frame: Uint8Array,
  fragmentBytes: number = FRAGMENT_BYTES,
): Buffer[] {
  const count = Math.max(1, Math.ceil(frame.length / fragmentBytes));
  return Array.from({ length: count }, (_, i) => {
    const piece = frame.subarray(i * fragmentBytes, (i + 1) * fragmentBytes);
    const datagram = Buffer.alloc(HEADER_BYTES + piece.length);
    datagram.writeUInt16BE(i, 0);
    datagram.writeUInt16BE(count, 2);
    datagram.writeUInt32BE(source, 4);
    datagram.writeUInt32BE(index, 8);
    datagram.set(piece, HEADER_BYTES);
    return datagram;
  });
}

/** Puts frames together from fragments in any order. */
export class Assembler {
  readonly #pending = new Map<string, { readonly pieces: (Uint8Array | undefined)[]; missing: number }>();

  /** Takes one datagram; the whole frame when it was the last one missing. */
  push(datagram: Uint8Array): Buffer | undefined {
    if (datagram.length < HEADER_BYTES) return undefined;
    const view = Buffer.from(datagram.buffer, datagram.byteOffset, datagram.length);
    const i = view.readUInt16BE(0);
    const count = view.readUInt16BE(2);
    const key = view.toString('latin1', 4, HEADER_BYTES);
    const frame = this.#pending.get(key) ?? this.#begin(key, count);
    if (i >= frame.pieces.length || frame.pieces[i] !== undefined) return undefined;
    frame.pieces[i] = datagram.subarray(HEADER_BYTES);
    if (--frame.missing > 0) return undefined;
    this.#pending.delete(key);
    return Buffer.concat(frame.pieces as Uint8Array[]);
  }

  #begin(key: string, count: number): { readonly pieces: (Uint8Array | undefined)[]; missing: number } {
    const frame = { pieces: new Array<Uint8Array | undefined>(count).fill(undefined), missing: count };
    this.#pending.set(key, frame);
    if (this.#pending.size > PENDING_MAX) {
      const [oldest] = this.#pending.keys();
      this.#pending.delete(oldest as string);
    }
    return frame;
  }
}
