import { describe, expect, it } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { LossAudit, Verdict } from '../../src/rate/audit.ts';
import { BurstBudget } from '../../src/rate/burst-budget.ts';
import { CapacityProbe } from '../../src/rate/capacity-probe.ts';
import { DelayFilter } from '../../src/rate/delay.ts';
import { DeliveryRate } from '../../src/rate/delivery.ts';
import { LossHistory, RecentMax, SendHistory } from '../../src/rate/history.ts';
import { ProbeBudget } from '../../src/rate/probe-budget.ts';

const MS = 1000;
const SECOND = 1_000_000;

function acked(
  sentAtUs: number,
  receivedAtUs: number,
  ackedAtUs: number,
  isAppLimited = false,
  sizeBytes = 1250,
) {
  return { packetNumber: 0, sizeBytes, sentAtUs, receivedAtUs, ackedAtUs, isAppLimited };
}

describe('BurstBudget', () => {
  it('holds nothing back that was sent before and fits the path, while a lower target is only asked for', () => {
    const budget = new BurstBudget();
    const pace = (askedBps: number): number => budget.pacingBps(0.8e6, 1.2e6, false, askedBps);
    expect(pace(1e6)).toBe(0.8e6);
    budget.demandBps = 0.2e6;
    budget.onSent(100_000, 0.8e6, 0);
    expect(pace(0)).toBe(0.8e6);
    expect(pace(1e6)).toBe(1e6);
    expect(pace(2e6)).toBe(1.2e6);
    budget.demandBps = 1.1e6;
    expect(pace(1e6)).toBe(1.1e6);
  });
});

describe('DelayFilter', () => {
  it('sees a queue that stands, on clocks of any origin', () => {
    const delay = new DelayFilter();
    for (let t = 0; t < SECOND; t += 5 * MS) delay.onPacket(t, t - 7e9 + (t < SECOND / 2 ? 0 : 30 * MS), t);
    delay.update(SECOND);
    expect(delay.queueUs).toBe(30 * MS);
  });

  it('sees none in jitter, as long as one packet in 60 ms is on time (seed 5)', () => {
    const random = new SeededRandom(5);
    const delay = new DelayFilter();
    let worst = 0;
    for (let t = 0; t < 10 * SECOND; t += MS) {
      delay.onPacket(t, t + (random.unit() < 0.2 ? 0 : 20 * MS * random.unit()), t);
      delay.update(t);
      if (t > SECOND) worst = Math.max(worst, delay.queueUs);
    }
    expect(worst).toBeLessThan(2 * MS);
  });

  it('takes no stall for a queue: what was heard right before it is not older for it', () => {
    const delay = new DelayFilter();
    for (let t = 0; t < SECOND; t += 5 * MS) delay.onPacket(t, t, t);
    // Nothing is heard for 100 ms. What was held then comes late, and is told packet by packet.
    let worst = 0;
    for (let i = 0; i < 10; i++) {
      const now = SECOND + 100 * MS + i * MS;
      delay.onPacket(SECOND + 5 * i * MS, now, now);
      delay.update(now);
      worst = Math.max(worst, delay.queueUs);
    }
    expect(worst).toBe(0);
    // A queue that stays is seen all the same.
    for (let t = SECOND + 110 * MS; t < SECOND + 200 * MS; t += 5 * MS) delay.onPacket(t - 50 * MS, t, t);
    delay.update(SECOND + 200 * MS);
    expect(delay.queueUs).toBe(50 * MS);
  });

  it('forgets a base after a minute, and keeps the last queue while it hears nothing', () => {
    const delay = new DelayFilter();
    delay.onPacket(0, 0, 0);
    for (let t = SECOND; t < 75 * SECOND; t += 20 * MS) delay.onPacket(t, t + 15 * MS, t);
    delay.update(75 * SECOND);
    expect(delay.queueUs).toBe(0);
    delay.onPacket(75 * SECOND, 75 * SECOND + 40 * MS, 75 * SECOND);
    delay.update(75 * SECOND + 70 * MS);
    const queue = delay.queueUs;
    delay.update(80 * SECOND);
    expect(delay.queueUs).toBe(queue);
  });

  it.each([15, 59, 71, 960])(
    'takes clocks that drift by 100 ppm for no queue, with a packet every %d s',
    (seconds) => {
      const delay = new DelayFilter();
      let worst = 0;
      for (let t = 0; t < 2 * 3600 * SECOND; t += seconds * SECOND) {
        delay.onPacket(t, 1.0001 * t + 5 * MS, t);
        delay.update(t);
        worst = Math.max(worst, delay.queueUs);
      }
      expect(worst).toBeLessThan(7 * MS);
    },
  );
});

