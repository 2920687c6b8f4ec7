import { describe, expect, it } from 'vitest';
import { NEVER } from '../../src/base/protocol.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { DatagramSizeProber } from '../../src/recovery/datagram-size.ts';
import { Pacer } from '../../src/recovery/pacer.ts';
import { RttEstimator } from '../../src/recovery/rtt.ts';
import { standardNormal } from '../../src/sim/distributions.ts';
import { DATAGRAM_BYTES_MAX, DATAGRAM_BYTES_MIN } from '../../src/wire/header.ts';

const MS = 1000;
const SECOND = 1_000_000;

describe('RttEstimator', () => {
  it('starts with a probe timeout of 200 ms', () => {
    expect(Math.round(new RttEstimator().probeTimeoutUs(0) / MS)).toBe(200);
  });

  it('smooths as RFC 9002 §5.3 says', () => {
    const rtt = new RttEstimator();
    rtt.onSample(40 * MS, 0, 0);
    expect([rtt.smoothedUs, rtt.varianceUs, rtt.minUs]).toEqual([40 * MS, 20 * MS, 40 * MS]);
    rtt.onSample(80 * MS, 24 * MS, 0);
    expect([rtt.latestUs, rtt.smoothedUs, rtt.varianceUs]).toEqual([80 * MS, 42 * MS, 19 * MS]);
  });

  it('knows the least sample of the last minute beside that of its life', () => {
    const rtt = new RttEstimator();
    for (let s = 0; s < 20; s++) rtt.onSample(40 * MS, 0, s * SECOND);
    for (let s = 20; s < 75; s++) rtt.onSample(90 * MS, 0, s * SECOND);
    expect(rtt.recentMinUs).toBe(40 * MS);
    for (let s = 75; s < 95; s++) rtt.onSample(90 * MS, 0, s * SECOND);
    expect([rtt.minUs, rtt.recentMinUs]).toEqual([40 * MS, 90 * MS]);
    // After a silence the next one counts alone; on another path as well.
    rtt.onSample(80 * MS, 0, 4_000 * SECOND);
    expect(rtt.recentMinUs).toBe(80 * MS);
    rtt.reset();
    rtt.onSample(100 * MS, 0, 4_001 * SECOND);
    expect(rtt.recentMinUs).toBe(100 * MS);
  });

  it('does not believe an ACK delay that would leave less than the minimum', () => {
    const rtt = new RttEstimator();
    rtt.onSample(40 * MS, 0, 0);
    rtt.onSample(48 * MS, 25 * MS, 0);
    expect(rtt.smoothedUs).toBe(41 * MS);
  });

  it('waits with a probe for answers that stray as usual (seed 1)', () => {
    const random = new SeededRandom(1);
    const rtt = new RttEstimator();
    let early = 0;
    for (let i = 0; i < 4000; i++) {
      // 3 ms of jitter each way, cut at three deviations.
      const late = () => Math.min(3, Math.abs(standardNormal(random)));
      const sampleUs = 50 * MS + Math.round(3 * MS * (late() + late()));
      if (i >= 200 && sampleUs > rtt.probeTimeoutUs(0)) early++;
      rtt.onSample(sampleUs, 0, 0);
    }
    // Four variances alone are too few for 50 of them.
    expect(early).toBeLessThanOrEqual(4);
  });

  it('takes one long answer for an outage', () => {
    const rtt = new RttEstimator();
    for (let i = 0; i < 100; i++) rtt.onSample(60 * MS, 0, 0);
    rtt.onSample(3 * SECOND, 0, 0);
    for (let i = 0; i < 40; i++) rtt.onSample(60 * MS, 0, 0);
    expect(rtt.probeTimeoutUs(0)).toBeLessThan(80 * MS);
  });

  it('measures jitter of the way to the peer, whatever its clock says', () => {
    const steady = new RttEstimator();
    const shaky = new RttEstimator();
    for (let i = 0; i < 400; i++) {
      steady.onTransit(i * MS, 5e12 + i * MS);
      shaky.onTransit(i * MS, 5e12 + i * MS + (i % 2) * 8 * MS);
    }
    expect(steady.jitterUs).toBe(0);
    expect(shaky.jitterUs).toBeCloseTo(8 * MS, -2);
  });
});

