/**
 * Finds who a datagram is for by its connection ID: an ID names a slot in 24 bits, the rest of it is random. One look-up
 * and a comparison per datagram, whatever is open. In: IDs made and retired. Out: owners.
 * Source: RFC 9000 §5.1, §5.2; connection IDs in the manner of draft-ietf-quic-load-balancers.
 */
import type { Random } from '../base/random.ts';
import { CONNECTION_ID_BYTES } from '../wire/header.ts';

interface Slot<Owner> {
  owner: Owner | undefined;
  /** Every ID that leads here; a few. */
  readonly ids: Uint8Array[];
}

export class Routes<Owner> {
  readonly #random: Random;
  readonly #slots: (Slot<Owner> | undefined)[] = [];
  readonly #free: number[] = [];
  /** Slots in use. */
  count = 0;

  constructor(random: Random) {
    this.#random = random;
  }

  /** Takes a slot. Its owner is set once it is made. */
  open(): number {
    const slot = this.#free.pop() ?? this.#slots.length;
    this.#slots[slot] = { owner: undefined, ids: [] };
    this.count++;
    return slot;
  }

  setOwner(slot: number, owner: Owner): void {
    const entry = this.#slots[slot];
    if (entry !== undefined) entry.owner = owner;
  }

  ownerOf(slot: number): Owner | undefined {
    return this.#slots[slot]?.owner;
  }

  /** Makes one more ID that leads to this slot. */
  newId(slot: number): Uint8Array {
    const id = new Uint8Array(CONNECTION_ID_BYTES);
    this.#random.fill(id);
    id[0] = 0;
    id[1] = slot >>> 16;
    id[2] = (slot >>> 8) & 255;
    id[3] = slot & 255;
    this.#slots[slot]?.ids.push(id);
    return id;
  }

  /** That ID leads nowhere any more. */
  retire(slot: number, id: Uint8Array): void {
    const ids = this.#slots[slot]?.ids;
    const at = ids?.indexOf(id) ?? -1;
    if (at >= 0) ids?.splice(at, 1);
  }

  /** Gives the slot back. */
  close(slot: number): void {
    if (this.#slots[slot] === undefined) return;
    this.#slots[slot] = undefined;
    this.#free.push(slot);
    this.count--;
  }

  /** Whose connection ID stands at `datagram[at)`. */
  find(datagram: Uint8Array, at: number): Owner | undefined {
    if (datagram.length < at + CONNECTION_ID_BYTES) return undefined;
    const slot =
      this.#slots[
        ((datagram[at + 1] as number) << 16) |
          ((datagram[at + 2] as number) << 8) |
          (datagram[at + 3] as number)
      ];
    if (slot === undefined) return undefined;
    for (let i = 0; i < slot.ids.length; i++) {
      if (isAt(datagram, at, slot.ids[i] as Uint8Array)) return slot.owner;
    }
    return undefined;
  }
}

function isAt(datagram: Uint8Array, at: number, id: Uint8Array): boolean {
  for (let i = 0; i < CONNECTION_ID_BYTES; i++) if (id[i] !== datagram[at + i]) return false;
  return true;
}
