/**
 * Many connections behind one socket: finds the connection of a datagram by its connection ID, accepts callers, answers
 * foreign versions, callers in a crowd, and packets for connections that are gone. Sans-IO. In: datagrams with their path.
 * Out: the connection touched, stateless replies. Source: RFC 9000 §5.2, §8.1, §10.3; RFC 8999 §6.
 */
import { copyBytes } from './base/bytes.ts';
import type { Micros, PathId } from './base/protocol.ts';
import type { Random } from './base/random.ts';
import { Connection } from './connection/connection.ts';
import { canOpenInitial, type InitialKeys, initialKeys } from './connection/initial-keys.ts';
import type { ConnectionOptions } from './connection/options.ts';
import { NO_KEEPER, type PathKeeper } from './path/path-set.ts';
import { RetryTokens } from './path/retry-tokens.ts';
import { Routes } from './path/routes.ts';
import { type Issuing, SlotIssuer } from './path/slot-issuer.ts';
import { mayBeReset, ResetMaker, tokenKey } from './path/stateless-reset.ts';
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
import { isRetry, writeRetry } from './wire/retry.ts';

/** Connections of one endpoint: connection IDs name a slot in 24 bits. */
export const CONNECTIONS_MAX = 65_536;
/** Callers whose handshake is under way. */
export const HALF_OPEN_MAX = 1024;
/** With so many handshakes under way a caller must prove its address by a Retry token before anything is kept of it. */
export const UNPROVEN_MAX = 16;
/** Stateless replies waiting to be sent; more are not made. */
export const REPLIES_MAX = 64;
/** The client's first destination connection ID (RFC 9000 §7.2). */
const ORIGINAL_ID_BYTES_MIN = 8;
const KEY_BYTES = 32;

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
  | 'callerToken'
  | 'initialKeys'
>;

/** What a caller adds. */
export type DialOptions = Pick<ConnectionOptions, 'handshake' | 'path'> & Partial<SharedOptions>;

/** What a listener may add. */
export interface AcceptOptions {
  /** Called with each new connection of a caller. */
  readonly onAccept: (connection: Connection) => void;
  /**
   * Secret, 32 bytes, from which stateless reset tokens follow. The same one after a restart lets peers learn at once that
   * their connections are gone. Default: random.
   */
  readonly resetKey?: Uint8Array | undefined;
  /** Handshakes under way from which on callers are asked for a token; default {@link UNPROVEN_MAX}. */
  readonly unprovenMax?: number | undefined;
}

/** What came that belongs to no connection, and what was answered to it. Datagrams, from the start. */
export interface EndpointCounters {
  /** For no connection of ours, no packets at all, or from port 0, where nobody can be answered. */
  unroutable: number;
  /** Callers turned away: too many handshakes under way, too many connections open, or no more callers are taken. */
  refusedCallers: number;
  /** First packets that do not open: forged or damaged. */
  forgedInitials: number;
  /** Tokens that are not ours, too old, from elsewhere, or used before. */
  refusedTokens: number;
  retriesSent: number;
  resetsSent: number;
  versionsSent: number;
}

interface Reply {
  readonly bytes: Uint8Array;
  readonly path: PathId;
}

/** A caller's connection: found by its first connection ID for as long as it lives, for its first packets may come late. */
interface Caller {
  readonly originalKey: string;
  /** Without keys yet: counted. */
  isHalfOpen: boolean;
}

export class Endpoint {
  readonly counters: EndpointCounters = {
    unroutable: 0,
    refusedCallers: 0,
    forgedInitials: 0,
    refusedTokens: 0,
    retriesSent: 0,
    resetsSent: 0,
    versionsSent: 0,
  };
  readonly #shared: SharedOptions;
  readonly #random: Random;
  readonly #keeper: PathKeeper;
  readonly #accept: AcceptOptions | undefined;
  readonly #routes: Routes<Connection>;
  readonly #callers: Map<Connection, Caller> = new Map();
  readonly #byOriginalId: Map<string, Connection> = new Map();
  /** Peers' stateless reset tokens. */
  readonly #byResetToken: Map<string, Connection> = new Map();
  readonly #replies: Reply[] = [];
  readonly #header: PacketHeader = new PacketHeader();
  readonly #tokens: RetryTokens;
  readonly #resets: ResetMaker;
  readonly #issuing: Issuing<Connection>;
  #halfOpen = 0;
  #isAccepting = true;
  /** Where the reply that `pollReply` returned last goes. */
  replyPath: PathId = 0;

