/**
 * Question: what does the redundancy planner cost per media frame? Workload: decisions of one track at 30 frames a
 * second over a path whose estimates waver as they do in practice; and the tables themselves, made anew.
 * A bad answer: more than 50 us per media frame, or one whose decisions take more than a millisecond, however new the channel.
 * Usage: `npm run bench:planner`.
 */
import { performance } from 'node:perf_hooks';
import { SeededRandom } from '../../src/base/random.ts';
import { Channel } from '../../src/plan/channel.ts';
import { FlightTable } from '../../src/plan/flights.ts';
import { LossModel } from '../../src/plan/loss-model.ts';
import { Planner, priceOf } from '../../src/plan/planner.ts';
import { Questions } from '../../src/plan/rate-searches.ts';
import { streamRate } from '../../src/plan/stream-rate.ts';
import { ChannelTables } from '../../src/plan/tables.ts';

const FRAMES = 20_000;
const PACKETS_PER_FRAME = 13;

/** Times that what happens once is done anew: the least of them is what it takes when nothing else runs. */
const REPEATS = 9;

/** Mean microseconds per media frame. */
function meanUs(lossRatio: number, burstMean: number): number {
  const random = new SeededRandom(1);
  const model = new LossModel();
  const planner = new Planner();
  let number = 0;
  let isLost = false;
  let sum = 0;
  const begin = performance.now();
  for (let frame = 0; frame < FRAMES; frame++) {
    const now = frame * 33_333;
    for (let i = 0; i < PACKETS_PER_FRAME; i++) {
      const recovers = 1 / Math.max(burstMean, 1 / (1 - lossRatio));
      isLost = random.unit() < (isLost ? 1 - recovers : (lossRatio * recovers) / (1 - lossRatio));
      if (isLost) model.onLost(number, now, now);
      else model.onAcked(now, 20_000);
      number++;
    }
    planner.observe(model.lossRatio, model.burstMean);
    const price = priceOf(1e-3, 12, 'ordinary', 0);
    sum += planner.streamRatio(12, 3, price) + planner.firstSpares(12, 1, price, 2, 2);
    sum += planner.spares({ missing: 0, unknown: 3, rowsArrived: 0, rowsUnknown: 1 }, price);
  }
  if (!(sum >= 0)) throw new Error('a plan is a number');
  return ((performance.now() - begin) * 1000) / FRAMES;
}

/** Channels of their own: what is known of others does not count. */
let key = 1;

/** The longest decisions for one media frame on a path seen for the first time, ms; and frames until its rate is known. */
function firstOf(
  lossRatio: number,
  burstMean: number,
  symbols: number,
): { longestMs: number; frames: number } {
  const price = priceOf(1e-3, symbols, 'ordinary', 0);
  const least: number[] = [];
  let frames = 0;
  for (let repeat = 0; repeat < REPEATS; repeat++) {
    const tables = new ChannelTables(new Channel(lossRatio, burstMean), key++);
    const questions = new Questions();
    const exact = streamRate({ symbols, span: 3, price }, new Channel(lossRatio, burstMean));
    frames = 0;
    for (let frame = 0, rate = 0; frame < 200; frame++) {
      const begin = performance.now();
      const asked = tables.streamRate(symbols, 3, price, questions);
      tables.flights(price, 2).promptSpares(symbols, 2, 2);
      const tookMs = performance.now() - begin;
      least[frame] = Math.min(least[frame] ?? tookMs, tookMs);
      if (asked !== rate) frames = frame;
      rate = asked;
    }
    if (!(exact > 0)) throw new Error('a lossy path needs repair');
  }
  return { longestMs: Math.max(...least), frames };
}

/** Microseconds of the spares of a prompt first flight: when asked for the first time, and from then on. */
function promptUs(symbols: number): { firstUs: number; laterUs: number } {
  const channel = new Channel(0.05, 1);
  const tables = Array.from({ length: 500 }, () => new FlightTable(channel, 700, 4, 2));
  for (const table of tables) table.spares(symbols, 4);
  const ask = (): number => {
    const begin = performance.now();
    for (const table of tables) table.promptSpares(symbols, 2, 2.1);
    return ((performance.now() - begin) * 1000) / tables.length;
  };
  const firstUs = ask();
  return { firstUs, laterUs: Math.min(...Array.from({ length: REPEATS }, ask)) };
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
  console.log(`  loss ${loss}, bursts of ${burst}: ${meanUs(loss, burst).toFixed(1)}`);
}
console.log(
  'longest decisions for one media frame on a new channel, ms; media frames until its rate is exact',
);
for (const [loss, burst, symbols] of [
  [0.05, 1, 12],
  [0.05, 1, 80],
  [0.02, 3, 12],
  [0.05, 4, 12],
  [0.05, 4, 80],
] as const) {
  const { longestMs, frames } = firstOf(loss, burst, symbols);
  console.log(
    `  loss ${loss}, bursts of ${burst}, ${symbols} symbols: ${longestMs.toFixed(2)} ms, ${frames} frames`,
  );
}
console.log('us of the spares of a prompt first flight');
for (const symbols of [12, 64]) {
  const { firstUs, laterUs } = promptUs(symbols);
  console.log(
    `  ${symbols} symbols: ${firstUs.toFixed(2)} the first time, ${laterUs.toFixed(3)} later: 1/${Math.round(firstUs / laterUs)}`,
  );
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
