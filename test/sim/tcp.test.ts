/** The TCP model: the connection, loss recovery, and media frames over it. */
import { describe, expect, it } from 'vitest';
import { SECOND } from '../../src/base/protocol.ts';
import { checkCap, checkConservation } from '../../src/sim/checkers.ts';
import { type FrameSourceOptions, TcpFrameSource } from '../../src/sim/tcp/frames.ts';
import { SEGMENT_BYTES_MAX as MSS, type TcpSegment, wireBytes } from '../../src/sim/tcp/segment.ts';
import { dropData, goodputBps, type TcpWorld, tcpWorld } from '../helpers/sim-tcp.ts';

/** Writes `segments` full segments once connected; gives the instant each byte count arrived. */
function burst(world: TcpWorld, segments: number): { doneAtUs: () => number } {
  let doneAtUs = Number.POSITIVE_INFINITY;
  world.flow.onData = (bytes, nowUs) => {
    if (bytes === segments * MSS) doneAtUs = nowUs;
  };
  world.flow.start();
  world.sim.schedule(SECOND, () => world.flow.write(segments * MSS));
  return { doneAtUs: () => doneAtUs };
}

describe('the connection', () => {
  it('opens in one round trip and delivers one way later', () => {
    const world = tcpWorld({ delayMs: 50 });
    let firstUs = 0;
    world.flow.onData = (_bytes, nowUs) => {
      firstUs ||= nowUs;
    };
    world.flow.start();
    world.flow.write(1_000);
    world.sim.run(SECOND);
    expect(firstUs).toBe(150_000);
  });

  it('repeats a lost SYN after one second, and again after two', () => {
    const world = tcpWorld({ delayMs: 50, loss: { kind: 'index', indexes: [0, 1] } });
    world.flow.start();
    world.sim.run(3_099_999);
    expect(world.flow.sender.state).toBe('opening');
    world.sim.run(3_100_000);
    expect(world.flow.sender.state).toBe('open');
  });

  it('puts headers and SACK blocks on the wire: 1500 bytes a full segment, 52 an acknowledgement, 64 with one block', () => {
    const segment: TcpSegment = {
      kind: 'ack',
      seq: 0,
      length: 0,
      ack: 0,
      window: 0,
      sack: [],
      sentAtUs: 0,
      echoUs: 0,
    };
    expect(wireBytes({ ...segment, kind: 'data', length: MSS })).toBe(1_500);
    expect(wireBytes(segment)).toBe(52);
    expect(wireBytes({ ...segment, sack: [{ start: 1, end: 2 }] })).toBe(64);
  });

  it.each([1, 2, 3, 4, 5, 6, 7, 8])(
    'delivers every byte once and in order under loss, duplication, reordering and corruption (seed %i)',
    (seed) => {
      const bad = {
        delayMs: 20,
        rateBps: 10e6,
        queue: { ms: 50 },
        jitter: { kind: 'late', ms: 4, keepOrder: false },
        duplicate: { ratio: 0.02 },
        reorder: { ratio: 0.02, delayMs: 30 },
        corrupt: { ratio: 0.01 },
        loss: { kind: 'burst', ratio: 0.05, meanBurst: 3 },
      } as const;
      const world = tcpWorld(bad, { seed, backward: bad, congestion: seed % 2 === 0 ? 'reno' : 'cubic' });
      const { flow, sim } = world;
      sim.addChecker(checkConservation(world.forward));
      sim.addChecker(checkCap('negative pipe', () => -flow.sender.pipe, 0));
      sim.addChecker(checkCap('ahead', () => flow.sender.acknowledgedBytes - flow.receiver.inOrderBytes, 0));
      let last = 0;
      flow.onData = (bytes) => {
        expect(bytes).toBeGreaterThan(last);
        last = bytes;
      };
      flow.start();
      flow.write(1_000_001);
      sim.run(120 * SECOND);
      expect(flow.receiver.inOrderBytes).toBe(1_000_001);
      expect(flow.sender.acknowledgedBytes).toBe(1_000_001);
      expect(flow.sender.pipe).toBe(0);
    },
  );

  it('gives equal hashes for equal seeds', () => {
    const run = (seed: number): string => {
      const world = tcpWorld({ delayMs: 10, loss: { kind: 'iid', ratio: 0.03 } }, { seed });
      goodputBps(world, SECOND, 5 * SECOND);
      return world.sim.traceHash;
    };
    expect(run(1)).toBe(run(1));
    expect(run(1)).not.toBe(run(2));
  });
});

