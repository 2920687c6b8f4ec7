/** The tracks of one connection as applications see them: made, announced, fed with events, ended. */
import { TransportError } from '../base/errors.ts';
import { MILLISECOND, type Micros } from '../base/protocol.ts';
import type { Connection as Core } from '../connection/connection.ts';
import type { ConnectionEvent } from '../connection/events.ts';
import { TRACKS_MAX } from '../track/limits.ts';
import type { LiveTrackOptions } from '../track/set-options.ts';
import {
  type Announcement,
  type Delivery,
  type FrameCounts,
  frameCounts,
  type Order,
  type RedundancyMode,
  type TrackKind,
} from '../track/types.ts';
import { encodeText } from '../wire/control.ts';
import { AsyncQueue } from './deferred.ts';
import type { FrameExplanation } from './frame-explanation.ts';
import { inRange, oneOf } from './in-range.ts';
import { IncomingTrack } from './incoming-track.ts';
import { OutgoingTrack, type TrackHost } from './outgoing-track.ts';

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
  /** The most its encoder makes, bits per second: nothing above is probed for. Default: unknown. */
  readonly maxBitrate?: number;
  /** Travels with the announcement: codec string, decoder description, labels. At most 4096 bytes of JSON. */
  readonly metadata?: Readonly<Record<string, unknown>>;
  /** How much redundancy: planned for `target`, none but resends, or a fixed share of the media. Default 'auto'. */
  readonly redundancy?: RedundancyMode;
  /** Media frames that may miss their deadline, above 0, at most 1; default 0.001. */
  readonly target?: number;
  /** Default 'asap'. */
  readonly delivery?: Delivery;
  /** Default 'send'. */
  readonly order?: Order;
}

/**
 * Tracks that wait to be taken, as many as may be open at once: live ones that have ended are limited by nothing else.
 * Beyond it the oldest is stopped.
 */
export const INCOMING_TRACKS_MAX: number = TRACKS_MAX;

const DEFAULT_SEND_ORDER: Readonly<Record<TrackKind, number>> = { audio: 10, data: 5, video: 0 };

export class Tracks {
  /** Announced by the peer, in order. */
  readonly incoming: AsyncQueue<IncomingTrack> = new AsyncQueue<IncomingTrack>(INCOMING_TRACKS_MAX, (track) =>
    track.stop(),
  );
  /** Media frames of reliable tracks: they have no deadline, so that what has arrived was on time. */
  readonly reliableSent: FrameCounts = frameCounts();
  readonly reliableReceived: FrameCounts = frameCounts();
  readonly #core: Core;
  readonly #latency: number;
  readonly #wake: () => void;
  readonly #host: TrackHost;
  /** Live tracks by id. */
  readonly #incoming: Map<number, IncomingTrack> = new Map();
  readonly #outgoing: Map<number, OutgoingTrack> = new Map();
  /** Reliable tracks by the stream that carries them. */
  readonly #incomingByStream: Map<number, IncomingTrack> = new Map();
  readonly #outgoingByStream: Map<number, OutgoingTrack> = new Map();
  /** Reliable tracks whose announcement came before the first bytes of their stream. */
  readonly #waitingForStream: Map<number, { trackId: number; announcement: Announcement }> = new Map();

  /**
   * @param latency Milliseconds, for tracks that name none.
   * @param now The clock that the core is served by.
   */
  constructor(core: Core, wake: () => void, latency: number, now: () => Micros) {
    this.#core = core;
    this.#wake = wake;
    this.#latency = latency;
    this.#host = { core, wake, now, reliableSent: this.reliableSent };
  }

