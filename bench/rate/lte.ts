/**
 * A synthetic cellular trace in mahimahi's format: a rate that wanders, fades and stands still now and then. In: a seed.
 * Out: times of delivery opportunities, ms. Parameters are chosen so that mean, spread and gaps are those that
 * congestion studies report for driving with LTE; the numbers are in the table of docs/rate-control.md §5.
 */
import { SeededRandom } from '../../src/base/random.ts';
import { exponential, standardNormal } from '../../src/sim/distributions.ts';

const STEP_MS = 20;
const OPPORTUNITY_BITS = 1504 * 8;
/** The rate's logarithm reverts to its mean with this time constant, and spreads this far (natural log). */
const MEMORY_MS = 1500;
const SPREAD = 0.75;
/** Outages begin so often, in the mean, and last 0.2 s to 1.2 s. */
const OUTAGE_EVERY_MS = 25_000;
const OUTAGE_MIN_MS = 200;
const OUTAGE_MAX_MS = 1200;

/** @param medianBps The rate in the middle. */
export function lteTrace(seed: number, seconds: number, medianBps: number): number[] {
  const random = new SeededRandom(seed);
  const stamps: number[] = [];
  let level = 0;
  let bits = 0;
  let outageAtMs = exponential(random, OUTAGE_EVERY_MS);
  let outageEndMs = 0;
  const back = STEP_MS / MEMORY_MS;
  for (let t = 0; t < seconds * 1000; t += STEP_MS) {
    level += -back * level + SPREAD * Math.sqrt(2 * back) * standardNormal(random);
    if (t >= outageAtMs) {
      outageEndMs = t + OUTAGE_MIN_MS + random.unit() * (OUTAGE_MAX_MS - OUTAGE_MIN_MS);
      outageAtMs = outageEndMs + exponential(random, OUTAGE_EVERY_MS);
    }
    if (t < outageEndMs) continue;
    const rate = medianBps * power(level);
    for (let ms = t; ms < t + STEP_MS; ms++) {
      bits += rate / 1000;
      for (; bits >= OPPORTUNITY_BITS; bits -= OPPORTUNITY_BITS) stamps.push(ms);
    }
  }
  if ((stamps.at(-1) ?? 0) < seconds * 1000) stamps.push(seconds * 1000);
  return stamps;
}

/** e^x without Math.exp, whose last bit differs between engines. */
function power(x: number): number {
  let sum = 1;
  let term = 1;
  for (let i = 1; i < 24; i++) {
    term *= x / 256 / i;
    sum += term;
  }
  for (let i = 0; i < 8; i++) sum *= sum;
  return sum;
}
