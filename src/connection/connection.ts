/**
 * One end of a connection as a pure state machine: the five methods, and what an application calls.
 * The parts live in state.ts; transmit.ts, receive.ts and lifecycle.ts do the work. Source: ARCHITECTURE.md, RFC 9000.
 */
import { Reader } from '../base/bytes.ts';
import { TransportError } from '../base/errors.ts';
import type { Micros, PathId, Protocol } from '../base/protocol.ts';
import type { Handshake } from '../crypto/handshake.ts';
import type { LadderPath } from '../rate/ladder.ts';
import type { StreamSet } from '../stream/set.ts';
import type { TrackSender } from '../track/send.ts';
import type { TrackSet } from '../track/set.ts';
import { hasInvariantHeader, isLongHeader, VERSION, versionOf } from '../wire/header.ts';
import type { Parameters } from '../wire/parameters.ts';
import { isRetry, readRetry } from '../wire/retry.ts';
import { Bitrate } from './bitrate.ts';
import { collectCounters } from './counters.ts';
import type { DatagramQueue } from './datagrams.ts';
import { type Diagnosis, judge } from './diagnosis.ts';
import type { ConnectionEvent } from './events.ts';
import { Lifecycle } from './lifecycle.ts';
import type { ConnectionOptions } from './options.ts';
import { PACKET_OVERHEAD_BYTES } from './path-view.ts';
import { PathWatch } from './path-watch.ts';
import { Receiver } from './receive.ts';
import { ConnectionState } from './state.ts';
import { Timer } from './timers.ts';
import { Transmitter } from './transmit.ts';

export class Connection implements Protocol<ConnectionEvent> {
  /** Its place in the endpoint; part of its connection ID. */
  readonly slot: number;
  readonly #state: ConnectionState;
  readonly #transmitter: Transmitter;
  readonly #receiver: Receiver;
  readonly #lifecycle: Lifecycle;
  readonly #bitrate: Bitrate;
  readonly #watch: PathWatch;

  constructor(options: ConnectionOptions, slot = 0) {
    this.slot = slot;
    const state = new ConnectionState(options);
    this.#state = state;
    this.#transmitter = new Transmitter(state);
    this.#lifecycle = new Lifecycle(state, (now) => this.#receiver.onKeys(now));
    this.#receiver = new Receiver(state, this.#lifecycle);
    this.#bitrate = new Bitrate(state);
    this.#watch = new PathWatch(state);
  }

  /** The path of the datagram that `pollTransmit` wrote last; before the first, that of the connection. */
  get path(): PathId {
    return this.#transmitter.path;
  }

  /** The path that the connection uses. */
  get activePath(): PathId {
    return this.#state.paths.active.id;
  }

  handleDatagram(datagram: Uint8Array, path: PathId, now: Micros): void {
    const { close, counters, paths } = this.#state;
    if (close.phase === 'closed') return;
    if (isLongHeader(datagram) && versionOf(datagram) === 0) {
      this.#onVersionNegotiation(datagram, now);
      return;
    }
    if (isRetry(datagram)) {
      this.#onRetry(datagram);
      return;
    }
    counters.datagramsReceived++;
    counters.bytesReceived += datagram.length;
    paths.onDatagram(path, datagram.length);
    this.#receiver.packets(datagram, now);
    this.#followDatagramSize();
    this.#bitrate.update(now);
  }

