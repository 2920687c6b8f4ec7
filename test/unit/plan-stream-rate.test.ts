import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { BlockDecoder } from '../../src/fec/decoder.ts';
import { BlockEncoder } from '../../src/fec/encoder.ts';
import { ReferenceCodec } from '../../src/fec/reference-codec.ts';
import { Channel } from '../../src/plan/channel.ts';
import { priceOf } from '../../src/plan/planner.ts';
import { DebtModel, streamRate } from '../../src/plan/stream-rate.ts';

/** Loses packets as the channel does, one by one. */
function losses(ratio: number, burstMean: number, random: SeededRandom): () => boolean {
  const recovers = 1 / Math.max(burstMean, 1 / (1 - ratio));
  const begins = (ratio * recovers) / (1 - ratio);
  let isLost = false;
  return () => {
    isLost = isLost ? random.unit() >= recovers : random.unit() < begins;
    return isLost;
  };
}

/**
 * Share of media frames that the real joint decoder cannot complete by the end of slot t + span: one slot a frame,
 * repair over the frames t - span..t first, then the data of frame t. Symbols of one byte.
 */
function missByElimination(
  frames: number,
  symbols: number,
  span: number,
  rate: number,
  isLost: () => boolean,
): number {
  const encoder = new BlockEncoder(new ReferenceCodec());
  const decoder = new BlockDecoder(new ReferenceCodec());
  const source = (id: number): Uint8Array => Uint8Array.of(1 + (id % 251), id % 7);
  const missing = new Array<number>(frames).fill(0);
  let carried = 0;
  let missed = 0;
  for (let t = 0; t < frames; t++) {
    const first = Math.max(0, t - span) * symbols;
    const k = (t + 1) * symbols - first;
    carried += rate * symbols;
    const rows = Math.floor(carried);
    carried -= rows;
    const block = Array.from({ length: k }, (_, i) => source(first + i));
    const repair = rows > 0 ? encoder.encode(block, 0, rows) : [];
    repair.forEach((bytes, row) => {
      if (!isLost()) decoder.onRepair(first, 1, k, row, bytes);
    });
    for (let i = 0; i < symbols; i++) {
      const id = t * symbols + i;
      if (isLost()) missing[t] = (missing[t] as number) + 1;
      else decoder.onSymbol(id, source(id));
    }
    decoder.takeRebuilt((id) => {
      const frame = Math.floor(id / symbols);
      missing[frame] = (missing[frame] as number) - 1;
    });
    if (t < span) continue;
    if ((missing[t - span] as number) > 0) missed++;
    // As a receiver does, which keeps what came too late for a while: its repair still helps others.
    decoder.dropBelow((t - 2 * span) * symbols);
  }
  return missed / (frames - span);
}

describe('stream of repair', () => {
  test.each([
    { ratio: 0.05, burst: 1, symbols: 12, span: 3, rate: 0.125, seed: 1 },
    { ratio: 0.1, burst: 1, symbols: 6, span: 3, rate: 0.25, seed: 2 },
    { ratio: 0.02, burst: 3, symbols: 12, span: 3, rate: 0.125, seed: 3 },
    { ratio: 0.05, burst: 1, symbols: 1, span: 5, rate: 0.25, seed: 4 },
  ])(
    'is modelled as the joint decoder fares, within a factor of 2.5: %o',
    ({ ratio, burst, symbols, span, rate, seed }) => {
      const model = new DebtModel({ symbols, span, price: 0 }, new Channel(ratio, burst)).missRatio(rate);
      const frames = 4000;
      const seen = missByElimination(
        frames,
        symbols,
        span,
        rate,
        losses(ratio, burst, new SeededRandom(seed)),
      );
      expect(seen * frames).toBeGreaterThan(20);
      expect(seen / model).toBeGreaterThan(0.4);
      expect(seen / model).toBeLessThan(2.5);
    },
  );

  test.each([
    [0.01, 0.11],
    [0.05, 0.24],
    [0.1, 0.37],
  ])('of 12 symbols a frame, three frames long, costs less than asked at loss %f: %f', (ratio, asked) => {
    const channel = new Channel(ratio, 1);
    const inputs = { symbols: 12, span: 3, price: priceOf(1e-3, 12, 'ordinary', 0) };
    const rate = streamRate(inputs, channel);
    expect(rate).toBeLessThan(asked);
    expect(new DebtModel(inputs, channel).missRatio(rate)).toBeLessThan(1e-3);
  });

  test('costs less the longer it may take', () => {
    const channel = new Channel(0.05, 1);
    const rates = [0, 1, 3, 7].map((span) => streamRate({ symbols: 10, span, price: 700 }, channel));
    for (let i = 1; i < rates.length; i++) expect(rates[i]).toBeLessThan(rates[i - 1] as number);
  });

  test('stops where the last misses are dearer than they are worth: bursts', () => {
    const inputs = { symbols: 12, span: 3, price: priceOf(1e-3, 12, 'ordinary', 0) };
    const bursty = new Channel(0.02, 3);
    const rate = streamRate(inputs, bursty);
    expect(rate).toBeLessThan(0.29);
    expect(new DebtModel(inputs, bursty).missRatio(rate)).toBeLessThan(5e-3);
  });

  test.each([8, 16, 26])(
    'leaves no more than about two and a half times the target, bursts of %d',
    (burst) => {
      const inputs = { symbols: 12, span: 3, price: priceOf(1e-3, 12, 'ordinary', 0) };
      const channel = new Channel(0.05, burst);
      expect(new DebtModel(inputs, channel).missRatio(streamRate(inputs, channel))).toBeLessThan(3e-3);
    },
  );

  test('is nothing on a clean path', () => {
    expect(streamRate({ symbols: 12, span: 3, price: 1e6 }, new Channel(0, 1))).toBe(0);
  });
});
