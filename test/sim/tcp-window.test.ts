/** The TCP model's windows: congestion control, the receive window, the receiver's acknowledgements. */
import { describe, expect, it } from 'vitest';
import { MILLISECOND, SECOND } from '../../src/base/protocol.ts';
import { Simulator } from '../../src/sim/simulator.ts';
import type { AckedData, CongestionWindow } from '../../src/sim/tcp/congestion.ts';
import { Cubic } from '../../src/sim/tcp/cubic.ts';
import { TcpFlow } from '../../src/sim/tcp/flow.ts';
import { HyStart } from '../../src/sim/tcp/hystart.ts';
import { RateReduction } from '../../src/sim/tcp/rate-reduction.ts';
import { TcpReceiver } from '../../src/sim/tcp/receiver.ts';
import { RoundTrip } from '../../src/sim/tcp/round-trip.ts';
import { SEGMENT_BYTES_MAX as MSS, type TcpSegment } from '../../src/sim/tcp/segment.ts';
import { goodputBps, tcpWorld } from '../helpers/sim-tcp.ts';

describe('congestion control', () => {
  it.each(['reno', 'cubic'] as const)('%s fills a 20 Mbit/s link with a queue of 100 ms', (congestion) => {
    const world = tcpWorld({ delayMs: 30, rateBps: 20e6, queue: { ms: 100 } }, { congestion });
    const bps = goodputBps(world, 5 * SECOND, 60 * SECOND);
    expect(bps / (20e6 * (MSS / 1_500))).toBeGreaterThan(0.98);
    expect(world.flow.sender.statistics.timeouts).toBe(0);
    expect(world.flow.receiver.duplicates).toBe(0);
  });

  it('shares a link fairly between two CUBIC flows', () => {
    const world = tcpWorld({ delayMs: 30, rateBps: 20e6, queue: { ms: 100 } });
    const second = new TcpFlow(world.sim, { forward: world.forward, backward: world.backward });
    goodputBps(world, SECOND, 6 * SECOND);
    second.start();
    second.write(Number.POSITIVE_INFINITY);
    world.sim.run(30 * SECOND);
    const before = [world.flow, second].map((flow) => flow.receiver.inOrderBytes);
    world.sim.run(150 * SECOND);
    const [a, b] = [world.flow, second].map((flow, i) => flow.receiver.inOrderBytes - (before[i] as number));
    expect((a as number) / (b as number)).toBeGreaterThan(0.6);
    expect((a as number) / (b as number)).toBeLessThan(1.67);
  });

  it('CUBIC comes back to its old window after K = cbrt(W (1 - 0.7) / 0.4) seconds', () => {
    const cubic = new Cubic();
    const window: CongestionWindow = { congestionWindow: 400, slowStartThreshold: 400 };
    cubic.onCongestion(window);
    window.congestionWindow = window.slowStartThreshold;
    expect(window.congestionWindow).toBeCloseTo(280, 9);
    const expectedUs = Math.cbrt((400 * 0.3) / 0.4) * SECOND;
    const rttUs = 50_000;
    let nowUs = 0;
    for (; window.congestionWindow < 399; nowUs += rttUs / 100) {
      const acked = window.congestionWindow / 100;
      cubic.onAcked(window, { nowUs, acked, rttUs, smoothedRttUs: rttUs, una: 0, sndNxt: 0 });
    }
    // The curve is flat there: one segment below the maximum is cbrt(1 / 0.4) s before it.
    const earlyUs = Math.cbrt(1 / 0.4) * SECOND;
    expect(Math.abs(nowUs + earlyUs - expectedUs)).toBeLessThan(150 * MILLISECOND);
  });

  it('CUBIC makes room when it loses before it is back at its maximum', () => {
    const cubic = new Cubic();
    const window: CongestionWindow = { congestionWindow: 100, slowStartThreshold: 100 };
    cubic.onCongestion(window);
    window.congestionWindow = 80;
    cubic.onCongestion(window);
    expect(window.slowStartThreshold).toBeCloseTo(56, 9);
    window.congestionWindow = 56;
    // The new origin is 80 (1 + 0.7) / 2 = 68, not 80: the window passes 68 after cbrt(12 / 0.4) s, about 3.1 s.
    const data = { acked: 5.6, rttUs: 100_000, smoothedRttUs: 100_000, una: 0, sndNxt: 0 };
    for (let nowUs = 0; nowUs < 3.1 * SECOND; nowUs += 10_000) cubic.onAcked(window, { ...data, nowUs });
    expect(window.congestionWindow).toBeGreaterThan(66);
    expect(window.congestionWindow).toBeLessThan(72);
  });

  it('proportional rate reduction sends 7 segments for every 10 delivered, and ends at the threshold', () => {
    const reduction = new RateReduction();
    reduction.begin(20);
    let pipe = 19;
    let sent = 0;
    for (let ack = 0; ack < 19; ack++) {
      pipe--;
      const window = reduction.window(1, pipe, 14, false);
      while (pipe < Math.floor(window)) {
        pipe++;
        sent++;
        reduction.onSent();
      }
    }
    expect(sent).toBe(14);
    expect(pipe).toBe(14);
  });

  it('HyStart++ leaves slow start when the round trip grows by an eighth, and only then', () => {
    const run = (growthUs: number): CongestionWindow => {
      const window: CongestionWindow = { congestionWindow: 10, slowStartThreshold: Number.POSITIVE_INFINITY };
      const hyStart = new HyStart();
      let una = 0;
      for (let round = 0; round < 12; round++) {
        const sndNxt = una + 20;
        const rttUs = 80_000 + Math.max(0, round - 3) * growthUs;
        for (let i = 0; i < 20; i++) hyStart.grow(window, ackOf({ una: ++una, sndNxt, rttUs }));
      }
      return window;
    };
    expect(run(12_000).slowStartThreshold).toBeLessThan(1e4);
    expect(run(0).slowStartThreshold).toBe(Number.POSITIVE_INFINITY);
    expect(run(0).congestionWindow).toBe(10 + 12 * 20);
  });

  it('does not grow a window that the application does not fill, and forgets one it has not used', () => {
    const world = tcpWorld({ delayMs: 50 });
    world.flow.start();
    for (let i = 0; i < 100; i++) world.sim.schedule(SECOND + i * 50_000, () => world.flow.write(MSS));
    world.sim.run(8 * SECOND);
    expect(world.flow.sender.window.congestionWindow).toBe(10);
    world.flow.write(400 * MSS);
    world.sim.run(12 * SECOND);
    expect(world.flow.sender.window.congestionWindow).toBeGreaterThan(100);
    world.sim.run(30 * SECOND);
    world.flow.write(MSS);
    expect(world.flow.sender.window.congestionWindow).toBe(10);
  });
});

