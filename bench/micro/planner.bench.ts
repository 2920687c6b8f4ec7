/**
 * Question: what does the redundancy planner cost per media frame? Workload: decisions of one track at 30 frames a
 * second over a path whose estimates waver as they do in practice; and the tables themselves, made anew.
 * A bad answer: more than 50 us per media frame, or a table that stalls an event loop for tens of milliseconds.
 * Usage: `npm run bench:planner`.
 */
import { performance } from 'node:perf_hooks';
import { SeededRandom } from '../../src/base/random.ts';
import { Channel } from '../../src/plan/channel.ts';
import { LossModel } from '../../src/plan/loss-model.ts';
import { Planner, priceOf } from '../../src/plan/planner.ts';
import { streamRate } from '../../src/plan/stream-rate.ts';

const FRAMES = 20_000;
const PACKETS_PER_FRAME = 13;

/** Mean microseconds per media frame, and the longest that one frame's decisions took, in milliseconds. */
function costOf(lossRatio: number, burstMean: number): { meanUs: number; worstMs: number } {
  const random = new SeededRandom(1);
  const model = new LossModel();
  const planner = new Planner();
  let number = 0;
  let isLost = false;
  let sum = 0;
  let worstMs = 0;
  const begin = performance.now();
  for (let frame = 0; frame < FRAMES; frame++) {
    const now = frame * 33_333;
    for (let i = 0; i < PACKETS_PER_FRAME; i++) {
      const recovers = 1 / Math.max(burstMean, 1 / (1 - lossRatio));
      isLost = random.unit() < (isLost ? 1 - recovers : (lossRatio * recovers) / (1 - lossRatio));
      if (isLost) model.onLost(number, now);
      else model.onAcked(now, 20_000);
      number++;
    }
    const asked = performance.now();
    planner.observe(model.lossRatio, model.burstMean);
    const price = priceOf(1e-3, 12, 'ordinary', 0);
    sum += planner.streamRatio(12, 3, price) + planner.firstSpares(12, 1, price, 2, 2);
    sum += planner.spares({ missing: 0, unknown: 3, rowsArrived: 0, rowsUnknown: 1 }, price);
    worstMs = Math.max(worstMs, performance.now() - asked);
  }
  if (!(sum >= 0)) throw new Error('a plan is a number');
  return { meanUs: ((performance.now() - begin) * 1000) / FRAMES, worstMs };
}

function tableMs(lossRatio: number, burstMean: number, symbols: number): number {
  const begin = performance.now();
  const price = priceOf(1e-3, symbols, 'ordinary', 0);
  streamRate({ symbols, span: 3, price }, new Channel(lossRatio, burstMean));
  return performance.now() - begin;
}

console.log('us per media frame, 13 packets and three decisions each');
for (const [loss, burst] of [
  [0, 1],
  [0.01, 1],
  [0.05, 1],
  [0.1, 1],
  [0.02, 3],
  [0.05, 4],
] as const) {
  const { meanUs, worstMs } = costOf(loss, burst);
  console.log(`  loss ${loss}, bursts of ${burst}: ${meanUs.toFixed(1)}, longest ${worstMs.toFixed(1)} ms`);
}
console.log('ms per table of the stream rate, once per channel and size');
for (const [loss, burst, symbols] of [
  [0.05, 1, 12],
  [0.1, 1, 12],
  [0.05, 1, 50],
  [0.02, 3, 12],
  [0.05, 4, 80],
] as const) {
  console.log(
    `  loss ${loss}, bursts of ${burst}, ${symbols} symbols: ${tableMs(loss, burst, symbols).toFixed(1)}`,
  );
}