describe('DeliveryRate', () => {
  /** 10 Mbit/s sent; feedback every `ackEveryUs`; times moved by `jitter`. */
  function feed(
    ackEveryUs: number,
    jitter: (t: number) => { sent?: number; received?: number },
  ): DeliveryRate {
    const rate = new DeliveryRate();
    for (let t = 0; t < SECOND; t += MS) {
      const { sent = t, received = t + 20 * MS } = jitter(t);
      rate.onPacket(acked(sent, received, t + 40 * MS));
      if (t % ackEveryUs === 0) rate.checkpoint();
    }
    return rate;
  }

  it('is what is sent where nothing is in the way', () => {
    expect(feed(5 * MS, () => ({})).over(100 * MS) / 1e6).toBeCloseTo(10, 0);
  });

  it('is not raised by reads in batches', () => {
    const batched = feed(5 * MS, (t) => ({ received: Math.ceil((t + 20 * MS) / (7 * MS)) * 7 * MS }));
    expect(batched.over(100 * MS) / 1e6).toBeLessThan(10.8);
    expect(batched.over(100 * MS) / 1e6).toBeGreaterThan(9.2);
  });

  it('is limited by the slower of sending and receiving', () => {
    expect(feed(5 * MS, (t) => ({ received: t * 2 })).over(100 * MS) / 1e6).toBeCloseTo(5, 0);
    expect(feed(5 * MS, (t) => ({ received: 20 * MS + t / 2 })).over(50 * MS) / 1e6).toBeCloseTo(10, 0);
  });

  it('falls back on ACK times where the peer gives none, and never mixes the clocks', () => {
    expect(feed(5 * MS, () => ({ received: Number.NaN })).over(100 * MS) / 1e6).toBeCloseTo(10, 0);
    const late = feed(5 * MS, (t) => ({ received: t < 500 * MS ? Number.NaN : 9e9 + t }));
    expect(late.over(100 * MS) / 1e6).toBeCloseTo(10, 0);
  });

  it('begins anew when receive times go back, as where a sleep has stopped the own clock', () => {
    const asleep = feed(5 * MS, (t) => ({ received: t < 500 * MS ? t : t - 695 * SECOND }));
    expect(asleep.over(100 * MS) / 1e6).toBeCloseTo(10, 0);
    // It is the rate of now, not the last one before.
    const slower = feed(5 * MS, (t) => ({ received: t < 500 * MS ? t : 2 * t - 695 * SECOND }));
    expect(slower.over(100 * MS) / 1e6).toBeCloseTo(5, 0);
  });

  it('goes on when packets overtake each other by less', () => {
    const mixed = feed(5 * MS, (t) => ({ received: t % (7 * MS) === 0 ? t - 9 * SECOND : t }));
    expect(mixed.over(100 * MS) / 1e6).toBeCloseTo(10, 0);
  });

  it('says when too little was sent, and nothing when too little is known', () => {
    const rate = new DeliveryRate();
    expect(rate.over(100 * MS)).toBeNaN();
    for (let t = 0; t < SECOND; t += 2 * MS) {
      rate.onPacket(acked(t, t, t, t > SECOND / 2));
      rate.checkpoint();
    }
    rate.over(100 * MS);
    expect(rate.isAppLimited).toBe(true);
    rate.clear();
    expect(rate.over(100 * MS)).toBeNaN();
  });
});

