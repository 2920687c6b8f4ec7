/** The receiving side of a track as applications see it. Timestamps in microseconds, latency in milliseconds. */
import { TransportError } from '../base/errors.ts';
import type { Connection as Core } from '../connection/connection.ts';
import type { ReceiveStream } from '../stream/receive.ts';
import { checkErrorCode } from '../stream/send.ts';
import { Deque } from '../track/deque.ts';
import type { TrackReceiver } from '../track/receive.ts';
import { type MediaRecord, RecordDecoder } from '../track/record.ts';
import type { Delivery, FrameCounts, ReceiveStatistics, TrackKind } from '../track/types.ts';
import { type Deferred, deferred } from './deferred.ts';

/** One received media frame. */
export interface Frame {
  /** Belongs to the application. */
  readonly data: Uint8Array;
  /** Presentation time, integer microseconds. */
  readonly timestamp: number;
  readonly duration: number | undefined;
  readonly keyFrame: boolean;
  readonly discardable: boolean;
  readonly frameId: number;
  /** Media frames missing since the one before: a decoder may have to wait for a key frame. */
  readonly skipped: number;
}

/** What the announcement of a track says. */
export interface TrackDescription {
  readonly kind: TrackKind;
  /** Milliseconds; Infinity: reliable. */
  readonly latency: number;
  readonly delivery: Delivery;
  readonly metadata: Readonly<Record<string, unknown>>;
}

/** Reliable: media frames decoded ahead of the reader, bytes; then the stream is left unread, and its sender waits. */
const READ_AHEAD_BYTES = 4_194_304;
/** What a media frame costs beside its bytes, about: else empty ones would be read ahead without bound. */
const FRAME_OVERHEAD_BYTES = 256;

/**
 * Media frames as they come. Iterate, or call `read()` after each `readable` event (cheaper). Ends when the sender ends
 * the track or the connection ends; iterating fails with ERR_MILLRACE_PROTOCOL after the last media frame in front of bytes
 * that are none.
 */
export class IncomingTrack extends EventTarget implements AsyncIterable<Frame> {
  readonly id: number;
  readonly kind: TrackKind;
  readonly latency: number;
  /** As soon as a media frame is complete, or evenly at its time: what holds here, ours or the sender's wish. */
  readonly delivery: Delivery;
  readonly metadata: Readonly<Record<string, unknown>>;
  readonly #core: Core;
  readonly #wake: () => void;
  readonly #receiver: TrackReceiver | undefined;
  readonly #stream: ReceiveStream | undefined;
  /** Where media frames of a reliable track are counted. */
  readonly #reliable: FrameCounts | undefined;
  readonly #decoder: RecordDecoder = new RecordDecoder();
  readonly #decoded: Deque<Frame> = new Deque<Frame>();
  /** Of the media frames in it and all that belongs to them. */
  #decodedBytes = 0;
  #nextFrameId = 0;
  /** Calls of `next` that no media frame has come for yet. */
  readonly #waiting: Deque<Deferred<IteratorResult<Frame>>> = new Deque<Deferred<IteratorResult<Frame>>>();
  #isEnded = false;
  #isComplete = false;
  #error: unknown;

  /** @internal Made by a connection only. */
  constructor(
    id: number,
    description: TrackDescription,
    core: Core,
    wake: () => void,
    part: TrackReceiver | ReceiveStream,
    reliable: FrameCounts | undefined,
  ) {
    super();
    this.id = id;
    this.kind = description.kind;
    this.latency = description.latency;
    this.delivery = description.delivery;
    this.metadata = description.metadata;
    this.#core = core;
    this.#wake = wake;
    this.#reliable = reliable;
    this.#receiver = reliable === undefined ? (part as TrackReceiver) : undefined;
    this.#stream = reliable === undefined ? undefined : (part as ReceiveStream);
  }

  /** Counters of this track; undefined for a reliable one. */
  get statistics(): Readonly<ReceiveStatistics> | undefined {
    return this.#receiver?.statistics;
  }

  /** True once the sender has ended the track and everything before it was delivered (reliable) or decided (live). */
  get isComplete(): boolean {
    return this.#isComplete && this.#decoded.length === 0;
  }