  /** A size probe was answered, or a black hole noticed: what is built from now on has the new size. */
  #followDatagramSize(): void {
    const { path, prober, pacer, control, datagrams } = this.#state;
    if (path.datagramBytes === prober.currentBytes) return;
    if (path.datagramBytes > prober.currentBytes) {
      datagrams.dropAbove(prober.currentBytes - PACKET_OVERHEAD_BYTES);
    }
    path.datagramBytes = prober.currentBytes;
    pacer.setPacketBytes(prober.currentBytes);
    control.announceSize(prober.currentBytes);
  }

  handleTimeout(now: Micros): void {
    const state = this.#state;
    state.timers.take(Timer.PACING, now);
    this.#lifecycle.onTimeout(now);
    if (state.close.phase !== 'open') return;
    state.handshake?.onTimeout(now);
    state.recovery.onTimeout(now);
    this.#watch.onTimeout(now);
    state.streams.handleTimeout(now);
    state.tracks.handleTimeout(now);
    this.#followDatagramSize();
    this.#bitrate.update(now);
  }

  pollTransmit(out: Uint8Array, now: Micros): number {
    return this.#transmitter.write(out, now);
  }

  pollTimeout(): Micros {
    const { timers, close, handshake, recovery, received, streams, tracks, keys } = this.#state;
    // After the end only the close itself is timed: whatever else was armed since would never be taken.
    if (close.phase !== 'open') return timers.deadline(Timer.CLOSE);
    let next = timers.next;
    if (handshake !== undefined) next = Math.min(next, handshake.nextDeadline());
    if (keys !== undefined) {
      next = Math.min(next, this.#watch.nextDeadline());
      // What cannot leave now waits for the peer, not for a timer.
      if (!this.#transmitter.isStarved && recovery.canSend()) next = Math.min(next, received.ackDueAt());
    }
    return Math.min(next, recovery.nextDeadline(), streams.nextDeadline(), tracks.nextDeadline());
  }

  pollEvent(): ConnectionEvent | undefined {
    return this.#state.events.shift();
  }

  /** True for the end that called. */
  get isCaller(): boolean {
    return !this.#state.options.isServer;
  }

  /** True until TLS is done. */
  get isHandshaking(): boolean {
    return this.#state.keys === undefined && this.#state.close.phase === 'open';
  }

  /** True when the endpoint may forget it. */
  get isDrained(): boolean {
    return this.#state.close.phase === 'closed';
  }

  /** True until either side closes. */
  get isOpen(): boolean {
    return this.#state.close.phase === 'open';
  }

  get tracks(): TrackSet {
    return this.#state.tracks;
  }

  get streams(): StreamSet {
    return this.#state.streams;
  }

  get datagrams(): DatagramQueue {
    return this.#state.datagrams;
  }

  /** The parts, for statistics. */
  get state(): Readonly<ConnectionState> {
    return this.#state;
  }

  /** What the peer announced, once known. */
  get remoteParameters(): Readonly<Parameters> | undefined {
    return this.#state.remoteParameters;
  }

  /** Largest media frame that travels in one symbol, bytes: what a gateway may bundle. */
  get maxSymbolBytes(): number {
    return this.#state.path.maxPayloadBytes;
  }

  /** Size of a full datagram now. */
  get datagramBytes(): number {
    return this.#state.path.datagramBytes;
  }

  /** Server: gives TLS to a caller whose `incoming` event was seen. */
  attachHandshake(handshake: Handshake, now: Micros): void {
    this.#lifecycle.attachHandshake(handshake, now);
  }

  /** TLS has moved (`Handshake.onProgress`). */
  handshakeProgress(now: Micros): void {
    this.#lifecycle.onHandshakeMoved(now);
  }

  /** Ends the connection. The peer is told; `closed` follows when it has confirmed, or after a few repetitions. */
  close(isApplication: boolean, errorCode: number, reason: string, now: Micros): void {
    this.#lifecycle.close({ isApplication, errorCode, reason }, now);
  }

  /** Caller: leaves the present path for a fresh port, as soon as one is proven; `path-changed` tells. */
  migrate(now: Micros): void {
    if (this.#state.close.phase === 'open' && this.#state.handshake === undefined)
      this.#state.paths.heal(true, now);
  }

  /** Answer to `path-wanted`: a socket on a fresh port is open. */
  openedPath(path: PathId, now: Micros): void {
    this.#state.paths.opened(path, now);
  }

  /** Answer to `path-wanted`: none could be opened. True if one is still wanted: the driver tries again. */
  pathFailed(): boolean {
    return this.#state.paths.notOpened();
  }

  /** The endpoint forgets it: its paths are given back. */
  release(): void {
    this.#state.ids.end();
    this.#state.paths.releaseAll();
  }

  /** Asks the peer for its counters: a `counters` event follows, and `state.exchange.peer` has them. */
  requestCounters(): void {
    this.#state.exchange.request();
  }

  /** Who dropped what, by this end's counters and the newest ones of the peer; undefined before those have come. */
  diagnosis(): Diagnosis | undefined {
    const { exchange, streams } = this.#state;
    return exchange.peer && judge(collectCounters(this.#state), exchange.peer, streams.isBlocked);
  }

  /** What a live track's encoder may produce now, bits per second. */
  targetOf(track: TrackSender): number {
    return this.#bitrate.targetOf(track);
  }

  /** Bytes of a media frame of this track that would not queue, bytes. */
  maxFrameBytesOf(track: TrackSender): number {
    return this.#bitrate.maxFrameBytesOf(track);
  }

  /** More than this the track's encoder never makes, bits per second of media: nothing above is probed for. */
  limitTrack(track: TrackSender, maxBps: number): void {
    this.#bitrate.limit(track, maxBps);
  }

  /**
   * The application would send this much media on the track at once if it were proven, bits per second; 0 = nothing is
   * wanted. The largest wish of all live tracks counts; a wish ends with its track.
   */
  wantRate(track: TrackSender, bps: number): void {
    this.#bitrate.want(track, bps);
  }

  /** Fills in what a ladder that sends on `track` wants to know. */
  describePath(track: TrackSender, path: LadderPath): void {
    this.#bitrate.describe(track, path);
  }

  /** What the application asks for has changed (a frame was sent): the pacer must know. */
  onMediaQueued(track: TrackSender, now: Micros): void {
    this.#bitrate.onMediaQueued(track, now);
  }

  /** The peer has forgotten this connection: nothing that is sent will be heard. Source: RFC 9000 §10.3.1. */
  onStatelessReset(now: Micros): void {
    this.#lifecycle.onForgotten(now);
  }

  /** A listener under load wants the address proven: once, and before anything else of its was believed. */
  #onRetry(datagram: Uint8Array): void {
    const { options, handshake, close, counters } = this.#state;
    const { crypto, localId, originalId } = options;
    const token = readRetry(crypto.sha256, datagram, localId, originalId);
    const isTaken = token !== undefined && close.phase === 'open' && handshake?.onRetry(token) === true;
    if (!isTaken) counters.rejected.malformed++;
  }

  /** RFC 8999 §6: believed only before anything else was, and only if our version is not offered. */
  #onVersionNegotiation(datagram: Uint8Array, now: Micros): void {
    const { options, handshake, close, counters } = this.#state;
    const isBelievable = !options.isServer && close.phase === 'open' && handshake?.remoteId === undefined;
    if (
      !isBelievable ||
      handshake === undefined ||
      !answersCall(datagram, options) ||
      listsVersion(datagram)
    ) {
      counters.rejected.malformed++;
      return;
    }
    const text = 'the peer speaks no version of this protocol that we know; update the older of the two ends';
    this.#lifecycle.giveUp(new TransportError('ERR_MILLRACE_VERSION', text), now);
  }
}

/** True when the connection IDs of a version negotiation packet are those of our call: a blind forger knows neither. */
function answersCall(datagram: Uint8Array, options: ConnectionOptions): boolean {
  const { localId, originalId } = options;
  if (!hasInvariantHeader(datagram)) return false;
  const scidAt = 6 + (datagram[5] as number);
  return isIdAt(datagram, 5, localId) && isIdAt(datagram, scidAt, originalId);
}

/** True when a length byte at `at`, and the bytes that follow it, are this connection ID. */
function isIdAt(datagram: Uint8Array, at: number, id: Uint8Array): boolean {
  if (datagram[at] !== id.length) return false;
  for (let i = 0; i < id.length; i++) if (datagram[at + 1 + i] !== id[i]) return false;
  return true;
}

/** True when the list has our version, or is no list: empty, or cut. */
function listsVersion(datagram: Uint8Array): boolean {
  const scidAt = 6 + (datagram[5] as number);
  const first = scidAt + 1 + (datagram[scidAt] as number);
  if (first === datagram.length || (datagram.length - first) % 4 !== 0) return true;
  const reader = new Reader().reset(datagram, first, datagram.length);
  while (reader.remaining > 0) if (reader.u32() === VERSION) return true;
  return false;
}
