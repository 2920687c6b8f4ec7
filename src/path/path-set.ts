/**
 * The paths of one connection: which one is in use, which are being proven, when to move. In: datagrams and packets with
 * their path, PATH_CHALLENGE, PATH_RESPONSE, silence, sockets opened. Out: path frames to send, moves, the wish for a
 * socket. A server follows its peer's newest packet; a caller moves by itself. Source: RFC 9000 §8, §9; DESIGN D10.
 */
import type { Writer } from '../base/bytes.ts';
import { type Micros, NEVER, type PathId, SECOND } from '../base/protocol.ts';
import type { Random } from '../base/random.ts';
import type { ConnectionIds } from './connection-ids.ts';
import { Healing } from './healing.ts';
import { Path, PROBE_BYTES_MIN } from './path.ts';

/** Paths of one connection at one time: in use, the one before, and two in question. */
export const PATHS_MAX = 4;
/** The path before is kept so many probe timeouts: for late packets, and to fall back on (RFC 9000 §9.3.2). */
const KEEP_TIMEOUTS = 3;
const KEEP_MIN_US: Micros = SECOND;
/** Somebody who copies packets is expected to go on for so long: nobody is followed who has not answered a challenge. */
const DOUBT_US: Micros = 3 * SECOND;

/** Whoever owns the sockets. The core never sees an address. */
export interface PathKeeper {
  /** Keeps a path that was lent with one datagram. Returns its lasting number. */
  claim(path: PathId): PathId;
  /** Gives it back; a caller's socket is closed. */
  release(path: PathId): void;
  /** True when only the port differs. */
  isSameHost(a: PathId, b: PathId): boolean;
  /** The peer's address and port, as bytes that tell it from any other: what a Retry token is bound to. */
  addressOf(path: PathId): Uint8Array;
}

/** What the connection is told. */
export interface PathEvents {
  /** Packets leave on another path from now on: what is in flight may not arrive. */
  onMoved(now: Micros): void;
  /** The path in use is proven, and is none whose rate and delay are known. @param roundTripUs Of the proof. */
  onNewRoute(roundTripUs: Micros, now: Micros): void;
  /** A socket on a fresh port is needed: answer with `opened`. */
  onWanted(): void;
}

export interface PathSetOptions {
  readonly isServer: boolean;
  readonly keeper: PathKeeper;
  readonly events: PathEvents;
  readonly random: Random;
  readonly ids: ConnectionIds;
  readonly path: PathId;
  readonly remoteId: Uint8Array;
  /** The present probe timeout, us. */
  readonly probeTimeoutUs: () => Micros;
}

/** For whoever has one socket and no addresses. */
export const NO_KEEPER: PathKeeper = {
  claim: (path) => path,
  release() {},
  isSameHost: () => false,
  addressOf: (path) => Uint8Array.of(path >>> 24, path >>> 16, path >>> 8, path),
};

export class PathSet {
  /** Where packets leave. */
  active: Path;
  readonly healing: Healing = new Healing();
  /** Moves to another path so far. */
  migrations = 0;
  readonly #options: PathSetOptions;
  readonly #paths: Path[] = [];
  /** The path of the datagram at hand, if it is one of ours. */
  #arrival: Path | undefined;
  #arrivalId: PathId;
  #arrivalBytes = 0;
  /** The last proven path that was in use: what is known of rate and delay is its. */
  #known: Path;
  /** A move within this time after another does not send everything again. */
  #movedAtUs: Micros = Number.NEGATIVE_INFINITY;
  /** The address has changed during the handshake. */
  #isAmbiguous = false;
  /** The packet that came from elsewhere last, and was the newest: is it a copy? */
  #elsewhereNumber = -1;
  #doubtUntilUs: Micros = Number.NEGATIVE_INFINITY;
  /** A caller asked for a socket and has none yet. */
  #isOpening = false;

  constructor(options: PathSetOptions) {
    this.#options = options;
    const path = new Path(options.keeper.claim(options.path), options.remoteId, options.isServer);
    this.active = path;
    this.#known = path;
    this.#arrival = path;
    this.#arrivalId = path.id;
    this.#paths.push(path);
  }

  // --- What arrives ------------------------------------------------------------------------------------------------

  /** A datagram, before it is opened: what came is what may be sent back. */
  onDatagram(path: PathId, bytes: number): void {
    const known = path === this.active.id ? this.active : this.#paths.find((entry) => entry.id === path);
    this.#arrival = known;
    this.#arrivalId = path;
    this.#arrivalBytes = bytes;
    if (known === undefined) return;
    known.bytesReceived += bytes;
    known.isStarved = false;
  }

