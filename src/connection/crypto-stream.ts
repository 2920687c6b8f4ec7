/**
 * The byte stream of the handshake in CRYPTO frames, both directions. In: TLS bytes to send, CRYPTO frames received.
 * Out: CRYPTO frames, TLS bytes in order. Small and short-lived, so it keeps whole flights and copies freely.
 * Source: RFC 9000 §7.5, §19.6.
 */
import { concatBytes, type Writer } from '../base/bytes.ts';
import { WireError } from '../base/errors.ts';
import { Ranges } from '../base/ranges.ts';
import { type PacketRecord, TokenKind, type TokenOwner } from '../wire/frame-source.ts';
import { CRYPTO_HEADER_BYTES_MAX, writeCryptoFrame } from '../wire/stream.ts';

/** Handshake bytes either end may send (DESIGN §6). */
export const HANDSHAKE_BYTES_MAX = 65_536;
/** Received bytes lie in pieces of this size, made when the first byte of one comes: most callers' first words fit one. */
const CHUNK_BYTES = 1_024;
/** Gaps in what has come: only loss and reordering of a few dozen packets make any. */
const RANGES_MAX = 64;

/** The sending half: everything sent is kept until the handshake is over. */
export class CryptoSend implements TokenOwner {
  #bytes: Uint8Array = new Uint8Array(0);
  readonly #pending: Ranges = new Ranges();
  readonly #acked: Ranges = new Ranges();

  append(bytes: Uint8Array): void {
    const start = this.#bytes.length;
    this.#bytes = concatBytes([this.#bytes, bytes]);
    this.#pending.add(start, this.#bytes.length);
  }

  get length(): number {
    return this.#bytes.length;
  }

  get hasPending(): boolean {
    return this.#pending.count > 0;
  }

  /** Queues everything from `offset` on again: the client's last flight, repeated in every datagram (DESIGN D2). */
  repeatFrom(offset: number): void {
    this.#pending.add(offset, this.#bytes.length);
    for (let i = 0; i < this.#acked.count; i++)
      this.#pending.remove(this.#acked.start(i), this.#acked.end(i));
  }

  /** Writes what fits; returns true if anything. */
  write(writer: Writer, record: PacketRecord): boolean {
    let wrote = false;
    while (this.#pending.count > 0 && writer.room > CRYPTO_HEADER_BYTES_MAX) {
      const start = this.#pending.start(0);
      const end = Math.min(this.#pending.end(0), start + writer.room - CRYPTO_HEADER_BYTES_MAX);
      writeCryptoFrame(writer, start, this.#bytes.subarray(start, end));
      record.note(TokenKind.CRYPTO, start, end, 0);
      this.#pending.remove(start, end);
      wrote = true;
    }
    return wrote;
  }

  onAcked(start: number, end: number): void {
    this.#acked.add(start, end);
    this.#pending.remove(start, end);
  }

  onLost(start: number, end: number): void {
    this.#pending.add(start, end);
    for (let i = 0; i < this.#acked.count; i++)
      this.#pending.remove(this.#acked.start(i), this.#acked.end(i));
  }
}

/** The receiving half: pieces in any order, bytes out in order. */
export class CryptoReceive {
  /** Made as bytes come: a caller that only begins must not cost much. */
  readonly #chunks: (Uint8Array | undefined)[] = [];
  readonly #received: Ranges = new Ranges();
  #delivered = 0;

  /** Takes a CRYPTO frame. Returns 0, or the error to close with. */
  insert(offset: number, bytes: Uint8Array): number {
    const end = offset + bytes.length;
    if (end > HANDSHAKE_BYTES_MAX) return WireError.CRYPTO_BUFFER_EXCEEDED;
    for (let at = offset; at < end; ) {
      const start = at % CHUNK_BYTES;
      const size = Math.min(end - at, CHUNK_BYTES - start);
      this.#chunk(at - start).set(bytes.subarray(at - offset, at - offset + size), start);
      at += size;
    }
    this.#received.add(offset, end);
    return this.#received.count > RANGES_MAX ? WireError.CRYPTO_BUFFER_EXCEEDED : 0;
  }

  /** True if all of a frame has come before: the peer says it again. */
  has(offset: number, end: number): boolean {
    return this.#received.covers(offset, end);
  }

  /** The piece that begins at `offset` of the stream. */
  #chunk(offset: number): Uint8Array {
    const at = offset / CHUNK_BYTES;
    let chunk = this.#chunks[at];
    if (chunk === undefined) {
      chunk = new Uint8Array(CHUNK_BYTES);
      this.#chunks[at] = chunk;
    }
    return chunk;
  }

  /** The next bytes in order (a copy), or undefined: at most to the end of a piece. */
  read(): Uint8Array | undefined {
    if (this.#received.count === 0 || this.#received.start(0) > this.#delivered) return undefined;
    const start = this.#delivered % CHUNK_BYTES;
    const size = Math.min(this.#received.end(0) - this.#delivered, CHUNK_BYTES - start);
    if (size <= 0) return undefined;
    const bytes = this.#chunk(this.#delivered - start).slice(start, start + size);
    this.#delivered += size;
    return bytes;
  }
}
