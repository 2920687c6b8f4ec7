/**
 * Cursors over bytes: a reader that cannot read past its end and a writer that cannot write past it.
 * Integers are big-endian; variable-length integers are those of RFC 9000 §16, as numbers below 2^53 (no BigInt).
 */

const TWO_32 = 4_294_967_296;

/** Bytes a variable-length integer takes: 1, 2, 4 or 8. `value` is an integer in 0..2^53-1. */
export function varintSize(value: number): 1 | 2 | 4 | 8 {
  if (value < 64) return 1;
  if (value < 16_384) return 2;
  if (value < 1_073_741_824) return 4;
  return 8;
}

/** A copy of [start, end). `slice` will not do for bytes from outside: on a Node Buffer it gives a view. */
export function copyBytes(bytes: Uint8Array, start = 0, end: number = bytes.length): Uint8Array {
  const copy = new Uint8Array(Math.max(0, end - start));
  copy.set(bytes.subarray(start, end));
  return copy;
}

/** Copies and joins. For handshakes and tests, never per packet. */
export function concatBytes(parts: readonly Uint8Array[]): Uint8Array {
  let size = 0;
  for (const part of parts) size += part.length;
  const joined = new Uint8Array(size);
  let at = 0;
  for (const part of parts) {
    joined.set(part, at);
    at += part.length;
  }
  return joined;
}

/** True when both hold the same bytes. Not constant time: never for secrets. */
export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  for (let i = 0; i < a.length; i++) if (a[i] !== b[i]) return false;
  return true;
}

/** As {@link equalBytes}, in a time that does not depend on where they differ: for what a peer has to know. */
export function equalSecrets(a: Uint8Array, b: Uint8Array): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= (a[i] as number) ^ (b[i] as number);
  return difference === 0;
}

/**
 * Reads fields in order. A read past the end (or a varint above 2^53-1) sets `failed`, returns 0 or an empty view,
 * and every later read fails too: check `failed` once, after the last field. Reusable through `reset`.
 */
export class Reader {
  bytes: Uint8Array = EMPTY;
  at = 0;
  end = 0;
  failed = false;

  /** Points the reader at `bytes[at, end)`. */
  reset(bytes: Uint8Array, at = 0, end: number = bytes.length): this {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
    this.failed = false;
    return this;
  }

  get remaining(): number {
    return this.end - this.at;
  }

  #claim(size: number): number {
    const at = this.at;
    if (this.failed || size > this.end - at) {
      this.failed = true;
      return -1;
    }
    this.at = at + size;
    return at;
  }

  u8(): number {
    const at = this.#claim(1);
    return at < 0 ? 0 : (this.bytes[at] as number);
  }

  u16(): number {
    const at = this.#claim(2);
    if (at < 0) return 0;
    const b = this.bytes;
    return ((b[at] as number) << 8) | (b[at + 1] as number);
  }

  u24(): number {
    const at = this.#claim(3);
    if (at < 0) return 0;
    const b = this.bytes;
    return ((b[at] as number) << 16) | ((b[at + 1] as number) << 8) | (b[at + 2] as number);
  }

  u32(): number {
    const at = this.#claim(4);
    if (at < 0) return 0;
    const b = this.bytes;
    const high = ((b[at] as number) << 8) | (b[at + 1] as number);
    return high * 65_536 + (((b[at + 2] as number) << 8) | (b[at + 3] as number));
  }

  /** RFC 9000 §16. A value above 2^53-1 fails the reader. */
  varint(): number {
    if (this.failed || this.at >= this.end) {
      this.failed = true;
      return 0;
    }
    const first = this.bytes[this.at] as number;
    switch (first >> 6) {
      case 0:
        this.at++;
        return first;
      case 1:
        return this.u16() & 0x3fff;
      case 2:
        return this.u32() & 0x3fff_ffff;
      default: {
        const high = this.u32() & 0x3fff_ffff;
        const low = this.u32();
        if (high > 0x1f_ffff) this.failed = true;
        return this.failed ? 0 : high * TWO_32 + low;
      }
    }
  }

  /** A view of the next `size` bytes: no copy. */
  take(size: number): Uint8Array {
    const at = this.#claim(size);
    return at < 0 ? EMPTY : this.bytes.subarray(at, at + size);
  }
}

const EMPTY: Uint8Array = new Uint8Array(0);

/**
 * Writes fields in order. The caller checks `room` before it writes (frame writers know their size); a write past
 * `end` throws `RangeError`, for that is our own mistake and never a peer's. Reusable through `reset`.
 */
export class Writer {
  bytes: Uint8Array = EMPTY;
  at = 0;
  end = 0;

  /** Points the writer at `bytes[at, end)`. */
  reset(bytes: Uint8Array, at = 0, end: number = bytes.length): this {
    this.bytes = bytes;
    this.at = at;
    this.end = end;
    return this;
  }

  /** Bytes that still fit. */
  get room(): number {
    return this.end - this.at;
  }

  #claim(size: number): number {
    const at = this.at;
    if (size > this.end - at) throw new RangeError(`write of ${size} bytes into room for ${this.end - at}`);
    this.at = at + size;
    return at;
  }

  u8(value: number): void {
    this.bytes[this.#claim(1)] = value;
  }

  u16(value: number): void {
    const at = this.#claim(2);
    this.bytes[at] = value >>> 8;
    this.bytes[at + 1] = value;
  }

  u24(value: number): void {
    const at = this.#claim(3);
    this.bytes[at] = value >>> 16;
    this.bytes[at + 1] = value >>> 8;
    this.bytes[at + 2] = value;
  }

  /** Low 32 bits of an integer in 0..2^53-1. */
  u32(value: number): void {
    const at = this.#claim(4);
    const low = value % TWO_32;
    this.bytes[at] = low / 16_777_216;
    this.bytes[at + 1] = low / 65_536;
    this.bytes[at + 2] = low / 256;
    this.bytes[at + 3] = low;
  }

  varint(value: number): void {
    switch (varintSize(value)) {
      case 1:
        this.u8(value);
        return;
      case 2:
        this.u16(0x4000 | value);
        return;
      case 4:
        this.u32(0x8000_0000 + value);
        return;
      default:
        this.u32(0xc000_0000 + Math.floor(value / TWO_32));
        this.u32(value);
    }
  }

  /** Copies `source` in. */
  copy(source: Uint8Array): void {
    this.bytes.set(source, this.#claim(source.length));
  }

  /** Writes `size` zero bytes. */
  zeros(size: number): void {
    const at = this.#claim(size);
    this.bytes.fill(0, at, at + size);
  }
}
