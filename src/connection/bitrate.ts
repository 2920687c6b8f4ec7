/**
 * What fits, per track: the controller's target, less what the wire adds to media, shared out by send order and weight.
 * In: the controller, what tracks sent. Out: `bitrate` events, the rate at which queued media should leave.
 * Source: DESIGN D9; the share of overhead is charged as measured, as in libwebrtc's FecController.
 */
import { MILLISECOND, type Micros, SECOND } from '../base/protocol.ts';
import type { LadderPath } from '../rate/ladder.ts';
import { type Claim, shareOut } from '../rate/share.ts';
import type { TrackSender } from '../track/send.ts';
import type { SendStatistics } from '../track/types.ts';
import { PACKET_OVERHEAD_BYTES } from './path-view.ts';
import type { ConnectionState } from './state.ts';

/** Targets are looked at this often. */
const LOOK_US: Micros = 10 * MILLISECOND;
/** A track hears of a change at most once per media frame, within these bounds. */
const INTERVAL_US_MIN: Micros = 30 * MILLISECOND;
const INTERVAL_US_MAX: Micros = SECOND;
/** From one second to the next a track's frame interval is believed to become so many times as long at the most. */
const INTERVAL_GROWTH_MAX = 4;
/** Frame rates are measured once a second, at the first event then; if none came for so long, nothing was sent. */
const SILENCE_US: Micros = 2 * SECOND;
/** A rise below this is not worth an encoder's attention; every fall is. */
const RISE_MIN = 1.03;
/** Targets are whole multiples of this: the last bits of an estimate are noise. */
const GRAIN_BPS = 1000;
/** Queued media leave within this share of their latency where capacity allows (DESIGN D9). */
const LATENCY_SHARE = 3;
/** The pacer lets media run ahead of the target for so long at the most (rate/burst-budget.ts). */
const BURST_US_MAX: Micros = 200 * MILLISECOND;
/** An encoder may make single frames this much larger than the mean without building a queue. */
const FRAME_HEADROOM = 1.5;
/**
 * Media that wait longer than usual are made up for within this time, at the most by this part of the rate
 * (docs/rate-control.md §4.5).
 */
const BACKLOG_US: Micros = 500 * MILLISECOND;
const BACKLOG_PART_MAX = 0.5;
/** Usual are so many frame intervals' worth. */
const BACKLOG_INTERVALS = 1.5;
/** Before the frame rate is known. */
const USUAL_INTERVAL_US: Micros = Math.round(SECOND / 30);
/** Probing has a reason up to this much more than encoders make, and than their largest frames ask for (DESIGN D9). */
const MAX_HEADROOM = 1.1;
const PEAK_HEADROOM = 1.3;
/** How long the largest frame is remembered: twice this at the most. */
const PEAK_US: Micros = 10 * SECOND;
/** What the wire adds to media is measured so often, and averaged with this weight of the newest: over about half a second. */
const YIELD_US: Micros = 200 * MILLISECOND;
const YIELD_GAIN = 0.35;
const YIELD_MIN = 0.3;
const YIELD_MAX = 0.98;

/** What one track was told and what it sent, between two measurements. */
class Share implements Claim {
  readonly isFirst: boolean;
  readonly weight: number;
  maxBps: number = Number.POSITIVE_INFINITY;
  /** What the application would send on it if it were proven; 0 = nothing more. */
  wishBps = 0;
  usedBps = 0;
  shareBps = 0;
  toldBps = 0;
  toldAtUs: Micros = Number.NEGATIVE_INFINITY;
  intervalUs: Micros = USUAL_INTERVAL_US;
  #mediaBytes: number;
  #frames: number;

  constructor(track: TrackSender) {
    this.isFirst = track.kind !== 'video';
    this.weight = track.weight;
    this.#mediaBytes = track.statistics.mediaBytes;
    this.#frames = track.statistics.frames.sent;
  }

