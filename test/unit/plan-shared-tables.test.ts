import { describe, expect, test } from 'vitest';
import { Channel } from '../../src/plan/channel.ts';
import { Planner } from '../../src/plan/planner.ts';
import { Questions } from '../../src/plan/rate-searches.ts';
import { DebtModel, streamRate } from '../../src/plan/stream-rate.ts';
import { forgetTables, tablesFor } from '../../src/plan/tables.ts';

describe('tables of the planner', () => {
  test('are shared by the paths of a process that are alike', () => {
    const [one, other] = [new Planner(), new Planner()];
    one.observe(0.05, 3);
    other.observe(0.051, 3.1);
    expect(one.channel).toBe(other.channel);
  });

  test('of a path are its own, whatever was planned for before: barely bursty loss at many ratios', () => {
    for (let ratio = 0.3; ratio > 0.005; ratio /= 1.07) {
      for (const burst of [1, 1.1, 1.17, 1.2, 1.5]) {
        const found = tablesFor(ratio, burst).channel.lossRatio / ratio;
        expect(Math.abs(Math.log(found))).toBeLessThan(Math.log(1.13));
      }
    }
  });

  test('of a bursty path stay while its estimate wavers by a tenth', () => {
    const planner = new Planner();
    planner.observe(0.05, 3);
    const channel = planner.channel;
    for (const factor of [0.9, 1.1, 0.95, 1]) planner.observe(channel.lossRatio * factor, channel.burstMean);
    expect(planner.channel).toBe(channel);
    planner.observe(channel.lossRatio * 1.4, channel.burstMean);
    expect(planner.channel).not.toBe(channel);
  });

  test('that many other channels have displaced, or that were given back, are made again as they were', () => {
    const ask = (): number[] => {
      const tables = tablesFor(0.03, 2);
      return [
        tables.channel.moreThan(3, 40),
        tables.flights(700, 2).spares(12, 1),
        tables.streamRate(12, 3, 700, new Questions()),
      ];
    };
    const first = ask();
    const tables = tablesFor(0.03, 2);
    for (let i = 0; i < 40; i++) tablesFor(0.001 * 1.12 ** i, 1);
    expect(tablesFor(0.03, 2)).toBe(tables);
    expect(ask()).toEqual(first);
    for (let i = 0; i < 200; i++) tablesFor(0.001 * 1.25 ** (i % 20), 1.5 ** (1 + Math.floor(i / 20)));
    expect(tablesFor(0.03, 2)).not.toBe(tables);
    expect(ask()).toEqual(first);
    const before = tablesFor(0.03, 2);
    forgetTables();
    expect(tablesFor(0.03, 2)).not.toBe(before);
    expect(ask()).toEqual(first);
  });

  test.each([
    [0.05, 1],
    [0.02, 3],
  ])(
    'are known to a path by its own questions alone, whoever asked before: loss %f, bursts of %i',
    (ratio, burst) => {
      const ask = (): number[] => {
        const planner = new Planner();
        planner.observe(ratio, burst);
        return Array.from({ length: 80 }, () => planner.streamRatio(12, 3, 700));
      };
      const first = ask();
      expect(ask()).toEqual(first);
      expect(new Set(first).size).toBe(2);
      // Searches under way are dropped for others: this one comes out the same.
      const others = new Planner();
      others.observe(ratio, burst);
      const planner = new Planner();
      planner.observe(ratio, burst);
      const disturbed = first.map((_, i) => {
        for (let size = 1; size < 70; size += 5) others.streamRatio(20 + size, 1 + (i % 60), 900);
        return planner.streamRatio(12, 3, 700);
      });
      expect(disturbed).toEqual(first);
    },
  );

  test('end their search where it ends when it is not interrupted', () => {
    const planner = new Planner();
    planner.observe(0.05, 3);
    const { channel } = planner;
    const inputs = { symbols: 1.15 ** 18, span: 3, price: 1.4 ** 19 };
    let rate = 0;
    for (let i = 0; i < 200; i++) rate = planner.streamRatio(inputs.symbols, inputs.span, inputs.price);
    expect(rate).toBe(streamRate(inputs, channel));
  });

  test('take the least and the greatest prices', () => {
    const tables = tablesFor(0.05, 1);
    expect(tables.streamRate(12, 3, 1e-12, new Questions())).toBe(0);
    expect(tables.flights(0, 1).spares(12, 1)).toBe(0);
    expect(tables.streamRate(12, 3, 1e300, new Questions())).toBeGreaterThan(0.1);
  });
});

describe('channel', () => {
  test('that forgot its tables says the same again', () => {
    const channel = new Channel(0.1, 4);
    const before = channel.moreThan(5, 60);
    channel.forget();
    expect(channel.moreThan(5, 60)).toBe(before);
  });
});

describe('debt of a stream', () => {
  test.each([
    [0.05, 1],
    [0.02, 3],
    [0.2, 8],
  ])(
    'is missed the less the more repair there is, in whatever order it is asked: loss %f, bursts of %i',
    (ratio, burst) => {
      const model = new DebtModel({ symbols: 12, span: 3, price: 700 }, new Channel(ratio, burst));
      const misses = [0, 0.125, 0.25, 0.375].map((rate) => model.missRatio(rate));
      for (let i = 1; i < misses.length; i++) expect(misses[i]).toBeLessThan(misses[i - 1] as number);
      expect(model.missRatio(0.125)).toBe(misses[1]);
    },
  );

  test('prices what is rare: what is left out costs less than a hundredth of a symbol', () => {
    const channel = new Channel(0.05, 4);
    const [coarse, fine] = [700, 1e6].map((price) => new DebtModel({ symbols: 12, span: 3, price }, channel));
    for (const rate of [0.25, 0.4375]) {
      const error = Math.abs((coarse as DebtModel).missRatio(rate) - (fine as DebtModel).missRatio(rate));
      expect(700 * error).toBeLessThan(0.01);
    }
  });
});
