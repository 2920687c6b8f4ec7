import { describe, expect, it } from 'vitest';
import { WireError } from '../../src/base/errors.ts';
import { NEVER } from '../../src/base/protocol.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { PacketFlag, SENT_PACKETS_MAX } from '../../src/recovery/sent-packets.ts';
import { TokenKind } from '../../src/wire/frame-source.ts';
import { ackOf, RecoveryRig } from '../helpers/recovery-rig.ts';

const MS = 1000;

describe('acknowledgements by a hostile peer', () => {
  const COUNT = 20_000;
  const random = new SeededRandom(7);
  it.each<[string, (i: number) => number]>([
    ['begin one number later each time', (i) => 6 + i],
    ['begin one number earlier each time', (i) => COUNT - 2 - i],
    ['jump about, further on in all', (i) => 6 + (i ^ 5)],
    ['begin anywhere, seed 7', () => 6 + Math.floor(random.unit() * (COUNT - 8))],
  ])('cost no walk over everything remembered when they %s', (_how, startOf) => {
    const rig = new RecoveryRig();
    const { recovery } = rig;
    rig.sendMany(COUNT, 0, 1);
    // 0..4 are lost, and remembered for a while: everything above is too.
    recovery.onAckReceived(ackOf([[5, COUNT - 1]]), 50 * MS);
    expect(recovery.packetsRemembered).toBe(COUNT);
    expect(recovery.walkSteps).toBe(COUNT - 5);
    const acks = 3_000;
    for (let i = 0; i < acks; i++) recovery.onAckReceived(ackOf([[startOf(i), COUNT - 1]]), 50 * MS);
    const again = recovery.walkSteps - (COUNT - 5);
    expect(again).toBeLessThanOrEqual(COUNT + acks * Math.ceil(Math.log2(COUNT)));
  });
});

describe('acknowledgement', () => {
  it('hands tokens back once, in ascending order, and frees bytes in flight', () => {
    const rig = new RecoveryRig();
    rig.sendMany(5, 0);
    expect(rig.recovery.bytesInFlight).toBe(6000);
    expect(
      rig.recovery.onAckReceived(
        ackOf([
          [0, 1],
          [3, 4],
        ]),
        50 * MS,
      ),
    ).toBe(0);
    expect(rig.acked).toEqual([0, 1, 3, 4]);
    expect(rig.samples.map((sample) => sample.packetNumber)).toEqual([0, 1, 3, 4]);
    expect(rig.recovery.bytesInFlight).toBe(1200);
    rig.recovery.onAckReceived(
      ackOf([
        [0, 1],
        [3, 4],
      ]),
      51 * MS,
    );
    expect(rig.acked).toEqual([0, 1, 3, 4]);
    rig.recovery.onAckReceived(ackOf([[0, 4]]), 52 * MS);
    expect(rig.acked).toEqual([0, 1, 3, 4, 2]);
    expect(rig.recovery.bytesInFlight).toBe(0);
    expect(rig.recovery.nextDeadline()).toBe(NEVER);
  });

  it('gives each packet its own receive time, across the wrap of 32 bits', () => {
    const rig = new RecoveryRig();
    rig.sendMany(4, 0);
    const low = 2 ** 32 - 1000;
    rig.recovery.onAckReceived(ackOf([[0, 1]], [low, low - 400]), 50 * MS);
    rig.recovery.onAckReceived(
      ackOf(
        [
          [0, 0],
          [2, 3],
        ],
        [500, -100],
      ),
      51 * MS,
    );
    expect(rig.samples.map((sample) => sample.receivedAtUs)).toEqual([low - 400, low, low + 900, low + 1500]);
  });

  it('reports NaN for packets whose receive time the ACK leaves out', () => {
    const rig = new RecoveryRig();
    rig.sendMany(3, 0);
    rig.recovery.onAckReceived(ackOf([[0, 2]], [700, 600]), 50 * MS);
    expect(rig.samples.map((sample) => sample.receivedAtUs)).toEqual([Number.NaN, 600, 700]);
  });

  it('takes the round trip from the largest packet only when that is newly acked', () => {
    const rig = new RecoveryRig();
    rig.sendMany(3, 0);
    rig.recovery.onAckReceived(ackOf([[2, 2]]), 42 * MS);
    expect(rig.rtt.latestUs).toBe(40 * MS);
    rig.recovery.onAckReceived(ackOf([[1, 2]]), 80 * MS);
    expect(rig.rtt.latestUs).toBe(40 * MS);
  });

  it('refuses an ACK of a packet that was never sent', () => {
    const rig = new RecoveryRig();
    rig.sendMany(2, 0);
    expect(rig.recovery.onAckReceived(ackOf([[0, 2]]), MS)).toBe(WireError.PROTOCOL_VIOLATION);
  });

  it('refuses an ACK of a packet number that was left out, even when the ring has forgotten it (seed 7)', () => {
    for (const isLate of [false, true]) {
      const rig = new RecoveryRig({ random: new SeededRandom(7) });
      let previous = -1;
      let left = -1;
      for (let i = 0; i < 600 && left < 0; i++) {
        const packetNumber = rig.send(i);
        if (packetNumber !== previous + 1) left = packetNumber - 1;
        previous = packetNumber;
      }
      expect(left).toBeGreaterThan(127);
      expect(left).toBeLessThan(400);
      if (isLate) {
        const honest = ackOf([
          [0, left - 1],
          [left + 1, previous],
        ]);
        expect(rig.recovery.onAckReceived(honest, 10 * MS)).toBe(0);
        expect(rig.recovery.packetsRemembered).toBe(0);
      }
      expect(rig.recovery.onAckReceived(ackOf([[0, previous]]), 11 * MS)).toBe(WireError.PROTOCOL_VIOLATION);
    }
  });

  it('marks samples app-limited from the moment nobody had data until a packet sent after it is acked', () => {
    const rig = new RecoveryRig();
    rig.send(0);
    rig.recovery.onAppLimited();
    rig.send(1 * MS);
    rig.recovery.onAckReceived(ackOf([[0, 0]]), 20 * MS);
    rig.send(21 * MS);
    rig.recovery.onAckReceived(ackOf([[0, 1]]), 22 * MS);
    rig.send(23 * MS);
    rig.recovery.onAckReceived(ackOf([[0, 3]]), 50 * MS);
    expect(rig.samples.map((sample) => sample.isAppLimited)).toEqual([false, true, true, false]);
  });
});

