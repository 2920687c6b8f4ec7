/**
 * A connection as applications see it: promises and async iterables around the sans-IO core. Names follow WebTransport.
 * Milliseconds, bytes and bits per second; media timestamps in microseconds. Source: docs/api.md.
 */
import type { ReadableStream, WritableStream } from 'node:stream/web';
import { TransportError } from '../base/errors.ts';
import type { Connection as Core } from '../connection/connection.ts';
import type { Closing, ConnectionEvent } from '../connection/events.ts';
import { type CloseInfo, checkCloseInfo } from './close-info.ts';
import { Datagrams } from './datagrams.ts';
import { type Deferred, deferred } from './deferred.ts';
import { type ConnectionHandler, nowUs } from './driver.ts';
import type { FrameExplanation } from './frame-explanation.ts';
import type { IncomingTrack } from './incoming-track.ts';
import { noteRate } from './known-rates.ts';
import { Observer } from './observe.ts';
import type { OutgoingTrack } from './outgoing-track.ts';
import type { Address } from './paths.ts';
import { type ConnectionReport, makeReport } from './report.ts';
import { type ConnectionStats, collectStats } from './stats.ts';
import { type BidirectionalStream, type StreamOptions, Streams } from './streams.ts';
import { type TrackOptions, Tracks } from './tracks.ts';

/** SRT's default, and most people's idea of live. */
export const DEFAULT_LATENCY_MS = 120;

/** How often a move that was asked for at once looks whether the handshake is confirmed. */
const CONFIRMED_POLL_MS = 10;

/** What a connection is made with, by `connect` and `listen`. */
export interface ConnectionParts {
  readonly core: Core;
  readonly resource: string;
  readonly remoteAddress: Address;
  readonly latency: number;
  wake(): void;
  /** The peer's address now. */
  addressNow(): Address;
  /** What the rate that the path carried is remembered under. */
  routeNow(): string;
  /** Caller: datagrams on its sockets that belong to no connection. */
  strayDatagrams?(): number;
}

/**
 * One connection. Events: `close`, `pathchange`. Everything that fails carries a {@link TransportError}.
 */
export class Connection extends EventTarget implements ConnectionHandler, AsyncDisposable {
  /** The path of the URI that was called. */
  resource: string;
  /** Where the peer is; changes with `pathchange`. */
  remoteAddress: Address;
  /** Who called: the PSK identity or certificate subject, once known. */
  identity = '';
  readonly datagrams: Datagrams;
  readonly #core: Core;
  readonly #wake: () => void;
  readonly #parts: ConnectionParts;
  readonly #moves: Deferred<void>[] = [];
  /** Waiting for the peer's counters. */
  readonly #reports: Deferred<void>[] = [];
  readonly #ready: Deferred<void> = deferred<void>();
  readonly #closed: Deferred<{ closeCode: number; reason: string }> = deferred();
  readonly #tracks: Tracks;
  readonly #streams: Streams;
  readonly #observer: Observer;
  #isOver = false;
  #icmpErrors = 0;
  /** @internal Server: asked when the caller's parameters are known. */
  onIncoming: ((resource: string, identity: string) => void) | undefined;

  /** @internal Made by `connect` and `listen` only. */
  constructor(parts: ConnectionParts) {
    super();
    this.#core = parts.core;
    this.#parts = parts;
    this.resource = parts.resource;
    this.remoteAddress = parts.remoteAddress;
    this.#wake = parts.wake;
    this.#tracks = new Tracks(parts.core, parts.wake, parts.latency, nowUs);
    this.#streams = new Streams(parts.core, parts.wake);
    this.datagrams = new Datagrams(parts.core, parts.wake, nowUs);
    this.#observer = new Observer(this, parts.core);
    // A program that never looks at these promises must not die of them.
    this.#ready.promise.catch(() => {});
    this.#closed.promise.catch(() => {});
  }

  /** @internal False until the peer has proven who it is. */
  get hasKeys(): boolean {
    return this.#core.state.keys !== undefined;
  }

