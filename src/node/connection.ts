/**
 * A connection as applications see it: promises and async iterables around the sans-IO core. Names follow WebTransport.
 * Milliseconds, bytes and bits per second; media timestamps in microseconds. Source: DESIGN §4.
 */
import type { ReadableStream, WritableStream } from 'node:stream/web';
import { TransportError } from '../base/errors.ts';
import { MILLISECOND } from '../base/protocol.ts';
import type { Connection as Core } from '../connection/connection.ts';
import type { Closing, ConnectionEvent } from '../connection/events.ts';
import type { LiveTrackOptions } from '../track/set-options.ts';
import type { Announcement, Delivery, Order, TrackKind } from '../track/types.ts';
import { encodeText } from '../wire/control.ts';
import { Datagrams } from './datagrams.ts';
import { AsyncQueue, type Deferred, deferred } from './deferred.ts';
import { type ConnectionHandler, nowUs } from './driver.ts';
import { IncomingTrack } from './incoming-track.ts';
import { OutgoingTrack, type TrackHost } from './outgoing-track.ts';
import type { Address } from './paths.ts';
import { type ConnectionStats, collectStats } from './stats.ts';
import { type BidirectionalStream, type StreamOptions, Streams } from './streams.ts';

/** Why and how `close` ends a connection. */
export interface CloseInfo {
  /** The application's own code, 0..2^53-1; 0 is a clean end. */
  readonly closeCode?: number;
  /** For people; at most 256 bytes of UTF-8 travel. */
  readonly reason?: string;
}

/** What a track is made with. */
export interface TrackOptions {
  /** Default 'video'. */
  readonly kind?: TrackKind;
  /** Recovery budget on top of the one-way delay, ms, 1..60000; Infinity: reliable and ordered. Default: the connection's. */
  readonly latency?: number;
  /** Higher goes first. Default: audio 10, data 5, video 0. */
  readonly sendOrder?: number;
  /** Share among senders of equal order, 1..255; default 1. */
  readonly weight?: number;
  /** Travels with the announcement: codec string, decoder description, labels. At most 4096 bytes of JSON. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** Default 'asap'. */
  readonly delivery?: Delivery;
  /** Default 'send'. */
  readonly order?: Order;
}

const DEFAULT_SEND_ORDER: Readonly<Record<TrackKind, number>> = { audio: 10, data: 5, video: 0 };
/** SRT's default, and most people's idea of live. */
export const DEFAULT_LATENCY_MS = 120;

/** What a connection is made with, by `connect` and `listen`. */
export interface ConnectionParts {
  readonly core: Core;
  readonly resource: string;
  readonly remoteAddress: Address;
  readonly latency: number;
  wake(): void;
}

/**
 * One connection. Events: `close`. Everything that fails carries a {@link TransportError}.
 */
export class Connection extends EventTarget implements ConnectionHandler, AsyncDisposable {
  /** The path of the URI that was called. */
  resource: string;
  readonly remoteAddress: Address;
  /** Who called: the PSK identity or certificate subject, once known. */
  identity = '';
  readonly datagrams: Datagrams;
  readonly #core: Core;
  readonly #latency: number;
  readonly #wake: () => void;
  readonly #host: TrackHost;
  readonly #ready: Deferred<void> = deferred<void>();
  readonly #closed: Deferred<{ closeCode: number; reason: string }> = deferred();
  readonly #tracks: AsyncQueue<IncomingTrack> = new AsyncQueue<IncomingTrack>();
  readonly #incoming: Map<number, IncomingTrack> = new Map();
  readonly #outgoing: Map<number, OutgoingTrack> = new Map();
  /** Reliable tracks by the stream that carries them. */
  readonly #incomingByStream: Map<number, IncomingTrack> = new Map();
  readonly #outgoingByStream: Map<number, OutgoingTrack> = new Map();
  /** Reliable tracks whose announcement came before the first bytes of their stream. */
  readonly #waitingForStream: Map<number, { trackId: number; announcement: Announcement }> = new Map();
  readonly #streams: Streams;
  /** Server: asked when the caller's parameters are known. */
  onIncoming: ((resource: string, identity: string) => void) | undefined;

