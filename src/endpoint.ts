/**
 * Many connections behind one socket: finds the connection of a datagram by its connection ID, accepts callers, answers
 * foreign versions. Sans-IO. In: datagrams with their path. Out: the connection touched, stateless replies.
 * Source: RFC 9000 §5.2, RFC 8999 §6; connection IDs in the manner of draft-ietf-quic-load-balancers.
 */
import { copyBytes } from './base/bytes.ts';
import type { Micros, PathId } from './base/protocol.ts';
import type { Random } from './base/random.ts';
import { Connection } from './connection/connection.ts';
import type { ConnectionOptions } from './connection/options.ts';
import {
  CONNECTION_ID_BYTES,
  DATAGRAM_BYTES_MIN,
  HeaderReason,
  hasInvariantHeader,
  isLongHeader,
  PacketHeader,
  VERSION,
  versionOf,
  writeVersionNegotiation,
} from './wire/header.ts';

/** Connections of one endpoint: connection IDs name a slot in 24 bits. */
export const CONNECTIONS_MAX = 65_536;
/** Callers whose handshake is under way. */
export const HALF_OPEN_MAX = 1024;
/** Stateless replies waiting to be sent; more are not made. */
const REPLIES_MAX = 64;
/** The client's first destination connection ID (RFC 9000 §7.2). */
const ORIGINAL_ID_BYTES_MIN = 8;

/** Options every connection of the endpoint shares. */
export type SharedOptions = Omit<
  ConnectionOptions,
  | 'isServer'
  | 'localId'
  | 'remoteId'
  | 'originalId'
  | 'path'
  | 'handshake'
  | 'nowUs'
  | 'issuer'
  | 'isValidated'
>;

/** What a caller adds. */
export type DialOptions = Pick<ConnectionOptions, 'handshake' | 'path'> & Partial<SharedOptions>;

interface Reply {
  readonly bytes: Uint8Array;
  readonly path: PathId;
}

interface Slot {
  readonly connection: Connection;
  /** The whole connection ID, to compare. */
  readonly localId: Uint8Array;
  /** Under which a caller's first packets are found. */
  readonly originalKey: string | undefined;
  /** A caller without keys yet: counted, and found by its original connection ID. */
  isHalfOpen: boolean;
}

export class Endpoint {
  readonly #shared: SharedOptions;
  readonly #random: Random;
  readonly #accepts: boolean;
  readonly #slots: (Slot | undefined)[] = [];
  readonly #freeSlots: number[] = [];
  readonly #byOriginalId: Map<string, number> = new Map();
  readonly #replies: Reply[] = [];
  readonly #header: PacketHeader = new PacketHeader();
  readonly #onAccept: ((connection: Connection) => void) | undefined;
  #halfOpen = 0;
  #count = 0;
  /** Datagrams for no connection of ours, or no packets at all. */
  unroutable = 0;
  /** Callers turned away because too many handshakes were under way. */
  refusedCallers = 0;

  /** @param onAccept Called with each new connection of a caller; without it the endpoint only dials. */
  constructor(shared: SharedOptions, onAccept?: (connection: Connection) => void) {
    this.#shared = shared;
    this.#random = shared.random;
    this.#accepts = onAccept !== undefined;
    this.#onAccept = onAccept;
  }

  /** Live connections. */
  get count(): number {
    return this.#count;
  }

  /** The connection in slot `slot` (its `slot` property), if it still lives. */
  connectionAt(slot: number): Connection | undefined {
    return this.#slots[slot]?.connection;
  }

  /** Makes a connection that calls. Its first datagram is ready in `pollTransmit`. */
  dial(options: DialOptions, now: Micros): Connection {
    const originalId = this.#randomId(ORIGINAL_ID_BYTES_MIN);
    return this.#add(
      { ...this.#shared, ...options, isServer: false, remoteId: originalId, originalId },
      undefined,
      now,
    );
  }

  /** Feeds one datagram. Returns the connection that it touched, to be driven. Never throws. */
  handleDatagram(datagram: Uint8Array, path: PathId, now: Micros): Connection | undefined {
    const connection = isLongHeader(datagram)
      ? this.#routeLong(datagram, path, now)
      : this.#routeShort(datagram, 1);
    if (connection === undefined) {
      this.unroutable++;
      return undefined;
    }
    // A new connection has taken the path that was lent for this datagram, under a number of its own.
    const isNew = connection.state.counters.datagramsReceived === 0;
    connection.handleDatagram(datagram, isNew ? connection.path : path, now);
    // TLS may have ended between two datagrams. One that failed stays half-open until it is forgotten: else forgers
    // could have any number of them closing.
    const slot = this.#slots[connection.slot];
    if (slot?.isHalfOpen === true && connection.isOpen && !connection.isHandshaking) this.#notHalfOpen(slot);
    return connection;
  }