describe('LossAudit', () => {
  /** A path that loses `lossAt(rate)`; sends at 10 Mbit/s, at the audit's limit while it runs. */
  function audit(
    lossAt: (rateBps: number) => number,
    isObedient = true,
    capacityBps = 10e6,
  ): { verdicts: number[]; audit: LossAudit } {
    const random = new SeededRandom(11);
    const history = new LossHistory();
    const sent = new SendHistory();
    const subject = new LossAudit();
    const verdicts: number[] = [];
    for (let now = SECOND; now < 7 * SECOND; now += 10 * MS) {
      const rate = isObedient ? Math.min(10e6, subject.limitBps) : 10e6;
      let lost = 0;
      let arrived = 0;
      for (let bits = 0; bits < rate / 100; bits += 10_000) random.unit() < lossAt(rate) ? lost++ : arrived++;
      sent.onSent(now, rate / 800);
      history.add(now, arrived, lost, true);
      subject.follow(history, 0.01);
      if (subject.isRunning) {
        const verdict = subject.onFeedback(arrived, lost, sent, 40 * MS, now);
        if (!subject.isRunning) verdicts.push(verdict);
      } else if (subject.isDue(history, sent, capacityBps, 40 * MS, now)) {
        subject.start(history, sent, capacityBps, rate * (1 - lossAt(rate)), 40 * MS, now);
      }
    }
    return { verdicts, audit: subject };
  }

  it('acquits random loss (seed 11)', () => {
    const result = audit(() => 0.1);
    expect(result.verdicts[0]).toBe(Verdict.RANDOM);
    expect(result.audit.randomLossRatio).toBeGreaterThan(0.06);
    expect(result.audit.randomLossRatio).toBeLessThan(0.13);
  });

  it('convicts an overflowing buffer (seed 11)', () => {
    const result = audit((rate) => Math.max(0, 1 - 8.5e6 / rate));
    expect(result.verdicts).toContain(Verdict.CONGESTION);
    expect(result.verdicts).not.toContain(Verdict.RANDOM);
    expect(result.audit.randomLossRatio).toBeLessThan(0.02);
  });

  it('suspects once what chance may have done, and convicts the second time', () => {
    const history = new LossHistory();
    const sent = new SendHistory();
    const subject = new LossAudit();
    // 12 of 100 lost at 10 Mbit/s, 2 of 112 while slower: 2.8 standard deviations.
    const verdicts = [SECOND, 8 * SECOND].map((from) => {
      let now = from;
      history.clear();
      for (let i = 0; i < 50; i++, now += 40 * MS) {
        sent.onSent(now, 50_000);
        history.add(now, i % 25 < 19 ? 2 : 1, i % 25 < 19 ? 0 : 1, true);
      }
      subject.start(history, sent, 10e6, 9e6, 40 * MS, now);
      for (; subject.isRunning; now += 40 * MS) {
        sent.onSent(now, 38_000);
        const step = Math.round((now - from) / (40 * MS)) - 50;
        const isLost = step % 14 === 13;
        const verdict = subject.onFeedback(isLost ? 3 : 4, isLost ? 1 : 0, sent, 40 * MS, now);
        if (!subject.isRunning) return verdict;
      }
      return -1;
    });
    expect(verdicts).toEqual([Verdict.SUSPICION, Verdict.CONGESTION]);
  });

  it('says nothing when the sender did not slow down (seed 11)', () => {
    const result = audit(() => 0.1, false);
    expect(result.verdicts.length).toBeGreaterThan(0);
    for (const verdict of result.verdicts) expect(verdict).toBe(Verdict.NONE);
  });

  it('holds back what floods the path, and nothing that uses less than it may', () => {
    const isHeld = (lostOfHundred: number, capacityBps: number): boolean => {
      const history = new LossHistory();
      const sent = new SendHistory();
      const subject = new LossAudit();
      for (let now = SECOND; now < 4 * SECOND; now += 40 * MS) {
        sent.onSent(now, 50_000);
        history.add(now, 100 - lostOfHundred, lostOfHundred, true);
      }
      subject.start(history, sent, capacityBps, 9e6, 40 * MS, 4 * SECOND);
      return subject.isHolding;
    };
    expect(isHeld(12, 10e6)).toBe(true);
    expect(isHeld(5, 10e6)).toBe(false);
    expect(isHeld(12, 12e6)).toBe(false);
  });

  it('does not slow down who was far below capacity while the loss was counted (seed 11)', () => {
    expect(audit(() => 0.1, true, 15e6).verdicts).toEqual([]);
  });

  it('does not start without loss', () => {
    expect(audit(() => 0).verdicts).toEqual([]);
  });
});