  /** @param accept Without it the endpoint only dials. */
  constructor(shared: SharedOptions, accept?: AcceptOptions) {
    this.#shared = shared;
    this.#random = shared.random;
    this.#keeper = shared.paths ?? NO_KEEPER;
    this.#accept = accept;
    this.#routes = new Routes(shared.random);
    this.#tokens = new RetryTokens(shared.crypto.hmac, this.#randomBytes(KEY_BYTES));
    const resetKey = accept?.resetKey ?? this.#randomBytes(KEY_BYTES);
    this.#resets = new ResetMaker(shared.crypto.hmac, resetKey, shared.random);
    this.#issuing = { routes: this.#routes, resets: this.#resets, byResetToken: this.#byResetToken };
  }

  /** Live connections. */
  get count(): number {
    return this.#routes.count;
  }

  /** Callers whose handshake is under way. */
  get halfOpenCount(): number {
    return this.#halfOpen;
  }

  /** The connection in slot `slot` (its `slot` property), if it still lives. */
  connectionAt(slot: number): Connection | undefined {
    return this.#routes.ownerOf(slot);
  }

  /** Takes no more callers. Those that have been heard go on. */
  stopAccepting(): void {
    this.#isAccepting = false;
  }

  /** Makes a connection that calls. Its first datagram is ready in `pollTransmit`. */
  dial(options: DialOptions, now: Micros): Connection {
    const originalId = this.#randomBytes(ORIGINAL_ID_BYTES_MIN);
    return this.#add({ ...this.#shared, ...options, isServer: false, remoteId: originalId, originalId }, now);
  }

