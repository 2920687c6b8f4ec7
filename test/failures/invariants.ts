/**
 * What must hold after every step of every scenario: links lose nothing unaccounted, no packet number is used twice, no
 * datagram exceeds its limit, no deadline lies in the past, and what either end holds stays within its named bounds.
 */

import { type Micros, NEVER } from '../../src/base/protocol.ts';
import { plainCrypto } from '../../src/crypto/plain-protection.ts';
import { type CryptoProvider, TAG_BYTES } from '../../src/crypto/protection.ts';
import { checkConservation } from '../../src/sim/checkers.ts';
import type { Checker } from '../../src/sim/simulator.ts';
import { CONNECTION_WINDOW_MAX } from '../../src/stream/flow.ts';
import { HELD_BYTES_MAX, SEND_BYTES_MAX } from '../../src/track/limits.ts';
import type { End, Pair } from '../helpers/pair.ts';

/** A datagram of this size is the largest that an end may send. */
const DATAGRAM_BYTES_MAX = 1452;

/** Keys that never seal two packets with one number. @param onSealed Called with every packet sealed. */
export function numberedCrypto(
  provider: CryptoProvider = plainCrypto,
  onSealed: (packet: Uint8Array) => void = () => {},
): CryptoProvider {
  return {
    ...provider,
    protection: (secret) => {
      const real = provider.protection(secret);
      let last = -1;
      return {
        seal: (packet, headerStart, payloadStart, payloadEnd, packetNumber) => {
          if (packetNumber <= last) throw new Error(`packet number ${packetNumber} after ${last}`);
          last = packetNumber;
          real.seal(packet, headerStart, payloadStart, payloadEnd, packetNumber);
          onSealed(packet.subarray(headerStart, payloadEnd + TAG_BYTES));
        },
        open: (packet, headerStart, payloadStart, end, packetNumber) =>
          real.open(packet, headerStart, payloadStart, end, packetNumber),
      };
    },
  };
}

/** The ids of what a world has opened, to look at what either end holds of it. */
export interface Opened {
  readonly trackIds: Set<number>;
  readonly streamIds: Set<number>;
}

/** Bytes that one end holds for its application: unread streams and what lies beyond their gaps, unread media frames. */
export function heldBytes(end: End, opened: Opened): number {
  const { streams, tracks } = end.connection;
  let bytes = 0;
  for (const id of opened.streamIds) bytes += streams.get(id)?.receive?.bufferedBytes ?? 0;
  for (const id of opened.trackIds) bytes += tracks.receiver(id)?.readableBytes ?? 0;
  return bytes;
}

/** Adds every checker to the simulation of `pair`. */
export function checkInvariants(pair: Pair, opened: Opened): void {
  const { sim, network } = pair;
  sim.addChecker(checkConservation(network.up));
  sim.addChecker(checkConservation(network.down));
  for (const end of [pair.client, pair.server]) {
    sim.addChecker(checkProgress(end));
    sim.addChecker(checkMemory(end, opened));
  }
  for (const link of [network.up, network.down]) {
    link.addTap((packet) => {
      const { length } = packet.payload as Uint8Array;
      if (length > DATAGRAM_BYTES_MAX) throw new Error(`a datagram of ${length} bytes on ${link.name}`);
      return true;
    });
  }
}

/** Every so many events the connection itself is asked for its deadline; at every event, what it told its driver last. */
const ASKED_EVERY = 16;

/** A deadline in the past is met in this very instant: it must not be there any more when the clock has moved. */
function checkProgress(end: End): Checker {
  const told = new PastDeadline(end.host.name);
  const asked = new PastDeadline(end.host.name);
  let events = 0;
  return {
    name: `deadline of the ${end.host.name}`,
    check: (nowUs) => {
      told.see(end.host.deadlineUs, nowUs);
      // What was in the past is asked for again at once: only then has nothing happened in between.
      if (asked.isPast || events++ % ASKED_EVERY === 0) asked.see(end.connection.pollTimeout(), nowUs);
    },
  };
}

/** Throws when a deadline is in the past at two instants one after the other. */
class PastDeadline {
  readonly #name: string;
  #sinceUs: Micros = NEVER;

  constructor(name: string) {
    this.#name = name;
  }

  /** The deadline that was seen last had passed by then. */
  get isPast(): boolean {
    return this.#sinceUs !== NEVER;
  }

  see(exactUs: Micros, nowUs: Micros): void {
    // Events happen at whole microseconds: a deadline between two is met at the second.
    const deadlineUs = Math.ceil(exactUs);
    if (deadlineUs >= nowUs) this.#sinceUs = NEVER;
    else if (this.#sinceUs < nowUs)
      throw new Error(`the ${this.#name} did nothing at its deadline ${deadlineUs}`);
    else this.#sinceUs = nowUs;
  }
}

/** Every so many events: what is held does not jump by itself. */
const MEMORY_EVERY = 64;

function checkMemory(end: End, opened: Opened): Checker {
  let events = 0;
  return {
    name: `memory of the ${end.host.name}`,
    check: () => {
      if (events++ % MEMORY_EVERY !== 0) return;
      const held = heldBytes(end, opened);
      const most = CONNECTION_WINDOW_MAX + HELD_BYTES_MAX;
      if (held > most) throw new Error(`the ${end.host.name} holds ${held} bytes, ${most} are allowed`);
      for (const id of opened.trackIds) {
        const queued = end.connection.tracks.sender(id)?.queuedBytes ?? 0;
        if (queued > SEND_BYTES_MAX) throw new Error(`${queued} bytes of a track wait to be sent`);
      }
    },
  };
}