describe('loss recovery', () => {
  it('repairs one loss in one round trip, without a timeout, sending nothing else again', () => {
    const world = tcpWorld({ delayMs: 50 });
    dropData(world.forward, (seq, transmission) => seq === 2 * MSS && transmission === 0);
    const { doneAtUs } = burst(world, 10);
    world.sim.run(5 * SECOND);
    expect(doneAtUs()).toBe(SECOND + 150_000);
    expect(world.flow.sender.statistics).toMatchObject({ retransmissions: 1, timeouts: 0, recoveries: 1 });
  });

  it('finds a lost retransmission by what was sent after it, without a timeout', () => {
    const world = tcpWorld({ delayMs: 50 });
    dropData(world.forward, (seq, transmission) => seq === 2 * MSS && transmission <= 1);
    const { doneAtUs } = burst(world, 30);
    world.sim.run(5 * SECOND);
    expect(world.flow.sender.statistics).toMatchObject({ retransmissions: 2, timeouts: 0 });
    expect(doneAtUs()).toBe(SECOND + 350_000);
  });

  it('waits a quarter of the round trip when fewer than three segments follow the lost one', () => {
    const world = tcpWorld({ delayMs: 50 });
    dropData(world.forward, (seq, transmission) => seq === 7 * MSS && transmission === 0);
    const { doneAtUs } = burst(world, 10);
    world.sim.run(5 * SECOND);
    expect(doneAtUs()).toBe(SECOND + 150_000 + 25_000);
  });

  it('repairs a lost tail by a probe after two round trips, not by a timeout, and then the rest by what it shows', () => {
    const world = tcpWorld({ delayMs: 50 });
    dropData(world.forward, (seq, transmission) => seq >= 7 * MSS && transmission === 0);
    const { doneAtUs } = burst(world, 10);
    world.sim.run(5 * SECOND);
    // Acknowledgement of segment 6 at 100 ms, probe (segment 9) at 100 + 202, its SACK at 402: 7 and 8 are lost. Rate
    // reduction sends one segment for one delivered: 7 at 402, 8 at 502.
    expect(doneAtUs()).toBe(SECOND + 552_000);
    expect(world.flow.sender.statistics).toMatchObject({ probes: 1, timeouts: 0, recoveries: 1 });
  });

  it('reduces the window when a probe alone has repaired the loss, as soon as later data shows that', () => {
    const world = tcpWorld({ delayMs: 50 });
    dropData(world.forward, (seq, transmission) => seq === 9 * MSS && transmission === 0);
    burst(world, 10);
    world.sim.schedule(3 * SECOND, () => world.flow.write(MSS));
    world.sim.run(2_900_000);
    expect(world.flow.sender.window.slowStartThreshold).toBe(Number.POSITIVE_INFINITY);
    world.sim.run(5 * SECOND);
    expect(world.flow.sender.statistics).toMatchObject({ probes: 1, timeouts: 0, recoveries: 0 });
    expect(world.flow.sender.window.slowStartThreshold).toBeLessThan(20);
  });

  it('falls back to the timeout when everything is lost, and doubles it', () => {
    const world = tcpWorld({ delayMs: 50 });
    const sentAtUs: number[] = [];
    world.forward.addTap((packet, nowUs) => {
      if ((packet.payload as TcpSegment).kind === 'data') sentAtUs.push(nowUs - SECOND);
      return (packet.payload as TcpSegment).kind !== 'data';
    });
    burst(world, 1);
    world.sim.run(5 * SECOND);
    const gaps = sentAtUs.slice(2).map((atUs, i) => atUs - (sentAtUs[i + 1] as number));
    // The probe comes at the time of the timeout, srtt + 200 ms, for 2 srtt + 200 ms would be later; then the timeout.
    expect(sentAtUs[1]).toBe(300_000);
    expect(gaps.slice(0, 3)).toEqual([300_000, 600_000, 1_200_000]);
    expect(world.flow.sender.window.congestionWindow).toBe(1);
  });

  it('takes back a timeout that was spurious: the round trip had grown from 20 to 600 ms', () => {
    const world = tcpWorld({ delayMs: 10, rateBps: 20e6, queue: { ms: 100 } }, { congestion: 'cubic' });
    goodputBps(world, SECOND, 4 * SECOND);
    const before = world.flow.sender.window.congestionWindow;
    world.forward.update({ delayMs: 590 });
    world.sim.run(9 * SECOND);
    expect(world.flow.sender.statistics.timeouts).toBeGreaterThan(0);
    expect(world.flow.sender.undone).toBeGreaterThan(0);
    expect(world.flow.sender.window.congestionWindow).toBeGreaterThan(0.7 * before);
  });

  it('takes back a reduction when the segment taken for lost arrives after all', () => {
    const world = tcpWorld({ delayMs: 50 });
    world.forward.addTap((packet, nowUs) => {
      const segment = packet.payload as TcpSegment;
      const isFirst = segment.kind === 'data' && segment.seq === 2 * MSS && nowUs === SECOND;
      // Held back for 60 ms: longer than anything that follows needs to call it lost.
      if (isFirst) world.sim.schedule(nowUs + 110_000, () => world.flow.receiver.receive(segment));
      return !isFirst;
    });
    burst(world, 10);
    world.sim.run(5 * SECOND);
    expect(world.flow.sender.statistics).toMatchObject({ recoveries: 1, retransmissions: 1 });
    expect(world.flow.receiver.duplicates).toBe(1);
    expect(world.flow.sender.undone).toBe(1);
    expect(world.flow.sender.window.slowStartThreshold).toBe(Number.POSITIVE_INFINITY);
  });

  it('learns reordering: after the first round few segments are sent again in vain (seed 3)', () => {
    const clean = goodputBps(
      tcpWorld({ delayMs: 50, rateBps: 10e6, queue: { ms: 100 } }),
      SECOND,
      30 * SECOND,
    );
    const world = tcpWorld(
      { delayMs: 50, rateBps: 10e6, queue: { ms: 100 }, reorder: { ratio: 0.02, delayMs: 15 } },
      { seed: 3 },
    );
    const reordered = goodputBps(world, SECOND, 30 * SECOND);
    expect(world.forward.statistics.reordered).toBeGreaterThan(400);
    expect(world.flow.receiver.duplicates).toBeLessThan(0.1 * world.forward.statistics.reordered);
    expect(reordered).toBeGreaterThan(0.9 * clean);
  });
});

