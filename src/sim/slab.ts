/**
 * Where the hosts of a simulation write their datagrams, one after another, as a driver with sockets has one slab. In: what
 * a protocol has written. Out: a copy that a link may keep, cut from a larger piece of memory: one of its own costs five
 * times as much.
 */

/** More than any datagram: 64 KiB. */
const ROOM_BYTES = 65_536;
/** A piece is freed with the last of its datagrams, so it must not hold many. */
const PIECE_BYTES = 32_768;

/** One per simulation: only one host writes at a time. */
export class Slab {
  /** Protocols write here. */
  readonly room: Uint8Array = new Uint8Array(ROOM_BYTES);
  #piece: Uint8Array = new Uint8Array(0);
  #used = 0;

  /** A copy of the first `size` bytes of the room. */
  copyOf(size: number): Uint8Array {
    if (this.#used + size > this.#piece.length) {
      this.#piece = new Uint8Array(Math.max(PIECE_BYTES, size));
      this.#used = 0;
    }
    const copy = this.#piece.subarray(this.#used, this.#used + size);
    copy.set(this.room.subarray(0, size));
    this.#used += size;
    return copy;
  }
}

const slabs = new WeakMap<object, Slab>();

/** The slab of a simulation. */
export function slabOf(sim: object): Slab {
  let slab = slabs.get(sim);
  if (slab === undefined) {
    slab = new Slab();
    slabs.set(sim, slab);
  }
  return slab;
}