  /** The next media frame, or undefined: none now. */
  read(): Frame | undefined {
    if (this.#receiver !== undefined) {
      const frame = this.#receiver.poll();
      if (frame === undefined) return undefined;
      const { data, timestampUs, durationUs, keyFrame, discardable, frameId, skipped } = frame;
      return { data, timestamp: timestampUs, duration: durationUs, keyFrame, discardable, frameId, skipped };
    }
    if (this.#decoded.length === 0) this.#decode();
    const frame = this.#decoded.shift();
    if (frame === undefined) return undefined;
    this.#decodedBytes -= frame.data.length + FRAME_OVERHEAD_BYTES;
    return frame;
  }

  #decode(): void {
    const stream = this.#stream as ReceiveStream;
    if (stream.stopCode !== undefined) return;
    while (this.#decodedBytes < READ_AHEAD_BYTES) {
      const bytes = stream.read();
      if (bytes === undefined) break;
      const error = this.#decoder.push(bytes, this.#take);
      if (error !== 0) {
        this.#fail(stream, error);
        return;
      }
    }
    this.#wake();
    if (stream.isFinished) {
      this.#isComplete = this.#decoder.isAtBoundary;
      this.#isEnded = true;
    }
  }

  /** What came is no media frame. No event follows: the peer's answer to the stop tells us nothing new. */
  #fail(stream: ReceiveStream, wireCode: number): void {
    stream.stop(wireCode);
    this.#isEnded = true;
    this.#error ??= new TransportError(
      'ERR_MILLRACE_PROTOCOL',
      `track ${this.id} holds bytes that are no media frame; one of the two ends runs a faulty or hostile implementation`,
      { wireCode },
    );
    this.#wake();
  }

  /** Takes one record of a reliable track. */
  readonly #take = (record: MediaRecord): void => {
    const { data, timestampUs, durationUs, keyFrame, discardable } = record;
    const frameId = this.#nextFrameId++;
    const counts = this.#reliable as FrameCounts;
    counts.sent++;
    counts.onTime++;
    this.#decodedBytes += data.length + FRAME_OVERHEAD_BYTES;
    this.#decoded.push({
      data,
      timestamp: timestampUs,
      duration: durationUs,
      keyFrame,
      discardable,
      frameId,
      skipped: 0,
    });
  };

  /**
   * As any `EventTarget`'s. Whoever listens to `readable` hears it once at once: media may have come before the track was
   * taken, and what waits already is not announced again.
   */
  override addEventListener(...listening: Parameters<EventTarget['addEventListener']>): void {
    super.addEventListener(...listening);
    if (listening[0] === 'readable') queueMicrotask(() => this.dispatchEvent(new Event('readable')));
  }

  /** Asks the sender for a key frame: the decoder cannot go on. At most one request per round trip is sent. */
  requestKeyFrame(): void {
    this.#receiver?.requestKeyFrame();
    this.#wake();
  }

  /** Wants no more of this track; the sender is told. @throws RangeError unless the code is an integer from 0 to 2^53-1. */
  stop(errorCode = 0): void {
    checkErrorCode(errorCode);
    if (this.#stream !== undefined) this.#stream.stop(errorCode);
    else this.#core.tracks.stop(this.id, errorCode);
    this.#isEnded = true;
    this.#wake();
    this.#settle();
  }

  /** @internal Something may be read, or the end was reached. */
  onReadable(): void {
    this.#settle();
    this.dispatchEvent(new Event('readable'));
  }

  /** @internal */
  onEnded(isComplete: boolean, error?: unknown): void {
    if (this.#isEnded) return;
    if (this.#receiver !== undefined) this.#isComplete = isComplete;
    this.#isEnded = true;
    this.#error ??= error;
    this.onReadable();
  }

  #settle(): void {
    for (let next = this.#waiting.at(0); next !== undefined; next = this.#waiting.at(0)) {
      const frame = this.read();
      if (frame !== undefined) next.resolve({ value: frame, done: false });
      else if (this.#isEnded) this.#finish(next);
      else return;
      this.#waiting.shift();
    }
  }

  #finish(waiting: Deferred<IteratorResult<Frame>>): void {
    const error = this.#error;
    this.#error = undefined;
    if (error === undefined) waiting.resolve({ value: undefined, done: true });
    else waiting.reject(error);
  }

  [Symbol.asyncIterator](): AsyncIterator<Frame> {
    return {
      next: () => {
        const waiting = deferred<IteratorResult<Frame>>();
        this.#waiting.push(waiting);
        this.#settle();
        return waiting.promise;
      },
      return: () => {
        if (!this.#isEnded) this.stop();
        return Promise.resolve({ value: undefined, done: true });
      },
    };
  }
}
