/**
 * How many repair symbols to send, by rule. In: size of a block, loss on the path, rounds that still fit, the miss
 * ratio that is allowed. Out: a count. Pure functions; the dynamic program of DESIGN D7 will take their place behind
 * the same signature. Source: docs/rate-control.md §2.4 (binomial bound, burst bound, rules of thumb that the
 * dynamic program yields).
 */
import { ROUNDS_MAX } from './rounds.ts';

/** What one decision depends on. */
export interface RepairInputs {
  /** Source symbols of the block, k. */
  readonly symbols: number;
  /** Loss to plan for, 0..1; exactly 0 on a clean path. */
  readonly lossRatio: number;
  /** Mean number of packets lost in a row, at least 1. */
  readonly burstMean: number;
  /** Retransmission rounds that still fit after this flight, 0..3. */
  readonly roundsLeft: number;
  /** Highest tolerable P(media frame misses its deadline), e.g. 1e-3. */
  readonly target: number;
}

/** k + r of one block. Source: docs/wire-format.md §3.6. */
const BLOCK_MAX = 254;
/** The target is an upper bound, and the loss ratio is an estimate: aim at a third (DESIGN D7). */
const TARGET_SHARE = 1 / 3;
/** Bursts are fought per block only up to this share of k; beyond it, spreading over time is cheaper. */
const BURST_BUDGET = 0.5;
/** Loss is called bursty when runs are this much longer than chance makes them. */
const BURST_EXCESS = 1.25;

/**
 * Repair symbols for the first flight of a block. Zero on a clean path; zero where a retransmission round fits and
 * loss is small; else what the binomial and the burst bound ask for.
 *
 * @returns An integer, 0..254 - symbols.
 */
export function repairFor(inputs: RepairInputs): number {
  const { symbols, lossRatio, roundsLeft } = inputs;
  if (!(symbols >= 1 && lossRatio > 0)) return 0;
  const room = Math.max(0, BLOCK_MAX - symbols);
  if (roundsLeft >= 1) return Math.min(room, withRounds(symbols * lossRatio, roundsLeft));
  const goal = inputs.target * TARGET_SHARE;
  const scattered = binomialRepair(symbols, lossRatio, goal);
  const budget = Math.ceil(BURST_BUDGET * symbols);
  const burst = Math.min(budget, burstRepair(symbols + scattered, lossRatio, inputs.burstMean, goal));
  return Math.min(room, Math.max(scattered, burst));
}

/**
 * Spare repair symbols that ride with a resend of `symbols` missing ones. Copies are dear only where they are many:
 * none while another round fits, and the full bound on the last.
 */
export function spareFor(inputs: RepairInputs): number {
  const { symbols, lossRatio, roundsLeft } = inputs;
  if (!(symbols >= 1 && lossRatio > 0) || roundsLeft >= 1) return 0;
  const room = Math.max(0, BLOCK_MAX - symbols);
  return Math.min(room, binomialRepair(symbols, lossRatio, inputs.target * TARGET_SHARE));
}

/**
 * Smallest r with P(more than r of k + r packets are lost) <= goal, losses independent.
 *
 * @param goal Probability, above 0. Cost: O(r^2).
 */
export function binomialRepair(k: number, lossRatio: number, goal: number): number {
  const p = Math.min(lossRatio, 0.9);
  for (let r = 0; r < BLOCK_MAX - k; r++) {
    const n = k + r;
    let probability = (1 - p) ** n;
    let within = probability;
    for (let lost = 1; lost <= r; lost++) {
      probability *= ((n - lost + 1) / lost) * (p / (1 - p));
      within += probability;
    }
    if (1 - within <= goal) return r;
  }
  return Math.max(0, BLOCK_MAX - k);
}

/** Repair that outlasts a burst which begins in one of `packets`; 0 unless runs are longer than chance makes them. */
export function burstRepair(packets: number, lossRatio: number, burstMean: number, goal: number): number {
  if (burstMean <= BURST_EXCESS / (1 - Math.min(lossRatio, 0.9))) return 0;
  const bursts = lossRatio * (1 + packets / burstMean);
  if (bursts <= goal) return 0;
  return Math.ceil(Math.log(bursts / goal) / -Math.log(1 - 1 / burstMean));
}

/** First flight when losses can be resent: the optimum follows the expected number of missing symbols. */
function withRounds(expectedMissing: number, rounds: number): number {
  if (rounds >= ROUNDS_MAX) return 0;
  return rounds === 1 ? Math.max(0, Math.ceil(expectedMissing - 0.5)) : Math.floor(expectedMissing / 2);
}