  /** Made by `connect` and `listen` only. */
  constructor(parts: ConnectionParts) {
    super();
    this.#core = parts.core;
    this.resource = parts.resource;
    this.remoteAddress = parts.remoteAddress;
    this.#latency = parts.latency;
    this.#wake = parts.wake;
    this.#host = { core: parts.core, wake: parts.wake };
    this.#streams = new Streams(parts.core, parts.wake);
    this.datagrams = new Datagrams(parts.core, parts.wake);
    // A program that never looks at these promises must not die of them.
    this.#ready.promise.catch(() => {});
    this.#closed.promise.catch(() => {});
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
    return this.#tracks;
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
    const kind = options.kind ?? 'video';
    const latency = options.latency ?? this.#latency;
    const sendOrder = options.sendOrder ?? DEFAULT_SEND_ORDER[kind];
    const { weight = 1 } = options;
    const metadata = encodeMetadata(options.metadata ?? {});
    const track =
      latency === Number.POSITIVE_INFINITY
        ? this.#createReliable(kind, metadata, sendOrder, weight)
        : this.#createLive(options, {
            kind,
            metadata,
            sendOrder,
            weight,
            latencyUs: Math.round(latency * MILLISECOND),
          });
    this.#outgoing.set(track.id, track);
    this.#wake();
    return track;
  }

  #createReliable(kind: TrackKind, metadata: Uint8Array, sendOrder: number, weight: number): OutgoingTrack {
    const sender = this.#core.streams.open('track', { sendOrder, weight });
    const id =
      sender === undefined
        ? undefined
        : this.#core.tracks.openReliable({ kind, streamId: sender.id, metadata });
    if (sender === undefined || id === undefined) throw limitError();
    const track = new OutgoingTrack(id, Number.POSITIVE_INFINITY, this.#host, sender, true);
    this.#outgoingByStream.set(sender.id, track);
    return track;
  }

  #createLive(options: TrackOptions, live: LiveTrackOptions): OutgoingTrack {
    const { delivery = 'asap', order = 'send' } = options;
    const sender = this.#core.tracks.openLive({ ...live, delivery, order });
    if (sender === undefined) throw limitError();
    return new OutgoingTrack(sender.id, sender.latencyUs / MILLISECOND, this.#host, sender, false);
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

  /** Counters and estimates, as of now. */
  async getStats(): Promise<ConnectionStats> {
    return this.stats();
  }

  /** As `getStats`, at once. */
  stats(): ConnectionStats {
    return collectStats(this.#core, nowUs());
  }

  /** Ends the connection; the peer gets code and reason. Fulfilled when it has confirmed, or after a few repetitions. */
  async close(info: CloseInfo = {}): Promise<void> {
    const { closeCode = 0, reason = '' } = info;
    if (!Number.isSafeInteger(closeCode) || closeCode < 0)
      throw new RangeError('closeCode is an integer from 0 to 2^53-1');
    this.#core.close(true, closeCode, reason, nowUs());
    this.#wake();
    await this.#closed.promise.catch(() => {});
  }

  /** Ends the connection because this side failed it before it was ready. */
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

  /** @internal */
  onRefused(): void {
    if (!this.#core.isHandshaking) return;
    const { host, port } = this.remoteAddress;
    this.fail(new TransportError('ERR_MILLRACE_REFUSED', `nothing listens at ${host} port ${port} (UDP)`));
  }

  /** @internal */
  onEvent(event: ConnectionEvent): void {
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
      case 'datagram':
        this.datagrams.onDatagram(event.bytes);
        return;
      case 'datagram-settled':
        this.datagrams.onSettled(event.id, event.outcome);
        return;
      default:
        if (event.type.includes('stream')) this.#onStreamEvent(event);
        else this.#onTrackEvent(event);
    }
  }

  #onTrackEvent(event: ConnectionEvent): void {
    switch (event.type) {
      case 'track':
        this.#onTrack(event.trackId, event.announcement);
        return;
      case 'track-readable':
        this.#incoming.get(event.trackId)?.onReadable();
        return;
      case 'track-ended':
        this.#incoming.get(event.trackId)?.onEnded(true);
        this.#incoming.delete(event.trackId);
        return;
      case 'frame-settled':
        this.#outgoing.get(event.trackId)?.onFrameSettled(event.frameId, event.outcome);
        return;
      case 'track-settled':
        this.#outgoing.get(event.trackId)?.onOver();
        this.#outgoing.delete(event.trackId);
        return;
      case 'track-stopped': {
        const track = this.#outgoing.get(event.trackId);
        track?.dispatchEvent(new Event('stopped'));
        track?.onOver();
        return;
      }
      case 'key-frame-request':
        this.#outgoing.get(event.trackId)?.dispatchEvent(new Event('keyframerequest'));
        return;
      case 'bitrate':
        this.#outgoing.get(event.trackId)?.onBitrate(event.bps, event.maxFrameBytes);
        return;
      default:
    }
  }

  #onStreamEvent(event: ConnectionEvent): void {
    switch (event.type) {
      case 'stream':
        this.#streams.onOpened(event.streamId);
        return;
      case 'track-stream': {
        const waiting = this.#waitingForStream.get(event.streamId);
        this.#waitingForStream.delete(event.streamId);
        if (waiting !== undefined) this.#onTrack(waiting.trackId, waiting.announcement);
        return;
      }
      case 'stream-readable': {
        const track = this.#incomingByStream.get(event.streamId);
        if (track === undefined) this.#streams.onReadable(event.streamId);
        else track.onReadable();
        return;
      }
      case 'stream-writable': {
        const track = this.#outgoingByStream.get(event.streamId);
        if (track === undefined) this.#streams.onWritable(event.streamId);
        else track.onStreamMoved();
        return;
      }
      case 'stream-finished': {
        const track = this.#outgoingByStream.get(event.streamId);
        if (track === undefined) this.#streams.onFinished(event.streamId);
        else {
          track.onStreamMoved();
          track.onOver();
          this.#core.tracks.end(track.id);
          this.#outgoingByStream.delete(event.streamId);
        }
        return;
      }
      case 'stream-reset':
        this.#incomingByStream.get(event.streamId)?.onEnded(false);
        this.#streams.onReset(event.streamId, event.errorCode);
        return;
      case 'stream-stopped': {
        const track = this.#outgoingByStream.get(event.streamId);
        track?.dispatchEvent(new Event('stopped'));
        track?.onOver();
        this.#streams.onStopped(event.streamId, event.errorCode);
        return;
      }
      default:
    }
  }

  #onTrack(trackId: number, announcement: Announcement): void {
    const part = announcement.isReliable
      ? this.#core.streams.get(announcement.streamId)?.receive
      : this.#core.tracks.receiver(trackId);
    if (part === undefined) {
      if (announcement.isReliable) this.#waitingForStream.set(announcement.streamId, { trackId, announcement });
      return;
    }
    const description = {
      kind: announcement.kind,
      latency: announcement.isReliable ? Number.POSITIVE_INFINITY : announcement.latencyUs / MILLISECOND,
      metadata: decodeMetadata(announcement.metadata),
    };
    const track = new IncomingTrack(
      trackId,
      description,
      this.#core,
      this.#wake,
      part,
      announcement.isReliable,
    );
    this.#incoming.set(trackId, track);
    if (announcement.isReliable) this.#incomingByStream.set(announcement.streamId, track);
    this.#tracks.push(track);
    track.onReadable();
  }

  #onClosed(closing: Closing): void {
    const { error, errorCode, reason, isApplication } = closing;
    this.#finish(error, { closeCode: isApplication ? errorCode : 0, reason });
  }

  #finish(error: TransportError | undefined, info: { closeCode: number; reason: string }): void {
    const over = error ?? new TransportError('ERR_MILLRACE_CLOSED', 'the connection is closed');
    this.#ready.reject(over);
    if (error === undefined) this.#closed.resolve(info);
    else this.#closed.reject(error);
    for (const track of this.#incoming.values()) track.onEnded(track.isComplete, error);
    for (const track of this.#outgoing.values()) track.onOver();
    this.#incoming.clear();
    this.#outgoing.clear();
    this.#streams.onClosed(over);
    this.#tracks.end();
    this.datagrams.onClosed();
    this.dispatchEvent(new Event('close'));
  }
}

function limitError(): TransportError {
  return new TransportError('ERR_MILLRACE_LIMIT', 'the peer takes no more tracks; end one first');
}

function encodeMetadata(metadata: Readonly<Record<string, unknown>>): Uint8Array {
  const text = JSON.stringify(metadata);
  const bytes = encodeText(text, Number.POSITIVE_INFINITY);
  if (bytes.length > 4096)
    throw new RangeError(`metadata has ${bytes.length} bytes of JSON; at most 4096 fit`);
  return bytes;
}

/** A peer's metadata: whatever is no JSON object counts as none. */
function decodeMetadata(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    return typeof value === 'object' && value !== null && !Array.isArray(value)
      ? (value as Record<string, unknown>)
      : {};
  } catch {
    return {};
  }
}
