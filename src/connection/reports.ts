/**
 * How the parts of a connection tell what has happened. In: their calls, in the middle of packets and of application
 * calls. Out: connection events, what a move does to the parts that measure a path. Objects of classes and not of
 * closures: an idle connection pays for each closure, and there may be ten thousand.
 */
import type { Micros } from '../base/protocol.ts';
import type { PathEvents } from '../path/path-set.ts';
import type { StreamKind } from '../stream/stream-id.ts';
import type { Stream, StreamEvents } from '../stream/types.ts';
import type { TrackSetEvents } from '../track/set-options.ts';
import type { Announcement, Outcome } from '../track/types.ts';
import type { ConnectionState } from './state.ts';

/** Stream events become connection events; the end of a track's stream is the track's. */
export class StreamReports implements StreamEvents {
  readonly #state: ConnectionState;

  constructor(state: ConnectionState) {
    this.#state = state;
  }

  onOpened(stream: Stream): void {
    this.#state.events.push({ type: 'stream', streamId: stream.id });
  }

  onTrackStreamOpened(stream: Stream): void {
    this.#state.events.push({ type: 'track-stream', streamId: stream.id });
  }

  onReadable(streamId: number): void {
    this.#state.events.push({ type: 'stream-readable', streamId });
  }

  onWritable(streamId: number): void {
    this.#state.events.push({ type: 'stream-writable', streamId });
  }

  onReset(streamId: number, errorCode: number): void {
    this.#state.events.push({ type: 'stream-reset', streamId, errorCode });
  }

  onStopped(streamId: number, errorCode: number): void {
    this.#state.events.push({ type: 'stream-stopped', streamId, errorCode });
  }

  onFinished(streamId: number): void {
    this.#state.events.push({ type: 'stream-finished', streamId });
  }

  onTrackStreamDone(streamId: number): void {
    this.#state.tracks.onStreamDone(streamId);
  }

  onEnded(streamId: number): void {
    this.#state.events.push({ type: 'stream-ended', streamId });
  }

  onCanOpen(kind: StreamKind): void {
    this.#state.events.push({ type: 'stream-can-open', kind });
  }

  /** Whoever called polls for transmission anyway. */
  onWantsToSend(): void {}
}

/** Track events become connection events; the end of a media frame makes feedback due. */
export class TrackReports implements TrackSetEvents {
  readonly #state: ConnectionState;

  constructor(state: ConnectionState) {
    this.#state = state;
  }

  onAnnounced(trackId: number, announcement: Announcement): void {
    this.#state.events.push({ type: 'track', trackId, announcement });
  }

  onReadable(trackId: number): void {
    this.#state.events.push({ type: 'track-readable', trackId });
  }

  onEnded(trackId: number): void {
    this.#state.events.push({ type: 'track-ended', trackId });
  }

  onSettled(trackId: number, frameId: number, outcome: Outcome): void {
    this.#state.events.push({ type: 'frame-settled', trackId, frameId, outcome });
  }

  onSenderEnded(trackId: number): void {
    this.#state.events.push({ type: 'track-settled', trackId });
  }

  onStopped(trackId: number, errorCode: number): void {
    this.#state.events.push({ type: 'track-stopped', trackId, errorCode });
  }

  onKeyFrameRequested(trackId: number): void {
    this.#state.events.push({ type: 'key-frame-request', trackId });
  }

  onFrameEnd(): void {
    this.#state.hasFrameEnded = true;
  }

  /** Whoever called polls for transmission anyway. */
  onWantsToSend(): void {}
}

/** What a move to another path does to the parts that measure one. */
export class PathReports implements PathEvents {
  readonly #state: ConnectionState;

  constructor(state: ConnectionState) {
    this.#state = state;
  }

  onMoved(now: Micros): void {
    const { recovery, prober, options, control, events } = this.#state;
    recovery.abandonInFlight(now);
    prober.onPortChange(now);
    // The peer follows the newest packet that is more than a probe.
    if (!options.isServer) control.sendPing();
    events.push({ type: 'path-changed' });
  }

  onNewRoute(roundTripUs: Micros, now: Micros): void {
    const { controller, redundancy, rtt, prober } = this.#state;
    controller.onPathChange(now);
    redundancy.onPathChange();
    rtt.reset();
    if (!Number.isNaN(roundTripUs)) rtt.onSample(roundTripUs, 0, now);
    prober.onPathChange(now);
  }

  onWanted(): void {
    this.#state.events.push({ type: 'path-wanted' });
  }
}