describe('loss', () => {
  it('declares a packet lost when three later ones are acked', () => {
    const rig = new RecoveryRig();
    rig.sendMany(5, 0);
    rig.recovery.onAckReceived(ackOf([[1, 2]]), 40 * MS);
    expect(rig.lost).toEqual([]);
    rig.recovery.onAckReceived(ackOf([[1, 3]]), 41 * MS);
    expect(rig.lost).toEqual([0]);
    expect(rig.controllerLost).toEqual([0]);
    expect(rig.recovery.bytesInFlight).toBe(1200);
  });

  it('declares a packet lost 9/8 of a round trip after it left, by timer', () => {
    const rig = new RecoveryRig();
    rig.sendMany(2, 0);
    rig.recovery.onAckReceived(ackOf([[1, 1]]), 41 * MS);
    expect(rig.recovery.nextDeadline()).toBe(45 * MS);
    rig.recovery.onTimeout(44 * MS);
    expect(rig.lost).toEqual([]);
    rig.recovery.onTimeout(45 * MS);
    expect(rig.lost).toEqual([0]);
    expect(rig.ackEnds).toBe(2);
  });

  it('counts runs of losses in packet order', () => {
    const rig = new RecoveryRig();
    rig.sendMany(20, 0);
    rig.recovery.onAckReceived(
      ackOf([
        [0, 3],
        [7, 9],
        [11, 19],
      ]),
      60 * MS,
    );
    const { statistics } = rig.recovery;
    expect([statistics.lost, statistics.runs, statistics.acked]).toEqual([4, 2, 16]);
    expect(statistics.burstMean).toBe(2);
    expect(statistics.lossRatio).toBeCloseTo(4 / 20);
    expect(statistics.lastRun).toBe(1);
  });

  it('never declares packets of ACKs only lost, and forgets them by age', () => {
    const rig = new RecoveryRig();
    for (let i = 0; i < 5000; i++) rig.send(i * 10 * MS, 0, 50);
    expect(rig.recovery.packetsRemembered).toBeLessThan(100);
    expect(rig.lost).toEqual([]);
    expect(rig.recovery.bytesInFlight).toBe(0);
  });
});