describe('media frames over TCP', () => {
  function play(lossRatio: number, options: FrameSourceOptions): TcpFrameSource {
    const loss = { kind: 'iid', ratio: lossRatio } as const;
    const world = tcpWorld({ delayMs: 50, rateBps: 20e6, queue: { ms: 100 }, loss }, { seed: 4 });
    const source = new TcpFrameSource(world.sim, world.flow, options);
    world.flow.start();
    for (let id = 0; id < 300; id++) {
      const isKeyFrame = id % 60 === 0;
      const sizeBytes = isKeyFrame ? 92_000 : 15_000;
      world.sim.schedule(SECOND + (id * SECOND) / 30, () => source.send(id, sizeBytes, isKeyFrame));
    }
    world.sim.run(60 * SECOND);
    return source;
  }

  it('arrive whole and in order, each after its serialisation and propagation on a clean link', () => {
    const { frames } = play(0, {});
    expect(frames).toHaveLength(300);
    const delays = frames.map((frame) => frame.deliveredAtUs - frame.writtenAtUs);
    // 15 004 bytes are 11 segments of at most 1500 bytes: 6.2 ms at 20 Mbit/s.
    expect(Math.min(...delays)).toBeGreaterThan(56_000);
    expect(Math.min(...delays)).toBeLessThan(57_000);
    expect(frames.every((frame, i) => frame.deliveredAtUs > (frames[i - 1]?.deliveredAtUs ?? 0))).toBe(true);
  });

  it('pile up without end at 5 % loss when nothing is skipped, and stay fresh when frames are (seed 4)', () => {
    const delayOf = (source: TcpFrameSource): number => {
      const arrived = source.frames.filter((frame) => frame.deliveredAtUs < Number.POSITIVE_INFINITY);
      return Math.max(...arrived.map((frame) => frame.deliveredAtUs - frame.writtenAtUs));
    };
    const patient = play(0.05, {});
    const live = play(0.05, { skipWhenBehindMs: 200 });
    expect(delayOf(patient)).toBeGreaterThan(10 * SECOND);
    expect(delayOf(live)).toBeLessThan(5 * SECOND);
    expect(live.frames).toHaveLength(300);
    expect(live.frames.filter((frame) => frame.isSkipped).length).toBeGreaterThan(100);
    expect(
      live.frames.every((frame) => frame.isSkipped === (frame.deliveredAtUs === Number.POSITIVE_INFINITY)),
    ).toBe(true);
  });

  it('fare the same, and are let go once they have arrived, where nobody keeps them (seed 4)', () => {
    const fates = (keepsFrames: boolean): readonly (readonly [number, number])[] => {
      const world = tcpWorld({ delayMs: 20, rateBps: 5e6, queue: { ms: 100 } }, { seed: 4 });
      const source = new TcpFrameSource(world.sim, world.flow, { keepsFrames, skipWhenBehindMs: 100 });
      const arrived: (readonly [number, number])[] = [];
      source.onFrame = ({ id, deliveredAtUs }) => arrived.push([id, deliveredAtUs]);
      world.flow.start();
      for (let id = 0; id < 4000; id++) {
        world.sim.schedule(SECOND + id * 4_000, () =>
          source.send(id, id % 1000 < 100 ? 8_000 : 1_000, false),
        );
      }
      world.sim.run(30 * SECOND);
      expect(source.frames).toHaveLength(keepsFrames ? 4000 : 0);
      return arrived;
    };
    const kept = fates(true);
    expect(kept.length).toBeGreaterThan(3000);
    expect(kept.length).toBeLessThan(4000);
    expect(fates(false)).toEqual(kept);
  });

  it('resume only at a key frame when they come encoded (seed 4)', () => {
    const { frames } = play(0.05, { skipWhenBehindMs: 200, resumesAtKeyFrame: true });
    const resumed = frames.filter((frame, i) => !frame.isSkipped && frames[i - 1]?.isSkipped === true);
    expect(resumed.length).toBeGreaterThan(0);
    expect(resumed.every((frame) => frame.isKeyFrame)).toBe(true);
  });
});
