/**
 * The small parts of a link that each say one thing about a packet: is it in a blackout, over the policed rate, how
 * much jitter does it get, which bits flip.
 */
import type { Micros } from '../base/protocol.ts';
import type { Random } from '../base/random.ts';
import { standardNormal } from './distributions.ts';
import type { BlackoutSpec, JitterSpec, PolicerSpec } from './link-options.ts';

/** True while any of the blackouts lasts. Cost: one comparison per blackout. */
export function isBlackedOut(blackouts: readonly BlackoutSpec[], nowUs: Micros): boolean {
  for (let i = 0; i < blackouts.length; i++) {
    const blackout = blackouts[i] as BlackoutSpec;
    const sinceUs = nowUs - blackout.startMs * 1_000;
    if (sinceUs < 0) continue;
    const phaseUs = blackout.everyMs === undefined ? sinceUs : sinceUs % (blackout.everyMs * 1_000);
    if (phaseUs < blackout.durationMs * 1_000) return true;
  }
  return false;
}

/** True when the blackout will not come again. */
export function isOver({ startMs, durationMs, everyMs }: BlackoutSpec, nowMs: number): boolean {
  return everyMs === undefined && nowMs > startMs + durationMs;
}

/** The extra delay of one packet, microseconds; may be negative. */
export function drawJitter(jitter: JitterSpec, random: Random): number {
  const spreadUs = jitter.ms * 1_000;
  if (jitter.kind === 'uniform') return (2 * random.unit() - 1) * spreadUs;
  // Cut at three deviations, as RFC 8868 §4.5 asks: an unbounded tail would be an outage in disguise.
  const deviation = Math.max(-3, Math.min(3, standardNormal(random)));
  return (jitter.kind === 'late' ? Math.abs(deviation) : deviation) * spreadUs;
}

/** Flips `bits` random bits of a copy; `payload` itself may be the sender's. */
export function flipBits(payload: Uint8Array, bits: number, random: Random): Uint8Array {
  const copy = payload.slice();
  if (copy.length === 0) return copy;
  for (let i = 0; i < bits; i++) {
    const bit = Math.floor(random.unit() * copy.length * 8);
    copy[bit >> 3] = (copy[bit >> 3] as number) ^ (1 << (bit & 7));
  }
  return copy;
}

/** A token bucket: what exceeds its rate is dropped at once. Source: RFC 2698's committed bucket, color-blind. */
export class Policer {
  readonly #spec: PolicerSpec;
  #tokens: number;
  #filledAtUs: Micros;

  constructor(spec: PolicerSpec, nowUs: Micros) {
    if (!(spec.rateBps >= 0 && spec.burstBytes > 0))
      throw new RangeError('a policer needs a rate and a bucket');
    this.#spec = spec;
    this.#tokens = spec.burstBytes;
    this.#filledAtUs = nowUs;
  }

  /** True when the packet conforms; its tokens are then taken. */
  admits(nowUs: Micros, sizeBytes: number): boolean {
    const earned = ((nowUs - this.#filledAtUs) * this.#spec.rateBps) / 8_000_000;
    this.#tokens = Math.min(this.#spec.burstBytes, this.#tokens + earned);
    this.#filledAtUs = nowUs;
    if (this.#tokens < sizeBytes) return false;
    this.#tokens -= sizeBytes;
    return true;
  }
}
