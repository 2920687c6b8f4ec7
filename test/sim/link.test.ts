/** One link: its rate, queue, delay and every impairment, alone and together. */
import { describe, expect, it } from 'vitest';
import { parseMahimahi } from '../../src/sim/capacity.ts';
import { checkConservation } from '../../src/sim/checkers.ts';
import { Link } from '../../src/sim/link.ts';
import type { LinkOptions } from '../../src/sim/link-options.ts';
import { Simulator } from '../../src/sim/simulator.ts';

interface Arrival {
  readonly number: number;
  readonly atUs: number;
}

/** Sends `count` packets of `sizeBytes`, one every `gapUs`, and gives what arrived. */
function carry(
  options: LinkOptions,
  { count = 1, sizeBytes = 1_250, gapUs = 0, seed = 1, untilUs = 100_000_000 } = {},
): { arrivals: Arrival[]; link: Link; sim: Simulator } {
  const sim = new Simulator({ seed });
  const link = new Link(sim, options);
  sim.addChecker(checkConservation(link));
  const arrivals: Arrival[] = [];
  const flow = link.open<number>((number) => arrivals.push({ number, atUs: sim.now }));
  for (let number = 0; number < count; number++)
    sim.schedule(number * gapUs, () => flow.send(number, sizeBytes));
  sim.run(untilUs);
  return { arrivals, link, sim };
}

const numbersOf = (arrivals: readonly Arrival[]): number[] => arrivals.map((arrival) => arrival.number);

describe('rate and delay', () => {
  it('serialises at the rate and then delays: 1250 bytes at 10 Mbit/s and 20 ms arrive after 21 ms', () => {
    const { arrivals } = carry({ rateBps: 10e6, delayMs: 20 }, { count: 3 });
    expect(arrivals.map((arrival) => arrival.atUs)).toEqual([21_000, 22_000, 23_000]);
  });

  it('keeps the rate exactly although a packet takes no whole number of microseconds', () => {
    // 1228 bytes at 20 Mbit/s take 491.2 us: rounding each up would lose 0.16 %.
    const { arrivals } = carry({ rateBps: 20e6 }, { count: 10_000, sizeBytes: 1_228 });
    expect(arrivals.at(-1)?.atUs).toBe(4_912_000);
  });

  it('changes its rate in the middle of a packet', () => {
    const sim = new Simulator({ seed: 1 });
    const link = new Link(sim, { rateBps: 1e6 });
    const arrivals: number[] = [];
    link.onDeliver = () => arrivals.push(sim.now);
    link.send(new Uint8Array(1), 1_250);
    link.send(new Uint8Array(1), 1_250);
    sim.schedule(5_000, () => link.update({ rateBps: 10e6 }));
    sim.run(1e6);
    expect(arrivals).toEqual([5_500, 6_500]);
  });

  it('holds its queue while the rate is 0 and goes on afterwards', () => {
    const sim = new Simulator({ seed: 1 });
    const link = new Link(sim, { rateBps: 1e6, queue: { ms: 100 } });
    const arrivals: number[] = [];
    link.onDeliver = () => arrivals.push(sim.now);
    link.update({ rateBps: 0 });
    for (let i = 0; i < 4; i++) link.send(new Uint8Array(1), 1_250);
    sim.run(1e6);
    expect(arrivals).toEqual([]);
    link.update({ rateBps: 1e6 });
    sim.run(2e6);
    expect(arrivals).toEqual([1_010_000, 1_020_000, 1_030_000, 1_040_000]);
  });

  it('follows a schedule of rates, and a packet that spans a change is served at both', () => {
    const steps = [
      { atMs: 0, rateBps: 1e6 },
      { atMs: 15, rateBps: 10e6 },
    ];
    const { arrivals } = carry({ capacity: { kind: 'schedule', steps, repeatMs: 20 } }, { count: 8 });
    // 10 ms; 5 ms + 0.5 ms; 1 ms each up to 19.5; 0.5 ms at 10 Mbit/s and 5 ms at 1 Mbit/s after the repetition.
    expect(arrivals.map((a) => a.atUs)).toEqual([
      10_000, 15_500, 16_500, 17_500, 18_500, 19_500, 25_000, 35_000,
    ]);
  });
});