  /** See `Connection.createTrack`. */
  create(options: TrackOptions): OutgoingTrack {
    const kind = oneOf(options.kind, 'kind', ['video', 'audio', 'data']) ?? 'video';
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
    const sender = this.#core.tracks.canOpen
      ? this.#core.streams.open('track', { sendOrder, weight })
      : undefined;
    if (sender === undefined) throw limitError();
    const id = this.#core.tracks.openReliable({ kind, streamId: sender.id, metadata }) as number;
    const track = new OutgoingTrack(id, Number.POSITIVE_INFINITY, this.#host, sender, true);
    this.#outgoingByStream.set(sender.id, track);
    return track;
  }

  #createLive(options: TrackOptions, live: LiveTrackOptions): OutgoingTrack {
    const { maxBitrate } = options;
    const delivery = oneOf(options.delivery, 'delivery', ['asap', 'timed']) ?? 'asap';
    const order = oneOf(options.order, 'order', ['send', 'none']) ?? 'send';
    const maxBps = inRange(maxBitrate, 'maxBitrate', 1000, 10_000_000_000, Number.POSITIVE_INFINITY);
    const { redundancy, target } = options;
    const sender = this.#core.tracks.openLive({ ...live, delivery, order, redundancy, target });
    if (sender === undefined) throw limitError();
    if (maxBitrate !== undefined) this.#core.limitTrack(sender, maxBps);
    return new OutgoingTrack(sender.id, sender.latencyUs / MILLISECOND, this.#host, sender, false);
  }

  /** See `Connection.explain`. Ids of media frames are those of one track: without a track the oldest that knows it answers. */
  explain(frameId: number, track: OutgoingTrack | undefined): FrameExplanation | undefined {
    if (track !== undefined) return track.explain(frameId);
    for (const candidate of this.#outgoing.values()) {
      const explanation = candidate.explain(frameId);
      if (explanation !== undefined) return explanation;
    }
    return undefined;
  }

  /** Takes what concerns a track. */
  onEvent(event: ConnectionEvent): void {
    switch (event.type) {
      case 'track':
        this.#onAnnounced(event.trackId, event.announcement);
        return;
      case 'track-readable':
        this.#incoming.get(event.trackId)?.onReadable();
        return;
      case 'track-ended':
        this.#incoming.get(event.trackId)?.onEnded(true);
        this.#incoming.delete(event.trackId);
        // Taken for the last time: the core forgets it now, whether or not its last frames have been read.
        this.#core.tracks.receiver(event.trackId);
        return;
      case 'frame-settled':
        this.#outgoing.get(event.trackId)?.onFrameSettled(event.frameId, event.outcome);
        return;
      case 'track-settled':
        this.#outgoing.get(event.trackId)?.onOver();
        this.#outgoing.delete(event.trackId);
        return;
      case 'track-stopped':
        this.#outgoing.get(event.trackId)?.onStopped();
        this.#outgoing.delete(event.trackId);
        return;
      case 'key-frame-request':
        this.#outgoing.get(event.trackId)?.dispatchEvent(new Event('keyframerequest'));
        return;
      case 'bitrate':
        this.#outgoing.get(event.trackId)?.onBitrate(event.bps, event.maxFrameBytes);
        return;
      default:
    }
  }

  /** Takes what concerns the stream of a reliable track. False: it is no such stream. */
  onStreamEvent(event: ConnectionEvent): boolean {
    switch (event.type) {
      case 'track-stream':
        return this.#onTrackStream(event.streamId);
      case 'stream-readable':
        return this.#with(this.#incomingByStream, event.streamId, (track) => track.onReadable());
      case 'stream-reset':
        return this.#with(this.#incomingByStream, event.streamId, (track) => track.onEnded(false));
      case 'stream-writable':
        return this.#with(this.#outgoingByStream, event.streamId, (track) => track.onStreamMoved());
      case 'stream-stopped':
        return this.#with(this.#outgoingByStream, event.streamId, (track) => track.onStopped());
      case 'stream-finished':
        return this.#with(this.#outgoingByStream, event.streamId, (track) => {
          track.onStreamMoved();
          track.onOver();
        });
      case 'stream-ended':
        return this.#forgetStream(event.streamId);
      default:
        return false;
    }
  }

  /** The core holds the stream no more. False: it carried no track. */
  #forgetStream(streamId: number): boolean {
    const incoming = this.#incomingByStream.get(streamId);
    const outgoing = this.#outgoingByStream.get(streamId);
    this.incoming.remove((track) => track === incoming);
    this.#incomingByStream.delete(streamId);
    // Nothing tells this track of an end from here on: whoever waits for it learns it now.
    incoming?.onEnded(false);
    if (outgoing !== undefined) this.#outgoing.delete(outgoing.id);
    this.#outgoingByStream.delete(streamId);
    return incoming !== undefined || outgoing !== undefined;
  }

  #with<Track>(tracks: ReadonlyMap<number, Track>, streamId: number, act: (track: Track) => void): boolean {
    const track = tracks.get(streamId);
    if (track !== undefined) act(track);
    return track !== undefined;
  }

  #onTrackStream(streamId: number): boolean {
    const waiting = this.#waitingForStream.get(streamId);
    this.#waitingForStream.delete(streamId);
    if (waiting !== undefined) this.#onAnnounced(waiting.trackId, waiting.announcement);
    return true;
  }

  #onAnnounced(trackId: number, announcement: Announcement): void {
    const { isReliable, streamId } = announcement;
    const { streams, tracks } = this.#core;
    // A second announcement for one stream is no honest peer's.
    if (isReliable && this.#incomingByStream.has(streamId)) return;
    const part = isReliable ? streams.get(streamId)?.receive : tracks.receiver(trackId);
    if (part === undefined) {
      // Without its stream it waits; a stream that was reset and forgotten brings nothing.
      if (isReliable && !streams.isReceived(streamId))
        this.#waitingForStream.set(streamId, { trackId, announcement });
      return;
    }
    const description = {
      kind: announcement.kind,
      latency: isReliable ? Number.POSITIVE_INFINITY : announcement.latencyUs / MILLISECOND,
      delivery: isReliable ? ('asap' as const) : announcement.delivery,
      metadata: decodeMetadata(announcement.metadata),
    };
    const track = new IncomingTrack(
      trackId,
      description,
      this.#core,
      this.#wake,
      part,
      isReliable ? this.reliableReceived : undefined,
    );
    if (isReliable) this.#incomingByStream.set(streamId, track);
    else this.#incoming.set(trackId, track);
    this.incoming.push(track);
    track.onReadable();
  }

  /** The connection is over. */
  onClosed(error: TransportError | undefined): void {
    for (const tracks of [this.#incoming, this.#incomingByStream])
      for (const track of tracks.values()) track.onEnded(track.isComplete, error);
    for (const track of this.#outgoing.values()) track.onOver();
    for (const tracks of [this.#incoming, this.#outgoing, this.#incomingByStream, this.#outgoingByStream])
      tracks.clear();
    this.#waitingForStream.clear();
    this.incoming.end();
  }
}

function limitError(): TransportError {
  return new TransportError('ERR_MILLRACE_LIMIT', 'the peer takes no more tracks; end one first');
}

function encodeMetadata(metadata: Readonly<Record<string, unknown>>): Uint8Array {
  // Whatever else JSON can say, the receiver takes for none.
  if (typeof metadata !== 'object' || metadata === null || Array.isArray(metadata))
    throw new TypeError('metadata is an object of names and values');
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