  /** Reads the track's counters. */
  measure(track: TrackSender, elapsedUs: Micros): void {
    const { mediaBytes, frames } = track.statistics;
    const frameCount = frames.sent - this.#frames;
    this.usedBps = ((mediaBytes - this.#mediaBytes) * 8e6) / elapsedUs;
    // Several frames and then a silence, in which nobody looked: how far apart they were is not known.
    const isKnown = frameCount === 1 || (frameCount > 1 && elapsedUs < SILENCE_US);
    // Neither does one frame that ends a pause, or comes before one, make the track a slow one.
    const intervalUsMax = Math.min(INTERVAL_GROWTH_MAX * this.intervalUs, INTERVAL_US_MAX);
    if (isKnown) this.intervalUs = Math.min(elapsedUs / frameCount, intervalUsMax);
    this.#mediaBytes = mediaBytes;
    this.#frames = frames.sent;
  }

  /** True if the encoder should hear of `bps` now. */
  isNews(bps: number, now: Micros): boolean {
    const intervalUs = Math.max(INTERVAL_US_MIN, this.intervalUs);
    if (bps === this.toldBps || now - this.toldAtUs < intervalUs) return false;
    return bps < this.toldBps || bps >= this.toldBps * RISE_MIN;
  }
}

/** Everything that tracks have put on the wire, headers of packets included. */
function wireBytesOf(sent: Readonly<SendStatistics>): number {
  const { mediaBytes, headerBytes, resendBytes, repairBytes } = sent;
  const packets = sent.symbolsSent + sent.symbolsResent + sent.repairsSent;
  return mediaBytes + headerBytes + resendBytes + repairBytes + packets * PACKET_OVERHEAD_BYTES;
}

export class Bitrate {
  readonly #state: ConnectionState;
  readonly #shares: Map<TrackSender, Share> = new Map();
  #nextAtUs: Micros = 0;
  #measuredAtUs: Micros = 0;
  #demandBps = 0;
  /** What the largest frame asked for, in this and in the last period. */
  #peakBps = 0;
  #peakBeforeBps = 0;
  #peakFromUs: Micros = 0;
  #wantedBps: number = Number.POSITIVE_INFINITY;
  /** The largest wish of a live track, as the controller knows it. */
  #wishBps = 0;
  /** Media bytes per wire byte, lately, and when that was measured. */
  #yield = 0.93;
  #yieldAtUs: Micros = 0;
  /** What had been sent then: media and what the wire adds to them, streams, everything but feedback and probes. */
  #mediaBytes = 0;
  #trackBytes = 0;
  #streamBytes = 0;
  #dataBytes = 0;
  /** What media that wait too long take of the rate. */
  #backlogBps = 0;

  constructor(state: ConnectionState) {
    this.#state = state;
  }

  /** A media frame was queued: how fast must the queue empty? */
  onMediaQueued(track: TrackSender, now: Micros): void {
    const bps = (track.queuedBytes * 8e6) / (track.latencyUs / LATENCY_SHARE) / this.#yield;
    // A frame on its own: what a backlog asks for says nothing about the encoder.
    const isBacklog = track.queuedUs(now) > 0;
    if (!isBacklog) this.#peakBps = Math.max(this.#peakBps, bps);
    if (bps <= this.#demandBps) return;
    this.#demandBps = bps;
    this.#state.controller.onMediaDemand(bps, now, isBacklog);
  }

  /** Call after anything that may have changed rate or queue; cheap most of the time. */
  update(now: Micros): void {
    const { scheduler, controller } = this.#state;
    if (this.#demandBps > 0 && !scheduler.hasData(now)) {
      this.#demandBps = 0;
      controller.onMediaDemand(0, now);
    }
    if (now < this.#nextAtUs) return;
    this.#nextAtUs = now + LOOK_US;
    const tracks = this.#state.tracks.liveSenders();
    if (now - this.#measuredAtUs >= SECOND) this.#measure(tracks, now);
    if (now - this.#yieldAtUs >= YIELD_US) this.#measureYield(now);
    this.#backlogBps = this.#measureBacklog(tracks);
    this.#shareOut(tracks, now);
  }

  /** The target of one track now, bits per second of media. */
  targetOf(track: TrackSender): number {
    const told = this.#shares.get(track)?.toldBps ?? 0;
    return told > 0 ? told : this.#availableBps;
  }

  /** Bytes of a media frame that leaves within a third of the track's latency, or as soon as the encoder's mean does. */
  maxFrameBytesOf(track: TrackSender): number {
    const burstUs = Math.min(track.latencyUs / LATENCY_SHARE, BURST_US_MAX);
    const burst = this.#state.controller.capacityBps * this.#yield * burstUs;
    const intervalUs = this.#shares.get(track)?.intervalUs ?? USUAL_INTERVAL_US;
    return Math.round(Math.max(burst, FRAME_HEADROOM * this.targetOf(track) * intervalUs) / 8e6);
  }

  /** More than this the track's encoder never makes, bits per second of media. */
  limit(track: TrackSender, maxBps: number): void {
    this.#shareOf(track).maxBps = maxBps;
  }

  /** The application would send this much media on the track if it were proven; 0 = nothing is wanted. */
  want(track: TrackSender, bps: number): void {
    const share = this.#shareOf(track);
    if (bps === share.wishBps) return;
    share.wishBps = bps;
    // A wish of a track that has ended is as good as none.
    this.#wish(this.#state.tracks.liveSenders());
  }

  /** What a ladder that sends on `track` wants to know of the path. */
  describe(track: TrackSender, path: LadderPath): void {
    const { controller } = this.#state;
    // The path's capacity where the moment's target, which dips whenever a queue drains, is below it.
    path.budgetBps = this.targetOf(track) * Math.max(1, controller.capacityBps / controller.targetRateBps);
    path.queueUs = controller.queueDelayUs;
    path.isCompeting = controller.state === 'compete';
    path.latencyUs = track.latencyUs;
  }

  get #availableBps(): number {
    return this.#state.controller.targetRateBps * this.#yield - this.#backlogBps;
  }

  #shareOf(track: TrackSender): Share {
    let share = this.#shares.get(track);
    if (share === undefined) {
      share = new Share(track);
      this.#shares.set(track, share);
    }
    return share;
  }

  #measure(tracks: readonly TrackSender[], now: Micros): void {
    const elapsedUs = now - this.#measuredAtUs;
    this.#measuredAtUs = now;
    for (const track of tracks) this.#shareOf(track).measure(track, elapsedUs);
    for (const track of this.#shares.keys()) if (!tracks.includes(track)) this.#shares.delete(track);
    if (now - this.#peakFromUs < PEAK_US) return;
    this.#peakFromUs = now;
    this.#peakBeforeBps = this.#peakBps;
    this.#peakBps = 0;
  }

  #measureYield(now: Micros): void {
    this.#yieldAtUs = now;
    const { counters, streams, tracks } = this.#state;
    // Of tracks that have ended too: each of these counts only grows.
    const sent = tracks.sendTotals();
    const trackBytes = wireBytesOf(sent);
    const streamBytes = streams.counters.sentBytes + streams.counters.resentBytes;
    const dataBytes = counters.bytesSent - counters.feedbackBytesSent - counters.probeBytesSent;
    const media = sent.mediaBytes - this.#mediaBytes;
    // Alone on the wire: packets as they were, with several symbols in one.
    const isAlone = streamBytes === this.#streamBytes;
    const wire = isAlone ? dataBytes - this.#dataBytes : trackBytes - this.#trackBytes;
    this.#mediaBytes = sent.mediaBytes;
    this.#trackBytes = trackBytes;
    this.#streamBytes = streamBytes;
    this.#dataBytes = dataBytes;
    // Nothing was sent; or media that share packets with streams.
    if (wire <= 0 || media > wire) return;
    const latest = this.#yield + (media / wire - this.#yield) * YIELD_GAIN;
    this.#yield = Math.min(YIELD_MAX, Math.max(YIELD_MIN, latest));
  }

  #measureBacklog(tracks: readonly TrackSender[]): number {
    const { targetRateBps } = this.#state.controller;
    let bytes = 0;
    let intervalUs = 0;
    for (const track of tracks) {
      bytes += track.queuedBytes;
      intervalUs = Math.max(intervalUs, this.#shareOf(track).intervalUs);
    }
    const mediaBps = targetRateBps * this.#yield;
    const usual = (mediaBps * BACKLOG_INTERVALS * intervalUs) / 8e6;
    const bps = (Math.max(0, bytes - usual) * 8e6) / BACKLOG_US;
    return Math.min(bps, BACKLOG_PART_MAX * mediaBps);
  }

  #shareOut(tracks: readonly TrackSender[], now: Micros): void {
    const { events, streams } = this.#state;
    const claims: Share[] = [];
    let maxBps = streams.count > 0 || tracks.length === 0 ? Number.POSITIVE_INFINITY : 0;
    for (const track of tracks) {
      const share = this.#shareOf(track);
      claims.push(share);
      maxBps += share.maxBps;
    }
    this.#limitProbing(maxBps);
    this.#wish(tracks);
    shareOut(claims, this.#availableBps);
    for (const track of tracks) {
      const share = this.#shareOf(track);
      const bps = Math.floor(share.shareBps / GRAIN_BPS) * GRAIN_BPS;
      if (!share.isNews(bps, now)) continue;
      share.toldBps = bps;
      share.toldAtUs = now;
      events.push({ type: 'bitrate', trackId: track.id, bps, maxFrameBytes: this.maxFrameBytesOf(track) });
    }
  }

  /** The largest wish is proven for: whichever track has it, a rise on the way there serves the others. It ends with its track. */
  #wish(tracks: readonly TrackSender[]): void {
    let wishBps = 0;
    for (const track of tracks) wishBps = Math.max(wishBps, this.#shares.get(track)?.wishBps ?? 0);
    if (wishBps === this.#wishBps) return;
    this.#wishBps = wishBps;
    this.#state.controller.setWantedRate((wishBps * MAX_HEADROOM) / this.#yield);
  }

  /** Nothing is proven that neither the encoders, at most `maxBps` of media, nor their largest frames can use. */
  #limitProbing(maxBps: number): void {
    const peakBps = PEAK_HEADROOM * Math.max(this.#peakBps, this.#peakBeforeBps);
    const wantedBps = Math.max((maxBps * MAX_HEADROOM) / this.#yield, peakBps);
    if (wantedBps === this.#wantedBps) return;
    this.#wantedBps = wantedBps;
    this.#state.controller.setMaxRate(wantedBps);
  }
}