  /** The next stateless reply, copied into `out`. Returns its size, 0 = none; its path is in `replyPath`. */
  pollReply(out: Uint8Array): number {
    const reply = this.#replies.shift();
    if (reply === undefined) return 0;
    out.set(reply.bytes);
    this.replyPath = reply.path;
    return reply.bytes.length;
  }

  /** Where the reply that `pollReply` returned last goes. */
  replyPath: PathId = 0;

  /** Forgets a connection that has drained. */
  remove(connection: Connection): void {
    const slot = this.#slots[connection.slot];
    if (slot === undefined || slot.connection !== connection) return;
    this.#notHalfOpen(slot);
    this.#slots[connection.slot] = undefined;
    this.#freeSlots.push(connection.slot);
    this.#count--;
  }

  #notHalfOpen(slot: Slot): void {
    if (!slot.isHalfOpen || slot.originalKey === undefined) return;
    slot.isHalfOpen = false;
    this.#byOriginalId.delete(slot.originalKey);
    this.#halfOpen--;
  }

  #routeShort(datagram: Uint8Array, at: number): Connection | undefined {
    if (datagram.length < at + CONNECTION_ID_BYTES) return undefined;
    const index =
      ((datagram[at + 1] as number) << 16) |
      ((datagram[at + 2] as number) << 8) |
      (datagram[at + 3] as number);
    const slot = this.#slots[index];
    if (slot === undefined) return undefined;
    for (let i = 0; i < CONNECTION_ID_BYTES; i++) {
      if (slot.localId[i] !== datagram[at + i]) return undefined;
    }
    return slot.connection;
  }

  #routeLong(datagram: Uint8Array, path: PathId, now: Micros): Connection | undefined {
    if (!hasInvariantHeader(datagram)) return undefined;
    const version = versionOf(datagram);
    if (version === 0) return this.#routeShort(datagram, 6);
    if (version !== VERSION) {
      this.#negotiateVersion(datagram, path);
      return undefined;
    }
    if (this.#header.parse(datagram, 0, datagram.length) !== HeaderReason.OK) return undefined;
    if (datagram[5] === CONNECTION_ID_BYTES) {
      const known = this.#routeShort(datagram, 6);
      if (known !== undefined) return known;
    }
    return this.#accepts ? this.#accept(datagram, path, now) : undefined;
  }

  #negotiateVersion(datagram: Uint8Array, path: PathId): void {
    if (!this.#accepts || datagram.length < DATAGRAM_BYTES_MIN || this.#replies.length >= REPLIES_MAX) return;
    const out = new Uint8Array(600);
    const size = writeVersionNegotiation(out, datagram, this.#random.u32());
    this.#replies.push({ bytes: out.subarray(0, size), path });
  }

  /** A caller's first datagram, or a repetition of it. */
  #accept(datagram: Uint8Array, path: PathId, now: Micros): Connection | undefined {
    const header = this.#header;
    const originalId = copyBytes(datagram, header.dcidStart, header.dcidEnd);
    if (datagram.length < DATAGRAM_BYTES_MIN || originalId.length < ORIGINAL_ID_BYTES_MIN) return undefined;
    const key = toKey(originalId);
    const known = this.#byOriginalId.get(key);
    if (known !== undefined) return this.#slots[known]?.connection;
    if (this.#halfOpen >= HALF_OPEN_MAX || this.#count >= CONNECTIONS_MAX) {
      this.refusedCallers++;
      return undefined;
    }
    const remoteId = copyBytes(datagram, header.scidStart, header.scidEnd);
    // Short headers carry 8 bytes; longer or shorter IDs are for other implementations' own routing.
    if (remoteId.length !== CONNECTION_ID_BYTES) return undefined;
    const connection = this.#add({ ...this.#shared, isServer: true, remoteId, originalId, path }, key, now);
    if (!connection.canOpenInitial(datagram)) {
      this.remove(connection);
      return undefined;
    }
    this.#onAccept?.(connection);
    return connection;
  }

  #add(
    options: Omit<ConnectionOptions, 'localId' | 'nowUs'>,
    originalKey: string | undefined,
    now: Micros,
  ): Connection {
    const index = this.#freeSlots.pop() ?? this.#slots.length;
    const localId = this.#randomId(CONNECTION_ID_BYTES);
    localId[0] = 0;
    localId[1] = index >>> 16;
    localId[2] = (index >>> 8) & 255;
    localId[3] = index & 255;
    const connection = new Connection({ ...options, localId, nowUs: now }, index);
    this.#slots[index] = { connection, localId, originalKey, isHalfOpen: originalKey !== undefined };
    this.#count++;
    if (originalKey !== undefined) {
      this.#byOriginalId.set(originalKey, index);
      this.#halfOpen++;
    }
    return connection;
  }

  #randomId(bytes: number): Uint8Array {
    const id = new Uint8Array(bytes);
    this.#random.fill(id);
    return id;
  }
}

function toKey(bytes: Uint8Array): string {
  let key = '';
  for (const byte of bytes) key += String.fromCharCode(byte);
  return key;
}