  /** Fulfilled when keys are agreed; rejected with why not. */
  get ready(): Promise<void> {
    return this.#ready.promise;
  }

  /** Fulfilled with code and reason after a clean end (code 0 or our own close); else rejected with the error. */
  get closed(): Promise<{ closeCode: number; reason: string }> {
    return this.#closed.promise;
  }

  /** Tracks the peer sends, each once, when its announcement is known. */
  get incomingTracks(): AsyncIterable<IncomingTrack> {
    return this.#tracks.incoming;
  }

  /** Streams the peer opens, both halves. */
  get incomingBidirectionalStreams(): AsyncIterable<BidirectionalStream> {
    return this.#streams.incomingBidirectional;
  }

  /** Streams the peer opens for us to read. */
  get incomingUnidirectionalStreams(): AsyncIterable<ReadableStream<Uint8Array>> {
    return this.#streams.incomingUnidirectional;
  }

  /** Bytes of a media frame that travels in one symbol now: what a gateway may bundle. Grows with the datagram size. */
  get maxSymbolBytes(): number {
    return this.#core.maxSymbolBytes;
  }

  /**
   * Announces a track. Media may be sent at once.
   *
   * @throws RangeError for a latency or metadata out of range; TransportError ERR_MILLRACE_LIMIT if the peer takes no
   * more tracks, ERR_MILLRACE_CLOSED after the end.
   */
  createTrack(options: TrackOptions = {}): OutgoingTrack {
    this.#assertOpen();
    return this.#tracks.create(options);
  }

  /** Opens a stream in both directions. @throws TransportError ERR_MILLRACE_LIMIT at the peer's limit. */
  async createBidirectionalStream(options: StreamOptions = {}): Promise<BidirectionalStream> {
    this.#assertOpen();
    return this.#streams.createBidirectional(options);
  }

  /** Opens a stream to write to. @throws TransportError ERR_MILLRACE_LIMIT at the peer's limit. */
  async createUnidirectionalStream(options: StreamOptions = {}): Promise<WritableStream<Uint8Array>> {
    this.#assertOpen();
    return this.#streams.createUnidirectional(options);
  }

  /**
   * Why a media frame made it or missed: when it left, what was lost, resent and repaired. The last 1024 of each live
   * track are remembered. `track` is needed where several tracks send.
   */
  explain(frameId: number, track?: OutgoingTrack): FrameExplanation | undefined {
    return this.#tracks.explain(frameId, track);
  }

  /** Counters and estimates, as of now. */
  async getStats(): Promise<ConnectionStats> {
    return this.stats();
  }