describe('reordering', () => {
  function reordered(isAdaptive: boolean): RecoveryRig {
    const rig = new RecoveryRig({ isAdaptive });
    rig.sendMany(10, 0);
    rig.recovery.onAckReceived(ackOf([[1, 4]]), 44 * MS);
    expect(rig.lost).toEqual([0]);
    rig.recovery.onAckReceived(ackOf([[0, 5]]), 48 * MS);
    return rig;
  }

  it('takes a loss back when the packet is acked late', () => {
    const rig = reordered(true);
    expect(rig.spurious).toEqual([0]);
    expect(rig.acked).toContain(0);
    expect(rig.recovery.bytesInFlight).toBe(4800);
    expect(rig.recovery.statistics.lost).toBe(0);
    expect(rig.recovery.statistics.runs).toBe(0);
    expect(rig.samples.map((sample) => sample.packetNumber)).not.toContain(0);
  });

  it('waits from then on: no packet threshold, and a time window as long as the packet was late', () => {
    const rig = reordered(true);
    // Acked 48 ms after it left, over a round trip of 40 ms.
    expect(rig.recovery.reordering.windowUs).toBe(9 * MS);
    rig.sendMany(10, 100 * MS);
    rig.recovery.onAckReceived(
      ackOf([
        [0, 9],
        [11, 19],
      ]),
      140 * MS,
    );
    expect(rig.lost).toEqual([0]);
    expect(rig.recovery.nextDeadline()).toBeGreaterThan(140 * MS);
    rig.recovery.onTimeout(rig.recovery.nextDeadline());
    expect(rig.lost).toEqual([0, 10]);
  });

  it('learns nothing where that is not wanted', () => {
    expect(reordered(false).recovery.reordering.windowUs).toBe(0);
  });

  it('never waits longer than a smoothed round trip, and forgets after many losses without reordering', () => {
    const rig = reordered(true);
    const { reordering } = rig.recovery;
    reordering.onLateAck(900 * MS, 50 * MS);
    expect(reordering.windowUs).toBe(50 * MS);
    for (let i = 0; i < 16 * 40 && reordering.windowUs > 0; i++) reordering.onLossEpisode(50 * MS);
    expect(reordering.windowUs).toBe(0);
    expect(reordering.packetThreshold).toBe(3);
  });
});

describe('probe timeout', () => {
  it('starts at 200 ms, doubles, and stays at one probe a second', () => {
    const rig = new RecoveryRig();
    rig.send(0);
    const gaps: number[] = [];
    let last = 0;
    for (let i = 0; i < 6; i++) {
      const due = rig.recovery.nextDeadline();
      gaps.push(Math.round((due - last) / MS));
      rig.recovery.onTimeout(due);
      last = due;
    }
    expect(gaps).toEqual([200, 400, 800, 1000, 1000, 1000]);
    expect(rig.probeTimeouts).toEqual([1, 2, 3, 4, 5, 6]);
  });

  it('comes once a second for four minutes, then ever more rarely: three thousand times in six weeks', () => {
    const rig = new RecoveryRig();
    rig.send(0);
    const gapAfter = (untilUs: number): number => {
      let due = rig.recovery.nextDeadline();
      for (; due < untilUs; due = rig.recovery.nextDeadline()) rig.recovery.onTimeout(due);
      rig.recovery.onTimeout(due);
      return (rig.recovery.nextDeadline() - due) / MS;
    };
    expect(gapAfter(250_000 * MS)).toBe(1_000);
    expect(gapAfter(2_560_000 * MS)).toBeCloseTo(10_000, -3);
    gapAfter(6 * 7 * 86_400_000 * MS);
    expect(rig.probeTimeouts.length).toBeLessThan(3_000);
  });

  it('lets owners of the oldest packets resend, while the controller hears of no loss', () => {
    const rig = new RecoveryRig();
    rig.sendMany(4, 0);
    rig.recovery.onTimeout(rig.recovery.nextDeadline());
    expect(rig.lost).toEqual([0, 1]);
    expect(rig.controllerLost).toEqual([]);
    expect(rig.recovery.bytesInFlight).toBe(4800);
    expect(rig.recovery.probesDue).toBe(1);
    rig.send(300 * MS);
    expect(rig.recovery.probesDue).toBe(0);
  });

  it('hands tokens back as lost only once, when a probed packet is lost after all', () => {
    const rig = new RecoveryRig();
    rig.sendMany(2, 0);
    rig.recovery.onTimeout(rig.recovery.nextDeadline());
    // The probe: number 2 is left out, so that the peer sees a gap.
    expect(rig.send(300 * MS)).toBe(3);
    rig.recovery.onAckReceived(ackOf([[3, 3]]), 340 * MS);
    expect(rig.lost).toEqual([0, 1]);
    expect(rig.controllerLost).toEqual([0, 1]);
    expect(rig.recovery.probeTimeoutCount).toBe(0);
  });

  it('notices silence although packets keep leaving', () => {
    const rig = new RecoveryRig();
    for (let i = 0; i < 40; i++) {
      rig.send(i * 10 * MS);
      rig.recovery.onTimeout(i * 10 * MS);
    }
    expect(rig.recovery.probeTimeoutCount).toBe(1);
  });
});