  /** Feeds one datagram. Returns the connection that it touched, to be driven. Never throws. */
  handleDatagram(datagram: Uint8Array, path: PathId, now: Micros): Connection | undefined {
    const isLong = isLongHeader(datagram);
    const connection = isLong ? this.#routeLong(datagram, path, now) : this.#routes.find(datagram, 1);
    if (connection === undefined) {
      this.counters.unroutable++;
      return isLong ? undefined : this.#onUnknown(datagram, path, now);
    }
    // A new connection has taken the path that was lent for this datagram, under a number of its own.
    const isFirst = connection.state.counters.datagramsReceived === 0;
    connection.handleDatagram(datagram, isFirst ? connection.path : path, now);
    // TLS may have ended between two datagrams. One that failed stays half-open until it is forgotten: else forgers
    // could have any number of them closing.
    if (this.#halfOpen > 0 && connection.isOpen && !connection.isHandshaking) this.#notHalfOpen(connection);
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

  /** Forgets a connection that has drained; its paths are given back. */
  remove(connection: Connection): void {
    if (this.#routes.ownerOf(connection.slot) !== connection) return;
    this.#notHalfOpen(connection);
    const caller = this.#callers.get(connection);
    if (caller !== undefined) this.#byOriginalId.delete(caller.originalKey);
    this.#callers.delete(connection);
    connection.release();
    this.#routes.close(connection.slot);
  }

  #notHalfOpen(connection: Connection): void {
    const caller = this.#callers.get(connection);
    if (caller === undefined || !caller.isHalfOpen) return;
    caller.isHalfOpen = false;
    this.#halfOpen--;
  }

  #routeLong(datagram: Uint8Array, path: PathId, now: Micros): Connection | undefined {
    if (!hasInvariantHeader(datagram)) return undefined;
    const known = datagram[5] === CONNECTION_ID_BYTES ? this.#routes.find(datagram, 6) : undefined;
    const version = versionOf(datagram);
    if (version === 0) return known;
    if (version !== VERSION) {
      this.#negotiateVersion(datagram, path);
      return undefined;
    }
    if (isRetry(datagram)) return known;
    if (this.#header.parse(datagram, 0, datagram.length) !== HeaderReason.OK) return undefined;
    if (known !== undefined) return known;
    return this.#accept === undefined ? undefined : this.#onCaller(this.#accept, datagram, path, now);
  }

  #reply(bytes: Uint8Array, path: PathId): void {
    this.#replies.push({ bytes, path });
  }

  #negotiateVersion(datagram: Uint8Array, path: PathId): void {
    if (this.#accept === undefined || datagram.length < DATAGRAM_BYTES_MIN) return;
    if (this.#replies.length >= REPLIES_MAX) return;
    const out = new Uint8Array(600);
    const size = writeVersionNegotiation(out, datagram, this.#random.u32());
    this.counters.versionsSent++;
    this.#reply(out.subarray(0, size), path);
  }

  /** A short packet for nobody: the peer's word that it has forgotten us, or the other way round. */
  #onUnknown(datagram: Uint8Array, path: PathId, now: Micros): Connection | undefined {
    if (mayBeReset(datagram) && this.#byResetToken.size > 0) {
      const connection = this.#byResetToken.get(tokenKey(datagram) ?? '');
      connection?.onStatelessReset(now);
      if (connection !== undefined) return connection;
    }
    // IDs of ours begin with 0: most of what is no packet at all ends here.
    if (this.#accept === undefined || datagram[1] !== 0 || this.#replies.length >= REPLIES_MAX)
      return undefined;
    const reset = this.#resets.answer(datagram, now);
    if (reset === undefined) return undefined;
    this.counters.resetsSent++;
    this.#reply(reset, path);
    return undefined;
  }

  /**
   * A caller's first datagram, or a repetition of it. Nothing is made before the packet has opened; in a crowd nothing is
   * even opened before the caller has shown that it receives what is sent to its address.
   */
  #onCaller(accept: AcceptOptions, datagram: Uint8Array, path: PathId, now: Micros): Connection | undefined {
    const header = this.#header;
    const originalId = copyBytes(datagram, header.dcidStart, header.dcidEnd);
    const remoteId = copyBytes(datagram, header.scidStart, header.scidEnd);
    if (datagram.length < DATAGRAM_BYTES_MIN || originalId.length < ORIGINAL_ID_BYTES_MIN) return undefined;
    // Short headers carry 8 bytes; longer or shorter IDs are for other implementations' own routing.
    if (remoteId.length !== CONNECTION_ID_BYTES) return undefined;
    const originalKey = toKey(originalId);
    const known = this.#byOriginalId.get(originalKey);
    if (known !== undefined) return known;
    if (!this.#isAccepting) {
      this.counters.refusedCallers++;
      return undefined;
    }
    const token = copyBytes(datagram, header.tokenStart, header.tokenEnd);
    if (token.length === 0 && this.#halfOpen >= (accept.unprovenMax ?? UNPROVEN_MAX)) {
      this.#askForToken(remoteId, originalId, path, now);
      return undefined;
    }
    const isProven = token.length > 0;
    if (isProven && !this.#tokens.isGenuine(token, this.#keeper.addressOf(path), originalId, now)) {
      this.counters.refusedTokens++;
      return undefined;
    }
    if (this.#halfOpen >= HALF_OPEN_MAX || this.count >= CONNECTIONS_MAX) {
      this.counters.refusedCallers++;
      return undefined;
    }
    const keys = this.#openCall(datagram, originalId);
    if (keys === undefined) return undefined;
    // Only now, for it is good once: a damaged copy must not use it up.
    if (isProven && !this.#tokens.use(token, now)) {
      this.counters.refusedTokens++;
      return undefined;
    }
    const options = { isServer: true, remoteId, originalId, path, callerToken: token, initialKeys: keys };
    const connection = this.#add({ ...this.#shared, ...options }, now);
    this.#callers.set(connection, { originalKey, isHalfOpen: true });
    this.#byOriginalId.set(originalKey, connection);
    this.#halfOpen++;
    accept.onAccept(connection);
    return connection;
  }

  #askForToken(remoteId: Uint8Array, originalId: Uint8Array, path: PathId, now: Micros): void {
    if (this.#replies.length >= REPLIES_MAX) return;
    const token = this.#tokens.issue(this.#keeper.addressOf(path), originalId, now);
    this.counters.retriesSent++;
    this.#reply(writeRetry(this.#shared.crypto.sha256, remoteId, originalId, token), path);
  }

  #openCall(datagram: Uint8Array, originalId: Uint8Array): InitialKeys | undefined {
    const keys = initialKeys(this.#shared.crypto, originalId, true);
    if (canOpenInitial(keys, datagram, this.#header)) return keys;
    this.counters.forgedInitials++;
    return undefined;
  }

  #add(options: Omit<ConnectionOptions, 'localId' | 'nowUs' | 'issuer'>, now: Micros): Connection {
    const slot = this.#routes.open();
    const localId = this.#routes.newId(slot);
    const issuer = new SlotIssuer(this.#issuing, slot, localId);
    const connection = new Connection({ ...options, localId, issuer, nowUs: now }, slot);
    this.#routes.setOwner(slot, connection);
    return connection;
  }

  #randomBytes(size: number): Uint8Array {
    const bytes = new Uint8Array(size);
    this.#random.fill(bytes);
    return bytes;
  }
}

function toKey(bytes: Uint8Array): string {
  let key = '';
  for (const byte of bytes) key += String.fromCharCode(byte);
  return key;
}
