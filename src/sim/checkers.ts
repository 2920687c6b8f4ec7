/**
 * Checkers: what must hold after every event of a simulation. Add them with `sim.addChecker`; a violated one ends the
 * run with the seed, the instant and the replay command. They are cheap: each reads a few counters.
 */
import { equalBytes } from '../base/bytes.ts';
import type { Micros } from '../base/protocol.ts';
import type { Link } from './link.ts';
import type { Checker } from './simulator.ts';

function require(condition: boolean, name: string, detail: string): void {
  if (!condition) throw new Error(`checker '${name}': ${detail}`);
}

/** A link loses nothing unaccounted: what came in is what came out, what was dropped, and what it holds. */
export function checkConservation(link: Link): Checker {
  const name = `conservation on ${link.name}`;
  return {
    name,
    check: () => {
      const s = link.statistics;
      const entered = s.offered + s.duplicated + s.injected;
      const dropped =
        s.lost + s.queueDropped + s.policed + s.oversized + s.blackedOut + s.tapped + s.corruptedDropped;
      const left = s.delivered + dropped + s.held;
      if (entered !== left) require(false, name, `${entered} packets entered, ${left} are accounted for`);
    },
  };
}

/** No packet offered to the link is larger than `limitBytes` on the wire. */
export function checkSizeLimit(link: Link, limitBytes: number): Checker {
  const name = `size limit on ${link.name}`;
  let largest = 0;
  link.addTap((packet) => {
    if (packet.sizeBytes > largest) largest = packet.sizeBytes;
    return true;
  });
  return {
    name,
    check: () => {
      if (largest > limitBytes)
        require(false, name, `a packet of ${largest} bytes, at most ${limitBytes} allowed`);
    },
  };
}

/** A quantity stays at or below its cap: queues, buffers, sets. */
export function checkCap(name: string, read: () => number, cap: number): Checker {
  return {
    name,
    check: () => {
      const value = read();
      if (!(value <= cap)) require(false, name, `${value} is above its cap of ${cap}`);
    },
  };
}

/** A deadline is never in the past once everything has been pumped. */
export function checkDeadline(name: string, pollTimeout: () => Micros): Checker {
  return {
    name,
    check: (nowUs) => {
      const deadlineUs = pollTimeout();
      if (!(deadlineUs >= nowUs)) require(false, name, `the deadline ${deadlineUs} is before now (${nowUs})`);
    },
  };
}

/** No number is used twice by one sender: feed it each packet number that is sent. */
export class UniqueNumbers {
  readonly #name: string;
  readonly #seen: Set<number> = new Set();

  constructor(name: string) {
    this.#name = name;
  }

  add(number: number): void {
    if (this.#seen.has(number)) require(false, this.#name, `number ${number} is used twice`);
    this.#seen.add(number);
  }
}

/** Bytes delivered are a prefix of bytes sent. Holds only what is sent and not yet delivered. */
export class PrefixCheck {
  readonly #name: string;
  readonly #waiting: Uint8Array[] = [];
  #head = 0;
  #sent = 0;
  #delivered = 0;

  constructor(name: string) {
    this.#name = name;
  }

  /** Bytes delivered so far. */
  get deliveredBytes(): number {
    return this.#delivered;
  }

  /** True when everything sent has been delivered. */
  get isComplete(): boolean {
    return this.#sent === this.#delivered;
  }

  /** Notes bytes that the application sent; they are copied. */
  sent(bytes: Uint8Array): void {
    if (bytes.length === 0) return;
    this.#waiting.push(bytes.slice());
    this.#sent += bytes.length;
  }

  /** Compares bytes that arrived with those sent at their place. Throws when they differ or were never sent. */
  delivered(bytes: Uint8Array): void {
    let at = 0;
    while (at < bytes.length) {
      const expected = this.#waiting[this.#head];
      if (expected === undefined) throw new Error(`checker '${this.#name}': delivered more than was sent`);
      const size = Math.min(expected.length, bytes.length - at);
      const isEqual = equalBytes(expected.subarray(0, size), bytes.subarray(at, at + size));
      require(isEqual, this.#name, `bytes differ after ${this.#delivered}`);
      this.#delivered += size;
      at += size;
      if (size < expected.length) this.#waiting[this.#head] = expected.subarray(size);
      else this.#head++;
    }
    if (this.#head > 64) this.#waiting.splice(0, this.#head);
    if (this.#head > 64) this.#head = 0;
  }
}