describe('Pacer', () => {
  /** Sends 1200-byte packets as a driver would whose timers come `lateUs` late. Returns bits per second. */
  function drive(rateBps: number, lateUs: number, seconds: number): { bps: number; burstMax: number } {
    const pacer = new Pacer(rateBps, 1200);
    let bytes = 0;
    let burstMax = 0;
    for (let now = 0; now < seconds * SECOND; ) {
      let burst = 0;
      while (pacer.canSend(now)) {
        pacer.onSent(now, 1200);
        bytes += 1200;
        burst += 1200;
      }
      burstMax = Math.max(burstMax, burst);
      const next = pacer.nextSendTime(now);
      expect(next).toBeGreaterThanOrEqual(now + MS);
      now = next + lateUs;
    }
    return { bps: (bytes * 8) / seconds, burstMax };
  }

  it.each([0.1e6, 2e6, 50e6, 1e9, 4e9])('holds %d bit/s with timers of 1 ms', (rateBps) => {
    const { bps, burstMax } = drive(rateBps, 100, 2);
    expect(bps / rateBps).toBeGreaterThan(0.98);
    expect(bps / rateBps).toBeLessThan(1.1 + (1200 * 8 * 10) / rateBps);
    expect(burstMax).toBeLessThanOrEqual(Math.max(10 * 1200, (rateBps * 1.2 * MS) / 8e6) + 1200);
  });

  it('makes up for an event loop that comes 3 ms late', () => {
    expect(drive(1e9, 3 * MS, 2).bps / 1e9).toBeGreaterThan(0.98);
  });

  it.each([
    [0.5e6, 1],
    [2e6, 1],
    [10e6, 5],
    [50e6, 10],
  ])(
    'at %d bit/s sends %d packets after a pause: what 5 ms carry, one at least, ten at most',
    (rateBps, most) => {
      const pacer = new Pacer(rateBps, 1200);
      let sent = 0;
      while (pacer.canSend(10 * SECOND)) {
        pacer.onSent(10 * SECOND, 1200);
        sent++;
      }
      expect(sent).toBe(most);
    },
  );

  it('on a slow path keeps packets as far apart as the rate says, after a pause too', () => {
    const pacer = new Pacer(1.5e6, 1200);
    const apartUs = (1200 * 8e6) / 1.5e6;
    let last = Number.NEGATIVE_INFINITY;
    for (let now = 10 * SECOND; now < 11 * SECOND; now += 100) {
      if (!pacer.canSend(now)) continue;
      pacer.onSent(now, 1200);
      expect(now - last).toBeGreaterThanOrEqual(apartUs);
      last = now;
    }
    expect(last).toBeGreaterThan(10.9 * SECOND);
  });

  it('names a later time once what it waited for is no longer enough', () => {
    const pacer = new Pacer(1e6, 1200);
    while (pacer.canSend(0)) pacer.onSent(0, 1200);
    const due = pacer.nextSendTime(0);
    pacer.setPacketBytes(12_000);
    expect(pacer.canSend(due)).toBe(false);
    expect(pacer.nextSendTime(due)).toBeGreaterThan(due);
  });

  it('does not put the time off, however often it is asked', () => {
    const pacer = new Pacer(1e6, 1200);
    while (pacer.canSend(0)) pacer.onSent(0, 1200);
    const next = pacer.nextSendTime(0);
    for (let now = 0; now < next; now += 100) expect(pacer.nextSendTime(now)).toBeLessThanOrEqual(next);
    expect(pacer.canSend(next)).toBe(true);
  });

  it('follows a new rate at once', () => {
    const pacer = new Pacer(10_000, 1200);
    while (pacer.canSend(0)) pacer.onSent(0, 1200);
    expect(pacer.nextSendTime(0)).toBeGreaterThan(500 * MS);
    pacer.setRate(10e6, 0);
    expect(pacer.nextSendTime(0)).toBeLessThan(10 * MS);
  });
});

