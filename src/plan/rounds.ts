/**
 * How many retransmission rounds still fit before a deadline. In: time left and what is known of the path. Out: a
 * count, 0..3. Source: Hairpin (NSDI 2024), with the round trip taken one deviation above its mean.
 */
import type { Micros } from '../base/protocol.ts';

/** More rounds than this change no decision. */
export const ROUNDS_MAX = 3;

/** Everything in microseconds. */
export interface RoundInputs {
  /** From now to the latest useful arrival at the receiver. */
  readonly timeLeftUs: Micros;
  readonly smoothedRttUs: Micros;
  readonly rttVarianceUs: Micros;
  /** How long the receiver may hold an acknowledgement back. */
  readonly ackDelayUs: Micros;
  /** From the arrival of the acknowledgement that shows a gap to the decision that a packet is lost. */
  readonly detectUs: Micros;
}

/**
 * Rounds of "notice the loss and resend" that fit: each takes a round trip, the acknowledgement delay and the time to
 * detect; the copy that arrives needs half a round trip of its own.
 */
export function roundsThatFit(inputs: RoundInputs): number {
  const rttUs = inputs.smoothedRttUs + inputs.rttVarianceUs;
  const roundUs = rttUs + inputs.ackDelayUs + inputs.detectUs;
  const rounds = Math.floor((inputs.timeLeftUs - rttUs / 2) / Math.max(1, roundUs));
  return Math.min(ROUNDS_MAX, Math.max(0, rounds));
}