describe('CapacityProbe', () => {
  /** Sends a train at twice 5 Mbit/s over `capacityBps`. */
  function probe(capacityBps: number): number {
    const subject = new CapacityProbe();
    subject.start(2, 5e6, 60 * MS, 75_000, 0);
    expect(subject.bytesLeft).toBe(75_000);
    let free = 0;
    for (let t = 0; subject.isSending(t); t += MS) {
      free = Math.max(free, t) + (1250 * 8e6) / capacityBps;
      subject.onSent(1250, t);
      subject.onAcked(acked(t, free, t));
    }
    expect(subject.isComplete(60 * MS, 40 * MS)).toBe(false);
    expect(subject.isComplete(130 * MS, 40 * MS)).toBe(true);
    return subject.result();
  }

  it('finds the sending rate where there is room, the capacity where there is not', () => {
    expect(probe(100e6) / 1e6).toBeCloseTo(10, 0);
    expect(probe(7e6) / 1e6).toBeCloseTo(7 * 0.97, 0);
  });

  it('cuts a slow train into eight packets', () => {
    const subject = new CapacityProbe();
    subject.start(3, 80_000, 120 * MS, 3600, 0);
    expect(subject.bytesLeft).toBe(3600);
    expect(subject.packetBytes).toBe(450);
  });

  it('says what a train that could not be filled has not cost, and tries again before long', () => {
    const subject = new CapacityProbe();
    subject.start(3, 80_000, 120 * MS, 3000, 0);
    subject.onSent(400, 60 * MS);
    subject.onSent(400, 200 * MS);
    subject.reject(300 * MS);
    expect(subject.unspentBytes).toBe(3000);
    expect(subject.nextAtUs).toBe(1300 * MS);
    subject.start(3, 80_000, 120 * MS, 3000, 0);
    subject.onSent(3000, 60 * MS);
    subject.reject(300 * MS);
    expect(subject.unspentBytes).toBe(600);
    expect(subject.nextAtUs).toBe(1900 * MS);
  });

  it('asks less and less often when it finds nothing', () => {
    const subject = new CapacityProbe();
    const gaps = [1, 2, 3, 4, 5].map(() => {
      subject.reject(0);
      return subject.nextAtUs / SECOND;
    });
    expect(gaps).toEqual([1.6, 2.56, 4, 4, 4]);
  });
});

describe('histories', () => {
  it('give the rate sent over any part of the last 6 s', () => {
    const sent = new SendHistory();
    for (let t = 100 * SECOND; t < 110 * SECOND; t += MS) sent.onSent(t, t < 108 * SECOND ? 125 : 250);
    expect(sent.rate(105 * SECOND, 107 * SECOND)).toBeCloseTo(1e6);
    expect(sent.rate(108 * SECOND, 110 * SECOND)).toBeCloseTo(2e6);
    const young = new SendHistory();
    for (let t = 0; t < SECOND / 2; t += MS) young.onSent(t, 125);
    expect(young.rate(-SECOND / 2, SECOND / 2)).toBeCloseTo(1e6);
  });

  it('give loss over 2 s, apart for feedback without a queue', () => {
    const losses = new LossHistory();
    losses.add(0, 90, 10, true);
    losses.add(SECOND, 50, 50, false);
    expect(losses.ratio).toBeCloseTo(0.3);
    expect(losses.calmRatio).toBeCloseTo(0.1);
    losses.turn(2.5 * SECOND);
    expect(losses.ratio).toBeCloseTo(0.5);
    expect(losses.calmPackets).toBe(0);
    losses.turn(9 * SECOND);
    expect([losses.acked, losses.lost, losses.ratio]).toEqual([0, 0, 0]);
  });

  it('remember the highest rate for 3 s', () => {
    const max = new RecentMax();
    expect(max.bps).toBe(Number.POSITIVE_INFINITY);
    max.note(5, SECOND);
    max.note(3, 2 * SECOND);
    max.note(Number.NaN, 3 * SECOND);
    expect(max.bps).toBe(5);
    max.note(1, 4.2 * SECOND);
    expect(max.bps).toBe(3);
  });
});

describe('ProbeBudget', () => {
  it('has back what a train did not use', () => {
    const budget = new ProbeBudget(0);
    expect(budget.take(8_000, 0)).toBe(true);
    expect(budget.take(3_000, 0)).toBe(false);
    budget.giveBack(3_000);
    expect(budget.take(3_000, 0)).toBe(true);
  });

  it('wants headroom above what media ask for, until the limit of the path is known', () => {
    const budget = new ProbeBudget(0);
    budget.onDemand(10e6, 0);
    expect(budget.usefulBps(false)).toBe(13e6);
    expect(budget.usefulBps(true)).toBe(10e6);
  });
});
