/** The sending side of a track as applications see it. Milliseconds and bits per second; timestamps in microseconds. */
import { copyBytes } from '../base/bytes.ts';
import type { Micros } from '../base/protocol.ts';
import type { Connection as Core } from '../connection/connection.ts';
import type { FrameOutcome } from '../connection/events.ts';
import type { LadderPath } from '../rate/ladder.ts';
import type { SendStream } from '../stream/send.ts';
import { Deque } from '../track/deque.ts';
import { encodeRecordHeader } from '../track/record.ts';
import type { TrackSender } from '../track/send.ts';
import type { FrameCounts, MediaFrameOptions, RedundancyMode, SendStatistics } from '../track/types.ts';
import { type Deferred, deferred } from './deferred.ts';
import { explainFrame, type FrameExplanation, planOf, type RedundancyPlan } from './frame-explanation.ts';

/** What is said of one media frame. */
export interface FrameOptions {
  /** Presentation time, integer microseconds as in WebCodecs. Default: microseconds since the track was made. */
  readonly timestamp?: number;
  /** Integer microseconds. */
  readonly duration?: number;
  readonly keyFrame?: boolean;
  /** May be dropped first when the track does not fit. */
  readonly discardable?: boolean;
}

/** A `bitratechange` event. */
export class BitrateChangeEvent extends Event {
  /** What the encoder may produce, net of repair, resends and headers. */
  readonly bitsPerSecond: number;
  /** A single media frame above this would queue. */
  readonly maxFrameBytes: number;

  constructor(bitsPerSecond: number, maxFrameBytes: number) {
    super('bitratechange');
    this.bitsPerSecond = bitsPerSecond;
    this.maxFrameBytes = maxFrameBytes;
  }
}

/** One sent media frame. Its `settled` promise is made only when it is asked for. */
export class SentFrame {
  readonly frameId: number;
  #outcome: FrameOutcome | undefined;
  #deferred: Deferred<FrameOutcome> | undefined;

  /** @internal Made by `OutgoingTrack.send` only. */
  constructor(frameId: number) {
    this.frameId = frameId;
  }

  /** How it ended; undefined while it is under way. */
  get outcome(): FrameOutcome | undefined {
    return this.#outcome;
  }

  /** Fulfilled with the outcome; never rejected. */
  get settled(): Promise<FrameOutcome> {
    if (this.#outcome !== undefined) return Promise.resolve(this.#outcome);
    this.#deferred ??= deferred<FrameOutcome>();
    return this.#deferred.promise;
  }

  /** @internal */
  settle(outcome: FrameOutcome): void {
    this.#outcome = outcome;
    this.#deferred?.resolve(outcome);
  }
}

/**
 * Beyond this much data that has not left a reliable track asks its writer to wait. What is under way does not count: on
 * a lossy path a single packet that is lost again and again holds up megabytes of acknowledged order.
 */
const RELIABLE_HIGH_WATER_BYTES = 4_194_304;

/** Reliable: a media frame and where its record ends in the stream. */
interface UnackedFrame {
  readonly end: number;
  readonly frame: SentFrame;
}

/** What both kinds of outgoing track need of their connection. */
export interface TrackHost {
  readonly core: Core;
  /** Media frames of reliable tracks, which the core sees as bytes of streams only. */
  readonly reliableSent: FrameCounts;
  wake(): void;
  /** The clock that the core is served by. */
  now(): Micros;
}

/**
 * Media frames on their way out. A live track never blocks: what does not fit expires. A reliable track (latency
 * Infinity) keeps everything, and `ready` says when to go on.
 *
 * Events: `bitratechange` ({@link BitrateChangeEvent}), `keyframerequest`, `stopped`.
 */
export class OutgoingTrack extends EventTarget {
  readonly id: number;
  /** Milliseconds in force (the larger of both ends' wishes); Infinity for a reliable track. */
  readonly latency: number;
  readonly #host: TrackHost;
  readonly #sender: TrackSender | undefined;
  readonly #stream: SendStream | undefined;
  readonly #frames: Map<number, SentFrame> = new Map();
  readonly #startUs: Micros;
  /** Reliable: bytes of records that the stream had no room for yet. */
  readonly #backlog: Deque<Uint8Array> = new Deque<Uint8Array>();
  /** Of the first of them, how many bytes the stream has. */
  #backlogTaken = 0;
  /** Reliable: end offset and frame, ascending. */
  readonly #unacked: Deque<UnackedFrame> = new Deque<UnackedFrame>();
  #backlogBytes = 0;
  #nextFrameId = 0;
  #queuedEnd = 0;
  #ended: Deferred<void> | undefined;
  #ready: Deferred<void> | undefined;
  #isEnding = false;
  #isOver = false;