describe('mahimahi traces', () => {
  it('delivers at the opportunities, wastes unused ones, and repeats', () => {
    const timestampsMs = parseMahimahi('2\n2\n5\n10\n');
    const capacity = { kind: 'mahimahi', timestampsMs, opportunityBytes: 1_500 } as const;
    const { arrivals } = carry({ capacity }, { count: 6, sizeBytes: 1_500 });
    expect(arrivals.map((a) => a.atUs / 1_000)).toEqual([2, 2, 5, 10, 12, 12]);
    const late = carry({ capacity }, { count: 2, sizeBytes: 1_500, gapUs: 6_000 });
    expect(late.arrivals.map((a) => a.atUs / 1_000)).toEqual([2, 10]);
  });

  it('lets small packets share an opportunity and large ones span several', () => {
    const capacity = { kind: 'mahimahi', timestampsMs: [1, 2, 3, 4, 5], opportunityBytes: 1_500 } as const;
    const small = carry({ capacity }, { count: 4, sizeBytes: 750 });
    expect(small.arrivals.map((a) => a.atUs / 1_000)).toEqual([1, 1, 2, 2]);
    const large = carry({ capacity }, { count: 2, sizeBytes: 2_250 });
    expect(large.arrivals.map((a) => a.atUs / 1_000)).toEqual([2, 3]);
  });

  it('names the first bad line', () => {
    expect(() => parseMahimahi('1\n2\nx\n')).toThrow('line 3');
    expect(() => parseMahimahi('5\n2\n')).toThrow('line 2');
  });
});

describe('the drop-tail queue', () => {
  it.each([
    ['bytes', { bytes: 12_500 }, 10],
    ['milliseconds at the rate', { ms: 10 }, 10],
    ['packets', { packets: 25 }, 25],
  ] as const)('holds its limit in %s and drops what comes after', (_, queue, held) => {
    const { arrivals, link } = carry({ rateBps: 10e6, queue }, { count: 40 });
    expect(numbersOf(arrivals)).toEqual(Array.from({ length: held }, (_, i) => i));
    expect(link.statistics.queueDropped).toBe(40 - held);
    expect(link.statistics.queueBytesMax).toBe(held * 1_250);
  });

  it('always takes one packet, however small the limit', () => {
    expect(carry({ rateBps: 1e6, queue: { bytes: 10 } }, { count: 5, gapUs: 20_000 }).arrivals).toHaveLength(
      5,
    );
  });
});

describe('jitter and reordering', () => {
  it('keeps order by default and spreads within its range (seed 2)', () => {
    const options: LinkOptions = { delayMs: 50, jitter: { kind: 'uniform', ms: 20 } };
    const { arrivals } = carry(options, { count: 500, gapUs: 50_000, seed: 2 });
    expect(numbersOf(arrivals)).toEqual(Array.from({ length: 500 }, (_, i) => i));
    const delays = arrivals.map((a) => a.atUs - a.number * 50_000);
    expect(Math.min(...delays)).toBeGreaterThanOrEqual(30_000);
    expect(Math.min(...delays)).toBeLessThan(31_000);
    expect(Math.max(...delays)).toBeLessThanOrEqual(70_000);
    expect(Math.max(...delays)).toBeGreaterThan(69_000);
  });

  it('lets packets overtake when it need not keep order (seed 2)', () => {
    const options: LinkOptions = { delayMs: 50, jitter: { kind: 'normal', ms: 5, keepOrder: false } };
    const { arrivals } = carry(options, { count: 500, gapUs: 1_000, seed: 2 });
    const overtaken = arrivals.filter((a, i) => a.number < (arrivals[i - 1]?.number ?? 0));
    expect(overtaken.length).toBeGreaterThan(100);
  });

  it('holds back the share it was asked to reorder, by the delay it was asked (seed 3)', () => {
    const options: LinkOptions = { delayMs: 10, reorder: { ratio: 0.1, delayMs: 7 } };
    const { arrivals, link } = carry(options, { count: 2_000, gapUs: 1_000, seed: 3 });
    const delays = arrivals.map((a) => a.atUs - a.number * 1_000);
    expect(new Set(delays)).toEqual(new Set([10_000, 17_000]));
    expect(delays.filter((d) => d === 17_000)).toHaveLength(link.statistics.reordered);
    expect(link.statistics.reordered / 2_000).toBeCloseTo(0.1, 1);
  });
});