describe('limits', () => {
  it('stops at 2^18 remembered packets, and goes on when they are acked', () => {
    const rig = new RecoveryRig();
    while (rig.recovery.canSend()) rig.send(0);
    expect(rig.recovery.packetsRemembered).toBe(SENT_PACKETS_MAX);
    rig.recovery.onAckReceived(ackOf([[0, 1000]]), 10 * MS);
    expect(rig.recovery.canSend()).toBe(true);
  });

  it('forgets lost packets early when they alone fill the ring', () => {
    const rig = new RecoveryRig();
    while (rig.recovery.canSend()) rig.send(0);
    rig.recovery.onAckReceived(ackOf([[SENT_PACKETS_MAX - 1, SENT_PACKETS_MAX - 1]]), 10 * MS);
    expect(rig.recovery.canSend()).toBe(true);
    // The last two before the acked one are within the packet threshold.
    expect(rig.lost.length).toBe(SENT_PACKETS_MAX - 3);
  });

  it('keeps the tokens of 1000 frames of one packet through growth', () => {
    const rig = new RecoveryRig();
    for (let n = 0; n < 20; n++) {
      rig.recovery.begin();
      for (let i = 0; i < 1000; i++) rig.recovery.record.note(TokenKind.STREAM, n * 1000 + i, 0, 0);
      rig.recovery.commit(PacketFlag.ACK_ELICITING | PacketFlag.IN_FLIGHT, 1200, 0);
    }
    rig.recovery.onAckReceived(ackOf([[0, 19]]), 10 * MS);
    expect(rig.acked).toEqual(Array.from({ length: 20_000 }, (_, i) => i));
  });

  it('takes an empty packet back', () => {
    const rig = new RecoveryRig();
    const packetNumber = rig.recovery.begin();
    rig.recovery.record.note(TokenKind.STREAM, 99, 0, 0);
    rig.recovery.cancel();
    expect(rig.send(0)).toBe(packetNumber);
    rig.recovery.onAckReceived(ackOf([[0, 0]]), MS);
    expect(rig.acked).toEqual([0]);
  });

  it('is silent once discarded', () => {
    const rig = new RecoveryRig();
    rig.sendMany(3, 0);
    rig.recovery.discard();
    expect(rig.recovery.nextDeadline()).toBe(NEVER);
    expect(rig.recovery.bytesInFlight).toBe(0);
    expect(rig.recovery.onAckReceived(ackOf([[0, 2]]), MS)).toBe(0);
    expect(rig.acked).toEqual([]);
  });
});

describe('size probes', () => {
  it('are lost without a word to controller or statistics', () => {
    const rig = new RecoveryRig();
    rig.send(0, PacketFlag.ACK_ELICITING | PacketFlag.IN_FLIGHT | PacketFlag.SIZE_PROBE, 1452);
    rig.sendMany(4, MS);
    rig.recovery.onAckReceived(ackOf([[1, 4]]), 40 * MS);
    expect(rig.lost).toEqual([0]);
    expect(rig.controllerLost).toEqual([]);
    expect(rig.recovery.statistics.lost).toBe(0);
    expect(rig.recovery.bytesInFlight).toBe(0);
  });
});