  /** @internal Made by `Connection.createTrack` only. */
  constructor(
    id: number,
    latency: number,
    host: TrackHost,
    part: TrackSender | SendStream,
    isReliable: boolean,
  ) {
    super();
    this.id = id;
    this.latency = latency;
    this.#host = host;
    this.#startUs = host.now();
    this.#sender = isReliable ? undefined : (part as TrackSender);
    this.#stream = isReliable ? (part as SendStream) : undefined;
  }

  /** Bits per second the encoder may produce on this track now: what the last `bitratechange` said. */
  get targetBitrate(): number {
    return this.#sender === undefined
      ? this.#host.core.state.controller.targetRateBps
      : this.#host.core.targetOf(this.#sender);
  }

  /** Bytes a single media frame may have now without queueing; a reliable track: Infinity. */
  get maxFrameBytes(): number {
    return this.#sender === undefined
      ? Number.POSITIVE_INFINITY
      : this.#host.core.maxFrameBytesOf(this.#sender);
  }

  /** @internal A ladder would send this much if it were proven, bits per second; 0 = nothing is wanted. */
  want(bps: number): void {
    if (this.#sender !== undefined && !this.#isOver) this.#host.core.wantRate(this.#sender, bps);
  }

  /** @internal Fills in what a ladder wants to know of the path. */
  describePath(path: LadderPath): void {
    if (this.#sender !== undefined) this.#host.core.describePath(this.#sender, path);
  }

  /** Age of the oldest media that has not left yet, ms. */
  get queuedMs(): number {
    return this.#sender === undefined ? 0 : this.#sender.queuedUs(this.#host.now()) / 1000;
  }

  /** Media bytes that have not left yet (reliable: that are not acknowledged yet). */
  get queuedBytes(): number {
    if (this.#sender !== undefined) return this.#sender.queuedBytes;
    return (this.#stream?.bufferedBytes ?? 0) + this.#backlogBytes;
  }

  /** Reliable: bytes that have not left yet. */
  get #waitingBytes(): number {
    return (this.#stream?.unsentBytes ?? 0) + this.#backlogBytes;
  }

  /** Fulfilled when a reliable track wants more data; at once for a live one. */
  get ready(): Promise<void> {
    if (this.#isOver || this.#sender !== undefined || this.#waitingBytes < RELIABLE_HIGH_WATER_BYTES) {
      return Promise.resolve();
    }
    this.#ready ??= deferred<void>();
    return this.#ready.promise;
  }

  /** Counters of this track; undefined for a reliable one. */
  get statistics(): Readonly<SendStatistics> | undefined {
    return this.#sender?.statistics;
  }

  /**
   * Sends one media frame; the bytes are copied.
   *
   * @returns A handle whose `settled` tells how it ended; ignoring it costs nothing.
   * @throws TypeError, RangeError for bad arguments (at most 16 MiB). After the end of the connection the frame is
   * `dropped`.
   */
  send(data: Uint8Array, options: FrameOptions = {}): SentFrame {
    if (!(data instanceof Uint8Array)) throw new TypeError('a media frame is a Uint8Array');
    if (this.#isEnding) throw new TypeError('the track has ended: send before end()');
    const now = this.#host.now();
    const media: MediaFrameOptions = {
      timestampUs: options.timestamp ?? now - this.#startUs,
      durationUs: options.duration,
      keyFrame: options.keyFrame,
      discardable: options.discardable,
    };
    // The core knows of an end before its event comes.
    if (this.#isOver || this.#sender?.isClosed === true) return this.#dropped();
    return this.#sender === undefined
      ? this.#sendRecord(data, media)
      : this.#sendLive(this.#sender, data, media, now);
  }

  /** One more media frame that came too late. Frames of a live track are numbered by its sender until then. */
  #dropped(): SentFrame {
    const frame = new SentFrame((this.#sender?.nextFrameId ?? 0) + this.#nextFrameId++);
    frame.settle('dropped');
    return frame;
  }

  #sendLive(sender: TrackSender, data: Uint8Array, media: MediaFrameOptions, now: number): SentFrame {
    const frame = new SentFrame(sender.send(data, media, now));
    this.#frames.set(frame.frameId, frame);
    this.#host.core.onMediaQueued(sender, now);
    this.#host.wake();
    return frame;
  }

  #sendRecord(data: Uint8Array, media: MediaFrameOptions): SentFrame {
    const header = encodeRecordHeader(data.length, media);
    const frame = new SentFrame(this.#nextFrameId++);
    this.#host.reliableSent.sent++;
    this.#queuedEnd += header.length + data.length;
    if (this.#unacked.length === 0) this.#stream?.tellWhenAcked(this.#queuedEnd);
    this.#unacked.push({ end: this.#queuedEnd, frame });
    this.#write(header);
    this.#write(data);
    this.#host.wake();
    return frame;
  }

  #write(bytes: Uint8Array): void {
    const stream = this.#stream as SendStream;
    const taken = this.#backlog.length === 0 ? stream.write(bytes) : 0;
    if (taken === bytes.length) return;
    this.#backlog.push(copyBytes(bytes, taken));
    this.#backlogBytes += bytes.length - taken;
  }

  /**
   * How much redundancy the media frames to come get: planned for {@link target}, none but resends, or a fixed share of
   * the media. A reliable track has none.
   *
   * @throws TypeError, RangeError when set to anything else, or an overhead outside 0..3.
   */
  get redundancy(): RedundancyMode {
    return this.#sender?.redundancy ?? 'off';
  }

  set redundancy(mode: RedundancyMode) {
    this.#sender?.configure(mode, this.#sender.target);
  }

  /** Media frames that may miss their deadline, above 0, at most 1. @throws RangeError when set to anything else. */
  get target(): number {
    return this.#sender?.target ?? 1;
  }

  set target(ratio: number) {
    this.#sender?.configure(this.#sender.redundancy, ratio);
  }

  /** What the newest media frame was given, and why; undefined for a reliable track. */
  get redundancyPlan(): RedundancyPlan | undefined {
    return this.#sender === undefined ? undefined : planOf(this.#sender.plan);
  }

  /** What became of one of the last 1024 media frames; undefined for an older one, and on a reliable track. */
  explain(frameId: number): FrameExplanation | undefined {
    const report = this.#sender?.explain(frameId);
    return report === undefined ? undefined : explainFrame(report);
  }

  /** No more media frames. Fulfilled when every one has settled (reliable: is acknowledged). */
  end(): Promise<void> {
    this.#ended ??= deferred<void>();
    if (this.#isEnding) return this.#ended.promise;
    this.#isEnding = true;
    if (this.#isOver) this.#ended.resolve();
    else if (this.#sender !== undefined) this.#host.core.tracks.end(this.id);
    else this.#flushBacklog();
    this.#host.wake();
    return this.#ended.promise;
  }

  #flushBacklog(): void {
    const stream = this.#stream as SendStream;
    for (let bytes = this.#backlog.at(0); bytes !== undefined; bytes = this.#backlog.at(0)) {
      const taken = stream.write(this.#backlogTaken === 0 ? bytes : bytes.subarray(this.#backlogTaken));
      this.#backlogBytes -= taken;
      this.#backlogTaken += taken;
      if (this.#backlogTaken < bytes.length) return;
      this.#backlogTaken = 0;
      this.#backlog.shift();
    }
    if (this.#isEnding) stream.finish();
  }

  /** @internal Settles what is acknowledged, moves what waits. */
  onStreamMoved(): void {
    const stream = this.#stream as SendStream;
    let oldest = this.#unacked.at(0);
    while (oldest !== undefined && oldest.end <= stream.ackedOffset) {
      oldest.frame.settle('acknowledged');
      this.#host.reliableSent.onTime++;
      this.#unacked.shift();
      oldest = this.#unacked.at(0);
    }
    stream.tellWhenAcked(oldest?.end ?? Number.POSITIVE_INFINITY);
    this.#flushBacklog();
    if (this.#waitingBytes < RELIABLE_HIGH_WATER_BYTES / 2) this.#release();
  }

  #release(): void {
    this.#ready?.resolve();
    this.#ready = undefined;
  }

  /** @internal */
  onFrameSettled(frameId: number, outcome: FrameOutcome): void {
    this.#frames.get(frameId)?.settle(outcome);
    this.#frames.delete(frameId);
  }

  /** @internal */
  onBitrate(bitsPerSecond: number, maxFrameBytes: number): void {
    this.dispatchEvent(new BitrateChangeEvent(bitsPerSecond, maxFrameBytes));
  }

  /** @internal The receiver wants no more. */
  onStopped(): void {
    this.dispatchEvent(new Event('stopped'));
    this.onOver();
  }

  /** @internal Nothing will move any more: the connection ended, the receiver stopped the track, or it has settled. */
  onOver(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    for (const frame of this.#frames.values()) frame.settle('dropped');
    this.#frames.clear();
    this.#host.reliableSent.lost += this.#unacked.length;
    for (let each = this.#unacked.shift(); each !== undefined; each = this.#unacked.shift())
      each.frame.settle('dropped');
    while (this.#backlog.shift() !== undefined);
    this.#backlogBytes = 0;
    this.#release();
    this.#ended?.resolve();
  }
}