describe('other impairments', () => {
  it('duplicates (seed 4)', () => {
    const { arrivals, link } = carry(
      { duplicate: { ratio: 0.2, delayMs: 3 } },
      { count: 1_000, gapUs: 10_000, seed: 4 },
    );
    expect(arrivals).toHaveLength(1_000 + link.statistics.duplicated);
    expect(link.statistics.duplicated / 1_000).toBeCloseTo(0.2, 1);
  });

  it('flips exactly the bits it was asked to, in a copy (seed 5)', () => {
    const sim = new Simulator({ seed: 5 });
    const link = new Link(sim, { corrupt: { ratio: 1, bits: 1 } });
    const sent = new Uint8Array(100).fill(0x55);
    let flipped = 0;
    link.onDeliver = (datagram) => {
      for (let i = 0; i < 100; i++) {
        let difference = (datagram[i] as number) ^ 0x55;
        for (; difference > 0; difference &= difference - 1) flipped++;
      }
    };
    for (let i = 0; i < 50; i++) link.send(sent, 128);
    sim.run(10);
    expect(flipped).toBe(50);
    expect(sent.every((byte) => byte === 0x55)).toBe(true);
  });

  it('drops a corrupted payload that is not bytes: a checksum would', () => {
    const { arrivals, link } = carry({ corrupt: { ratio: 1, burstMax: 2 } }, { count: 9 });
    expect(numbersOf(arrivals)).toEqual([2, 5, 8]);
    expect(link.statistics.corruptedDropped).toBe(6);
  });

  it('swallows packets above the size limit', () => {
    expect(carry({ sizeLimitBytes: 1_249 }).link.statistics.oversized).toBe(1);
    expect(carry({ sizeLimitBytes: 1_250 }).arrivals).toHaveLength(1);
  });

  it('loses everything in a blackout, on for 5 s and off for 2 s as the interop runner has it', () => {
    const blackouts = [{ startMs: 5_000, durationMs: 2_000, everyMs: 7_000 }];
    const { arrivals } = carry({ blackouts }, { count: 20, gapUs: 1_000_000 });
    const expected = Array.from({ length: 20 }, (_, i) => i).filter((i) => i % 7 !== 5 && i % 7 !== 6);
    expect(numbersOf(arrivals)).toEqual(expected);
  });

  it('polices: the bucket first, then its rate, and never a queue', () => {
    const options: LinkOptions = { policer: { rateBps: 1e6, burstBytes: 12_500 } };
    const { arrivals } = carry(options, { count: 1_000, gapUs: 1_000 });
    // 1 s at 1 Mbit/s is 100 packets of 1250 bytes, and 10 from the bucket.
    expect(arrivals.length).toBe(109);
    expect(arrivals.every((a) => a.atUs === a.number * 1_000)).toBe(true);
  });

  it('loses behind the queue when asked to, so that lost packets load it too', () => {
    const loss = { kind: 'pattern', pattern: 'x.', repeat: true } as const;
    const before = carry({ rateBps: 10e6, loss }, { count: 10 });
    const after = carry({ rateBps: 10e6, loss, lossPlace: 'after-queue' }, { count: 10 });
    expect(before.arrivals.at(-1)?.atUs).toBe(5_000);
    expect(after.arrivals.at(-1)?.atUs).toBe(10_000);
    expect(numbersOf(after.arrivals)).toEqual([1, 3, 5, 7, 9]);
  });
});

describe('taps and injection', () => {
  it('shows a tap every packet as it enters, and lets it drop or replace', () => {
    const sim = new Simulator({ seed: 1 });
    const link = new Link(sim, { delayMs: 10 });
    const arrived: number[] = [];
    link.onDeliver = (datagram) => arrived.push(datagram[0] as number);
    link.addTap((packet, nowUs) => {
      const first = (packet.payload as Uint8Array)[0] as number;
      expect(nowUs).toBe(0);
      if (first === 2) packet.payload = new Uint8Array([99]);
      return first !== 1;
    });
    for (let i = 0; i < 4; i++) link.send(new Uint8Array([i]), 29);
    sim.run(20_000);
    expect(arrived).toEqual([0, 99, 3]);
    expect(link.statistics.tapped).toBe(1);
  });

  it('delivers what is injected with the address the attacker chose, past the taps', () => {
    const sim = new Simulator({ seed: 1 });
    const link = new Link(sim, { delayMs: 10 });
    const arrived: { atUs: number; address: number }[] = [];
    link.onDeliver = (_datagram, _sizeBytes, address) => arrived.push({ atUs: sim.now, address });
    link.addTap(() => false);
    link.inject(new Uint8Array(5), 33, 777);
    sim.run(20_000);
    expect(arrived).toEqual([{ atUs: 10_000, address: 777 }]);
  });
});

describe('determinism', () => {
  const everything: LinkOptions = {
    rateBps: 5e6,
    queue: { ms: 60 },
    delayMs: 20,
    jitter: { kind: 'late', ms: 3, keepOrder: false },
    reorder: { ratio: 0.05, delayMs: 9 },
    duplicate: { ratio: 0.05 },
    corrupt: { ratio: 0.05 },
    loss: { kind: 'gilbert-elliott-time', meanGoodMs: 50, meanBadMs: 5 },
    blackouts: [{ startMs: 400, durationMs: 50 }],
    policer: { rateBps: 4e6, burstBytes: 30_000 },
    sizeLimitBytes: 1_400,
  };

  it('accounts for every packet with all impairments at once, and equal seeds give equal hashes (seeds 1 to 5)', () => {
    const hashes = [1, 2, 3, 4, 5].map((seed) => {
      const run = (): string => carry(everything, { count: 3_000, gapUs: 400, seed }).sim.traceHash;
      const hash = run();
      expect(run()).toBe(hash);
      return hash;
    });
    expect(new Set(hashes).size).toBe(5);
  });

  it('has the same hash on every engine and platform (seed 1)', () => {
    // Changes only when the link changes what it does; then this line does too, and stored seeds replay differently.
    expect(carry(everything, { count: 3_000, gapUs: 400, seed: 1 }).sim.traceHash).toBe('8d879501b534700e');
  });
});