function ackOf(changes: Partial<AckedData>): AckedData {
  return { nowUs: 0, acked: 1, rttUs: 0, smoothedRttUs: 0, una: 0, sndNxt: 0, ...changes };
}

describe('round-trip time', () => {
  it('has the timeout of RFC 6298 with the floor of Linux: srtt + max(4 rttvar, 200 ms)', () => {
    const roundTrip = new RoundTrip();
    expect(roundTrip.timeoutUs).toBe(SECOND);
    roundTrip.sample(100_000);
    expect(roundTrip.timeoutUs).toBe(300_000);
    roundTrip.sample(500_000);
    // srtt = 100 + 400 / 8 = 150; rttvar = 50 + (400 - 50) / 4 = 137.5.
    expect(roundTrip.timeoutUs).toBe(150_000 + 4 * 137_500);
    roundTrip.backOff();
    expect(roundTrip.timeoutUs).toBe(1_400_000);
  });
});

describe('the receiver', () => {
  function receiverWorld(bufferBytes = 1e6): {
    sim: Simulator;
    receiver: TcpReceiver;
    acks: TcpSegment[];
    data: (first: number, count?: number) => void;
  } {
    const sim = new Simulator({ seed: 1 });
    const acks: TcpSegment[] = [];
    const receiver = new TcpReceiver(sim, (segment) => acks.push(segment), { bufferBytes });
    const data = (first: number, count = 1): void => {
      const part = { kind: 'data', ack: 0, window: 0, sack: [], sentAtUs: sim.now, echoUs: 0 } as const;
      receiver.receive({ ...part, seq: first * MSS, length: count * MSS });
    };
    return { sim, receiver, acks, data };
  }

  it('acknowledges the first 16 segments at once, then every second one, and a last one after 40 ms', () => {
    const { sim, acks, data } = receiverWorld();
    for (let i = 0; i < 16; i++) data(i);
    expect(acks).toHaveLength(16);
    for (let i = 16; i < 21; i++) data(i);
    expect(acks).toHaveLength(18);
    sim.run(39_999);
    expect(acks).toHaveLength(18);
    sim.run(40_000);
    expect(acks.at(-1)?.ack).toBe(21 * MSS);
  });

  it('reports what lies beyond a gap, the most recent first, at most three blocks', () => {
    const { acks, data } = receiverWorld();
    for (const segment of [0, 2, 4, 6, 8, 5]) data(segment);
    const blocks = acks.at(-1)?.sack.map((block) => [block.start / MSS, block.end / MSS]);
    expect(acks.at(-1)?.ack).toBe(MSS);
    expect(blocks).toEqual([
      [4, 7],
      [8, 9],
      [2, 3],
    ]);
  });

  it('reports a duplicate first, below the acknowledgement or inside a block', () => {
    const { receiver, acks, data } = receiverWorld();
    for (const segment of [0, 1, 3, 0]) data(segment);
    expect(acks.at(-1)?.sack[0]).toEqual({ start: 0, end: MSS });
    data(3);
    expect(acks.at(-1)?.sack).toEqual([
      { start: 3 * MSS, end: 4 * MSS },
      { start: 3 * MSS, end: 4 * MSS },
    ]);
    expect(receiver.duplicates).toBe(2);
  });

  it('fills a gap and delivers everything behind it at once', () => {
    const { receiver, data } = receiverWorld();
    for (const segment of [0, 2, 3, 1]) data(segment);
    expect(receiver.inOrderBytes).toBe(4 * MSS);
  });
});

describe('the receive window', () => {
  it('stops the sender at the buffer while the application does not read, and lets it go on afterwards', () => {
    const world = tcpWorld({ delayMs: 20 }, { bufferBytes: 100_000 });
    world.flow.receiver.setReading(false);
    world.flow.start();
    world.flow.write(500_000);
    world.sim.run(5 * SECOND);
    const held = world.flow.receiver.inOrderBytes;
    expect(held).toBeLessThanOrEqual(100_000);
    expect(held).toBeGreaterThan(100_000 - MSS);
    world.flow.receiver.setReading(true);
    world.sim.run(7 * SECOND);
    expect(world.flow.receiver.inOrderBytes).toBe(500_000);
  });

  it('asks again when the news of room is lost', () => {
    const world = tcpWorld({ delayMs: 20 }, { bufferBytes: 100_000 });
    world.flow.receiver.setReading(false);
    world.flow.start();
    world.flow.write(500_000);
    world.sim.run(SECOND);
    world.backward.blackout(100);
    world.flow.receiver.setReading(true);
    world.sim.run(10 * SECOND);
    expect(world.flow.sender.statistics.windowProbes).toBeGreaterThan(0);
    expect(world.flow.receiver.inOrderBytes).toBe(500_000);
  });
});
