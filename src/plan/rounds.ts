/**
 * Time: how many retransmission rounds fit before a deadline, until when repair still helps, and when the last call for
 * a media frame comes. In: time left and what is known of the path. Out: counts and instants. Pure.
 * Source: docs/planner.md (the budget of a round); Hairpin (NSDI 2024) for the deviation above the mean.
 */
import { MILLISECOND, type Micros } from '../base/protocol.ts';

/** More rounds than this change no decision. */
export const ROUNDS_MAX = 3;
/** A timer, a turn of the event loop and the serialisation of a few packets on either side. */
const TURN_US: Micros = 2 * MILLISECOND;
/** A repair symbol waits for one packet that is leaving, at the rates of video. */
const PACKET_US_MAX: Micros = 3 * MILLISECOND;
/**
 * Jitter up to this comes of packets that wait for one another. More is the path's: deadlines then count from its fastest
 * packets, which most are behind by as much again.
 */
const SERIAL_US: Micros = MILLISECOND;
/** Media frames that repair may come after: more change no rate, and symbols must be kept for them. */
export const SPAN_MAX = 63;

/** What is known of the path, in microseconds. */
export interface PathTimes {
  readonly smoothedRttUs: Micros;
  readonly rttVarianceUs: Micros;
  /** How much the way there varies from packet to packet. */
  readonly jitterUs: Micros;
  /** From the arrival of what shows a loss, or the silence that does, to its acknowledgement leaving. */
  readonly detectUs: Micros;
  /** Time one full packet takes at the pacing rate. */
  readonly packetUs: Micros;
}

/** From when a packet leaves until its loss is known here. */
export function feedbackUs(path: PathTimes): Micros {
  return path.smoothedRttUs + path.rttVarianceUs + path.detectUs;
}

/** So long before the deadline repair must leave, to come in time although the path varies and others wait before it. */
export function leadUs(path: PathTimes): Micros {
  // A slow pace delays nothing that is small: the pacer lets bursts pass.
  const { jitterUs } = path;
  const spreadUs = 2 * jitterUs + 2 * Math.max(0, jitterUs - SERIAL_US);
  return TURN_US + spreadUs + Math.min(path.packetUs, PACKET_US_MAX);
}

/**
 * Rounds of "notice the loss and resend" that fit, 0..3.
 *
 * @param timeLeftUs From when the last symbol of the media frame leaves (what is queued before it included) until the
 * last useful moment to send.
 */
export function roundsThatFit(timeLeftUs: Micros, path: PathTimes): number {
  const rounds = Math.floor((timeLeftUs - leadUs(path)) / Math.max(1, feedbackUs(path)));
  return Math.min(ROUNDS_MAX, Math.max(0, rounds));
}

/** Media frames after one whose repair still helps it, 0..63. */
export function spanThatFits(latencyUs: Micros, frameIntervalUs: Micros, path: PathTimes): number {
  if (frameIntervalUs <= 0) return 0;
  const span = Math.floor((latencyUs - leadUs(path)) / frameIntervalUs);
  return Math.min(SPAN_MAX, Math.max(0, span));
}