  /**
   * The datagram at hand proves the peer's address: it could only be made with what was sent there. If the peer has been
   * answered in two places, nobody knows in which it read the answer: it is asked.
   */
  onProof(now: Micros): void {
    if (this.#arrival !== this.active) return;
    if (this.#isAmbiguous) this.active.validate(this.#options.probeTimeoutUs(), now);
    else this.active.isValidated = true;
  }

  /**
   * An Initial packet of the datagram at hand has opened. A caller whose NAT gives it another port in the middle of the
   * handshake is answered where it is; the amplification limit holds there as it did before.
   */
  onInitial(now: Micros): void {
    const before = this.active;
    if (!this.#options.isServer || before.isValidated || this.#arrival === before) return;
    this.#isAmbiguous = true;
    this.active = this.#arrival ?? this.#add(now);
    this.active.expiresAtUs = NEVER;
    this.#known = this.active;
    this.#drop(before);
  }

  /**
   * An authentic 1-RTT packet of the datagram at hand has been read.
   *
   * @param packetNumber Its number.
   * @param isNewest No higher packet number has come before.
   * @param isProbing It carries nothing but path frames, connection IDs and padding (RFC 9000 §9.1).
   */
  onPacket(packetNumber: number, isNewest: boolean, isProbing: boolean, now: Micros): void {
    if (this.#arrival === this.active || !this.#options.isServer || !isNewest || isProbing) return;
    const path = this.#arrival ?? this.#add(now);
    this.#elsewhereNumber = packetNumber;
    if (path.isValidated || now >= this.#doubtUntilUs) this.#moveTo(path, Number.NaN, now);
    else if (!path.isValidating) path.validate(this.#options.probeTimeoutUs(), now);
  }

  /**
   * The authentic 1-RTT packet of the datagram at hand has come before. If it was followed, and now comes from where the
   * peer is proven to be, what came first was a copy that somebody was faster with (RFC 9000 §9.3.3): back at once.
   */
  onDuplicate(packetNumber: number, now: Micros): void {
    const known = this.#known;
    if (packetNumber !== this.#elsewhereNumber || this.#arrival !== known || !known.isValidated) return;
    this.#doubtUntilUs = now + DOUBT_US;
    if (this.active !== known) this.#moveTo(known, Number.NaN, now);
  }

  #add(now: Micros): Path {
    const { keeper, isServer, ids } = this.#options;
    if (this.#paths.length >= PATHS_MAX) this.#drop(this.#oldestSpare());
    const path = new Path(keeper.claim(this.#arrivalId), ids.take(this.active.remoteId), isServer);
    path.bytesReceived = this.#arrivalBytes;
    path.expiresAtUs = now + this.#keepUs;
    this.#paths.push(path);
    this.#arrival = path;
    this.#arrivalId = path.id;
    return path;
  }

  #oldestSpare(): Path {
    return this.#paths.find((path) => path !== this.active && path !== this.#known) as Path;
  }

  /** PATH_CHALLENGE in the datagram at hand: answered where it came from. */
  onChallenge(data: Uint8Array, now: Micros): void {
    const path = this.#arrival ?? this.#add(now);
    path.onChallenge(data);
    if (path.expiresAtUs !== NEVER) path.expiresAtUs = now + this.#keepUs;
    // The peer means to come this way: proving it now saves a round trip then.
    if (this.#options.isServer && !path.isValidated && !path.isValidating) {
      path.validate(this.#options.probeTimeoutUs(), now);
    }
  }

  /** PATH_RESPONSE, on whatever path it came. */
  onResponse(data: Uint8Array, now: Micros): void {
    for (const path of this.#paths) {
      const sentAtUs = path.answeredAt(data);
      if (sentAtUs === undefined) continue;
      const isNews = !path.isValidated;
      path.isValidated = true;
      path.stop();
      if (path === this.active) this.#onActiveProven(now - sentAtUs, now);
      else if (isNews && !this.#options.isServer && this.healing.isRunning) {
        this.#moveTo(path, now - sentAtUs, now);
      }
      return;
    }
  }

  #onActiveProven(roundTripUs: Micros, now: Micros): void {
    const before = this.#known;
    if (!this.healing.isWished || before !== this.active) this.#endHealing();
    if (before === this.active) return;
    const isSameHost = this.#options.keeper.isSameHost(before.id, this.active.id);
    this.#known = this.active;
    before.expiresAtUs = now + this.#keepUs;
    if (!isSameHost) this.#options.events.onNewRoute(roundTripUs, now);
  }

  // --- Moving ------------------------------------------------------------------------------------------------------

  get #keepUs(): Micros {
    return Math.max(KEEP_MIN_US, KEEP_TIMEOUTS * this.#options.probeTimeoutUs());
  }

  /** @param roundTripUs Of the proof that moves us; NaN: the peer's packets do. */
  #moveTo(target: Path, roundTripUs: Micros, now: Micros): void {
    const { keeper, events, isServer, probeTimeoutUs } = this.#options;
    const before = this.active;
    this.active = target;
    this.migrations++;
    target.expiresAtUs = NEVER;
    before.expiresAtUs = now + this.#keepUs;
    // Whoever copies packets from elsewhere, faster than the path, is found out by the peer's answer on the old one.
    if (isServer && before.isValidated) before.askOnce(now);
    if (!target.isValidated) {
      // Of the host where the peer was proven to be, once: ports of a host that nobody has proven are its as well.
      if (keeper.isSameHost(before.id, target.id)) {
        target.fullRateUntilUs = before.isValidated ? now + probeTimeoutUs() : before.fullRateUntilUs;
      }
      target.validate(probeTimeoutUs(), now);
    }
    const isFlapping = now - this.#movedAtUs < probeTimeoutUs();
    this.#movedAtUs = now;
    if (target.isValidated) this.#onActiveProven(roundTripUs, now);
    if (!isFlapping) events.onMoved(now);
  }

  // --- A caller's fresh ports --------------------------------------------------------------------------------------

  /** The path is silent, or the application wants another. A caller opens a second socket and asks on both. */
  heal(isWished: boolean, now: Micros): void {
    if (this.#options.isServer) return;
    if (!this.healing.start(isWished, now)) return;
    this.active.validate(this.#options.probeTimeoutUs(), now);
    this.#want();
  }

  #want(): void {
    for (const path of [...this.#paths]) {
      if (path !== this.active && path !== this.#known) this.#drop(path);
    }
    if (this.#isOpening) return;
    this.#isOpening = true;
    this.#options.events.onWanted();
  }

  /** The socket that was asked for is open. */
  opened(path: PathId, now: Micros): void {
    this.#isOpening = false;
    const { keeper, ids, probeTimeoutUs } = this.#options;
    if (!this.healing.isRunning) {
      keeper.release(path);
      return;
    }
    const fresh = new Path(path, ids.take(this.active.remoteId), false);
    fresh.validate(probeTimeoutUs(), now);
    this.#paths.push(fresh);
  }

  /** No socket could be opened. True if one is still wanted. */
  notOpened(): boolean {
    this.#isOpening = this.healing.isRunning;
    return this.#isOpening;
  }

  /** Something of ours was acknowledged: the path in use works after all. */
  onProgress(): void {
    if (this.healing.isRunning && !this.healing.isWished) this.#endHealing();
  }

  #endHealing(): void {
    if (!this.healing.isRunning) return;
    this.healing.end();
    for (const path of [...this.#paths]) {
      if (path !== this.active && !path.isValidated && !this.#options.isServer) this.#drop(path);
    }
  }

  // --- Path frames -------------------------------------------------------------------------------------------------

  /** A path on which path frames are to be sent now, or undefined. */
  nextProbe(now: Micros): Path | undefined {
    for (const path of this.#paths) {
      if (path.isStarved || !path.wantsProbe(now)) continue;
      if (path.credit(now) >= PROBE_BYTES_MIN) return path;
      path.isStarved = true;
    }
    return undefined;
  }

  /** Writes the path frames of `path`. */
  writeProbe(path: Path, writer: Writer, now: Micros): void {
    path.writeProbe(writer, this.#options.random, now);
  }

  // --- Time --------------------------------------------------------------------------------------------------------

  nextDeadline(): Micros {
    let next = this.healing.nextDeadline;
    for (const path of this.#paths) next = Math.min(next, path.nextDeadline);
    return next;
  }

  onTimeout(now: Micros): void {
    if (this.healing.takeRetry(now)) this.#want();
    for (const path of [...this.#paths]) {
      if (path.giveUpAtUs <= now) this.#onNotProven(path, now);
      else if (path.expiresAtUs <= now) this.#onExpired(path);
    }
  }

  #onExpired(path: Path): void {
    // What is known of is kept until the path in use is proven: it is where to go back to.
    path.expiresAtUs = NEVER;
    if (path !== this.active && path !== this.#known) this.#drop(path);
  }

  #onNotProven(path: Path, now: Micros): void {
    path.stop();
    if (path !== this.active) {
      if (path !== this.#known) this.#drop(path);
      return;
    }
    // RFC 9000 §9.3.2: back to where the peer was proven to be. A caller stays: it has no better place to be.
    if (this.#known !== path && this.#options.isServer) this.#moveTo(this.#known, Number.NaN, now);
  }

  #drop(path: Path): void {
    const at = this.#paths.indexOf(path);
    if (at < 0) return;
    this.#paths.splice(at, 1);
    if (this.#arrival === path) this.#arrival = undefined;
    this.#options.keeper.release(path.id);
    if (!this.#paths.some((other) => other.remoteId === path.remoteId)) {
      this.#options.ids.release(path.remoteId);
    }
  }

  /** The peer wants an ID of its own used no more. */
  replaceId(old: Uint8Array, replacement: Uint8Array): void {
    for (const path of this.#paths) if (path.remoteId === old) path.remoteId = replacement;
  }

  /** The connection is forgotten: every path is given back. */
  releaseAll(): void {
    for (const path of this.#paths.splice(0)) this.#options.keeper.release(path.id);
  }
}
