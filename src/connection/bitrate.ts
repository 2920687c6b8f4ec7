/**
 * What fits, per track: the controller's target, less what the wire adds to media, shared out by send order and weight.
 * In: the controller, what tracks sent. Out: `bitrate` events, the rate at which queued media should leave.
 * Source: DESIGN D9; the share of overhead is charged as measured, as in libwebrtc's FecController.
 */
import { MILLISECOND, type Micros, SECOND } from '../base/protocol.ts';
import type { TrackSender } from '../track/send.ts';
import { PACKET_OVERHEAD_BYTES } from './path-view.ts';
import type { ConnectionState } from './state.ts';

/** Targets change at most once per video frame. */
const INTERVAL_US: Micros = 30 * MILLISECOND;
/** A rise below this is not worth an encoder's attention; every fall is. */
const RISE_MIN = 1.03;
/** The rate is not promised to the last bit: the encoder's own noise needs room. */
const PROMISED_SHARE = 0.97;
/** Queued media leave within this share of their latency where capacity allows (DESIGN D9). */
const LATENCY_SHARE = 3;
/** An encoder may make single frames this much larger than the mean without building a queue. */
const FRAME_HEADROOM = 1.5;
const FRAMES_PER_SECOND = 30;

/** What one track was told and what it sent, between two measurements. */
interface Share {
  mediaBytes: number;
  mediaBps: number;
  toldBps: number;
}

export class Bitrate {
  readonly #state: ConnectionState;
  readonly #shares: Map<TrackSender, Share> = new Map();
  #nextAtUs: Micros = 0;
  #measuredAtUs: Micros = 0;
  #demandBps = 0;
  /** Media bytes per wire byte, lately. */
  #yield = 0.93;

  constructor(state: ConnectionState) {
    this.#state = state;
  }

  /** A media frame was queued: how fast must the queue empty? */
  onMediaQueued(track: TrackSender, now: Micros): void {
    const bps = (track.queuedBytes * 8e6) / (track.latencyUs / LATENCY_SHARE) / this.#yield;
    if (bps <= this.#demandBps) return;
    this.#demandBps = bps;
    this.#state.controller.onMediaDemand(bps, now);
  }

  /** Call after anything that may have changed rate or queue; cheap most of the time. */
  update(now: Micros): void {
    const { scheduler, controller } = this.#state;
    if (this.#demandBps > 0 && !scheduler.hasData(now)) {
      this.#demandBps = 0;
      controller.onMediaDemand(0, now);
    }
    if (now < this.#nextAtUs) return;
    this.#nextAtUs = now + INTERVAL_US;
    if (now - this.#measuredAtUs >= SECOND) this.#measure(now);
    this.#shareOut();
  }

  /** The target of one track now, bits per second of media. */
  targetOf(track: TrackSender): number {
    return (
      this.#shares.get(track)?.toldBps ?? this.#state.controller.targetRateBps * this.#yield * PROMISED_SHARE
    );
  }

  #measure(now: Micros): void {
    const elapsedUs = now - this.#measuredAtUs;
    this.#measuredAtUs = now;
    const live = new Set(this.#state.tracks.liveSenders());
    let media = 0;
    let wire = 0;
    for (const track of live) {
      const { statistics } = track;
      const share = this.#shares.get(track) ?? { mediaBytes: 0, mediaBps: 0, toldBps: 0 };
      this.#shares.set(track, share);
      const sent = statistics.mediaBytes - share.mediaBytes;
      share.mediaBytes = statistics.mediaBytes;
      share.mediaBps = (sent * 8e6) / elapsedUs;
      const packets = statistics.symbolsSent + statistics.symbolsResent + statistics.repairsSent;
      media += statistics.mediaBytes;
      wire +=
        statistics.mediaBytes + statistics.headerBytes + statistics.resendBytes + statistics.repairBytes;
      wire += packets * PACKET_OVERHEAD_BYTES;
    }
    for (const track of this.#shares.keys()) if (!live.has(track)) this.#shares.delete(track);
    if (wire > 0) this.#yield = Math.min(0.98, Math.max(0.5, media / wire));
  }

  #shareOut(): void {
    const { controller, tracks, events } = this.#state;
    let left = controller.targetRateBps * this.#yield * PROMISED_SHARE;
    let weights = 0;
    for (const track of tracks.liveSenders()) {
      if (track.kind === 'video') weights += track.weight;
      else left -= this.#shares.get(track)?.mediaBps ?? 0;
    }
    for (const track of tracks.liveSenders()) {
      const share = this.#shares.get(track) ?? {
        mediaBytes: track.statistics.mediaBytes,
        mediaBps: 0,
        toldBps: 0,
      };
      this.#shares.set(track, share);
      const isVideo = track.kind === 'video';
      const bps = Math.round(
        isVideo ? (Math.max(0, left) * track.weight) / weights : Math.max(0, left) + share.mediaBps,
      );
      if (bps >= share.toldBps && bps < share.toldBps * RISE_MIN) continue;
      if (bps === share.toldBps) continue;
      share.toldBps = bps;
      const maxFrameBytes = Math.round((bps / 8 / FRAMES_PER_SECOND) * FRAME_HEADROOM);
      events.push({ type: 'bitrate', trackId: track.id, bps, maxFrameBytes });
    }
  }
}