  /** As `getStats`, at once. */
  stats(): ConnectionStats {
    const strays = this.#parts.strayDatagrams?.() ?? 0;
    return collectStats(this.#core, this.#tracks, { strays, icmpErrors: this.#icmpErrors });
  }

  /**
   * Who dropped what: asks the peer for its counters and compares them with this end's. After the end, what the peer sent
   * in front of its close.
   *
   * @throws TransportError ERR_MILLRACE_CLOSED if the connection ended and the peer never told.
   */
  async report(): Promise<ConnectionReport> {
    if (this.#core.isOpen) {
      const told = deferred<void>();
      this.#reports.push(told);
      this.#core.requestCounters();
      this.#wake();
      await told.promise;
    }
    const report = makeReport(this.#core, this.#icmpErrors);
    if (report === undefined)
      throw new TransportError('ERR_MILLRACE_CLOSED', 'the peer did not tell its counters');
    return report;
  }

  /**
   * Caller: leaves the present network path for a socket on a fresh port, whose route the system chooses anew. Everything
   * goes on: keys, tracks, streams. It happens by itself when the path falls silent, or when the address that this end
   * sends from disappears.
   *
   * @returns Fulfilled when the new path is proven and in use; the old one is used until then.
   * @throws TransportError ERR_MILLRACE_CLOSED if the connection ends first. TypeError on a listener's connection: its peer
   * moves.
   */
  async migrate(): Promise<void> {
    if (!this.#core.isCaller) throw new TypeError('only a caller can move; a listener follows');
    this.#assertOpen();
    const move = deferred<void>();
    this.#moves.push(move);
    this.#moveOnceConfirmed();
    await move.promise;
  }

  /** No path is left before the handshake is confirmed (RFC 9000 §9): a round trip after `ready`, of which no event tells. */
  #moveOnceConfirmed(): void {
    if (!this.#core.isOpen) return;
    if (this.#core.state.handshake !== undefined) {
      setTimeout(() => this.#moveOnceConfirmed(), CONFIRMED_POLL_MS);
      return;
    }
    this.#core.migrate(nowUs());
    this.#wake();
  }

  /** Ends the connection; the peer gets code and reason. Fulfilled when it has confirmed, or after a few repetitions. */
  async close(info: CloseInfo = {}): Promise<void> {
    const { closeCode, reason } = checkCloseInfo(info);
    this.#core.close(true, closeCode, reason, nowUs());
    this.#wake();
    await this.#closed.promise.catch(() => {});
  }

  /** @internal Ends the connection because this side failed it before it was ready. */
  fail(error: TransportError): void {
    this.#ready.reject(error);
    this.#core.close(false, error.wireCode ?? 0, error.message, nowUs());
    this.#finish(error, { closeCode: 0, reason: error.message });
    this.#wake();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #assertOpen(): void {
    if (!this.#core.isOpen) throw new TransportError('ERR_MILLRACE_CLOSED', 'the connection is closed');
  }

  /** @internal ICMP is not authentic: once the peer has proven itself it ends nothing, and is only counted. */
  onIcmp(code: string): void {
    this.#icmpErrors++;
    if (code !== 'ECONNREFUSED' || !this.#core.isHandshaking) return;
    const { host, port } = this.remoteAddress;
    const text = `nothing listens at ${host} port ${port} (UDP), or a firewall rejects it`;
    this.fail(new TransportError('ERR_MILLRACE_REFUSED', text));
  }

  /** @internal */
  onEvent(event: ConnectionEvent): void {
    this.#observer.onEvent(event);
    switch (event.type) {
      case 'incoming':
        this.resource = event.resource;
        this.onIncoming?.(event.resource, event.identity);
        return;
      case 'connected':
        this.#ready.resolve();
        return;
      case 'closed':
        this.#onClosed(event.closing);
        return;
      case 'counters':
        for (const report of this.#reports.splice(0)) report.resolve();
        return;
      case 'path-changed':
        this.remoteAddress = this.#parts.addressNow();
        for (const move of this.#moves.splice(0)) move.resolve();
        this.dispatchEvent(new Event('pathchange'));
        return;
      case 'datagram':
        this.datagrams.onDatagram(event.bytes);
        return;
      case 'datagram-settled':
        this.datagrams.onSettled(event.id, event.outcome);
        return;
      default:
        if (!event.type.includes('stream')) this.#tracks.onEvent(event);
        else if (!this.#tracks.onStreamEvent(event)) this.#streams.onEvent(event);
    }
  }

  #onClosed(closing: Closing): void {
    const { error, errorCode, reason, isApplication } = closing;
    this.#finish(error, { closeCode: isApplication ? errorCode : 0, reason });
  }

  /** Once: of what has failed here first, the core tells too. */
  #finish(error: TransportError | undefined, info: { closeCode: number; reason: string }): void {
    if (this.#isOver) return;
    this.#isOver = true;
    const over = error ?? new TransportError('ERR_MILLRACE_CLOSED', 'the connection is closed');
    this.#ready.reject(over);
    if (error === undefined) this.#closed.resolve(info);
    else this.#closed.reject(error);
    noteRate(this.#parts.routeNow(), this.#core);
    this.#observer.onClosed(error, info);
    for (const move of this.#moves.splice(0)) move.reject(over);
    for (const report of this.#reports.splice(0)) report.resolve();
    this.#tracks.onClosed(error);
    this.#streams.onClosed(over);
    this.datagrams.onClosed();
    this.dispatchEvent(new Event('close'));
  }
}