describe('DatagramSizeProber', () => {
  /** Runs the search on a path that carries `limit` bytes. Returns the sizes probed. */
  function search(prober: DatagramSizeProber, limit: number, now = 0): number[] {
    const probed: number[] = [];
    for (let size = prober.probeSize(now); size > 0; size = prober.probeSize(now)) {
      probed.push(size);
      prober.onProbeSent();
      expect(prober.probeSize(now)).toBe(0);
      if (size <= limit) prober.onAcked(size, prober.pathNumber);
      else prober.onLost(size, prober.pathNumber);
    }
    return probed;
  }

  it('tries 1452 first, and is done on most paths', () => {
    const prober = new DatagramSizeProber();
    expect(prober.currentBytes).toBe(DATAGRAM_BYTES_MIN);
    expect(search(prober, 1472)).toEqual([DATAGRAM_BYTES_MAX]);
    expect(prober.currentBytes).toBe(DATAGRAM_BYTES_MAX);
  });

  it.each([1200, 1230, 1300, 1400, 1431, 1451])(
    'finds %d bytes to within 20, with three probes a failed size',
    (limit) => {
      const prober = new DatagramSizeProber();
      const probed = search(prober, limit);
      expect(prober.currentBytes).toBeLessThanOrEqual(limit);
      expect(prober.currentBytes).toBeGreaterThan(limit - 40);
      expect(probed.slice(0, 3)).toEqual([1452, 1452, 1452]);
      expect(probed.length).toBeLessThan(20);
    },
  );

  it('does not give a size up for one lost probe', () => {
    const prober = new DatagramSizeProber();
    prober.probeSize(0);
    prober.onProbeSent();
    prober.onLost(1452, prober.pathNumber);
    expect(prober.probeSize(0)).toBe(1452);
  });

  it('searches again after 600 s', () => {
    const prober = new DatagramSizeProber();
    search(prober, 1300);
    expect(prober.nextDeadline(SECOND)).toBe(600 * SECOND);
    expect(search(prober, 1500, 600 * SECOND)).toEqual([1452]);
    expect(prober.currentBytes).toBe(1452);
  });

  it('searches again at once on another port, with the size in use as it is', () => {
    const prober = new DatagramSizeProber();
    search(prober, 1300);
    const found = prober.currentBytes;
    prober.onPortChange(SECOND);
    expect(prober.currentBytes).toBe(found);
    expect(search(prober, 1500, SECOND)).toEqual([1452]);
  });

  it('learns nothing about a path from a probe that went over the one before', () => {
    const prober = new DatagramSizeProber();
    const size = prober.probeSize(0);
    const before = prober.pathNumber;
    prober.onProbeSent();
    prober.onPathChange(SECOND);
    expect(prober.probeSize(SECOND)).toBe(size);
    prober.onProbeSent();
    for (let lost = 0; lost < 3; lost++) prober.onLost(size, before);
    prober.onAcked(size, before);
    expect(prober.currentBytes).toBe(DATAGRAM_BYTES_MIN);
    prober.onAcked(size, prober.pathNumber);
    expect(prober.currentBytes).toBe(size);
  });

  it('stays within what the peer accepts', () => {
    const prober = new DatagramSizeProber();
    prober.setPeerMax(1300);
    expect(search(prober, 1500)).toEqual([1300]);
    prober.setPeerMax(900);
    expect(prober.currentBytes).toBe(DATAGRAM_BYTES_MIN);
  });

  it('falls back when large packets vanish while small ones arrive, and not on plain loss', () => {
    const prober = new DatagramSizeProber();
    search(prober, 1500);
    for (let i = 0; i < 200; i += 4) {
      prober.onSizeLost(1452, i, SECOND + 5 * i * MS);
      prober.onSizeAcked(60, i + 1);
      if (i % 16 === 12) prober.onSizeAcked(1452, i + 2);
    }
    expect(prober.currentBytes).toBe(1452);
    prober.onSizeAcked(1452, 199);
    for (let i = 200; i < 212; i += 2) {
      prober.onSizeAcked(60, i);
      expect(prober.blackHoles).toBe(0);
      prober.onSizeLost(1452, i + 1, (i - 100) * 10 * MS);
    }
    expect(prober.currentBytes).toBe(DATAGRAM_BYTES_MIN);
    expect(prober.blackHoles).toBe(1);
    expect(prober.probeSize(2 * SECOND)).toBe(0);
    expect(prober.nextDeadline(2 * SECOND)).toBe(601.1 * SECOND);
  });

  it('takes no burst of loss for that: a whole media frame gone, what is small and comes after it arrives', () => {
    const prober = new DatagramSizeProber();
    search(prober, 1500);
    for (let burst = 0; burst < 20; burst++) {
      const first = 30 * burst;
      for (let i = 0; i < 5; i++) prober.onSizeLost(1452, first + i, SECOND);
      for (let i = 20; i < 24; i++) prober.onSizeAcked(60, first + i);
      // Found out when those are acknowledged: they were sent before them all the same.
      for (let i = 5; i < 20; i++) prober.onSizeLost(1452, first + i, SECOND);
      prober.onSizeAcked(1452, first + 25);
    }
    expect(prober.blackHoles).toBe(0);
  });

  it('falls back on silence too, but tries again soon', () => {
    const prober = new DatagramSizeProber();
    search(prober, 1500);
    prober.onProbeTimeout(SECOND, 1);
    prober.onProbeTimeout(2 * SECOND, 2);
    expect(prober.currentBytes).toBe(1452);
    prober.onProbeTimeout(3 * SECOND, 3);
    expect(prober.currentBytes).toBe(DATAGRAM_BYTES_MIN);
    expect(prober.nextDeadline(3 * SECOND)).toBe(13 * SECOND);
    expect(prober.probeSize(13 * SECOND)).toBe(1452);
    expect(prober.nextDeadline(13 * SECOND)).toBe(NEVER);
  });
});
