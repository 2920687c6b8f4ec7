/** Drives a LossRecovery by hand: sends, acks by ranges, and keeps what it told owners and observer. */

import type { Random } from '../../src/base/random.ts';
import { LossRecovery } from '../../src/recovery/loss-recovery.ts';
import type { AckedSample, PacketObserver } from '../../src/recovery/observer.ts';
import { RttEstimator } from '../../src/recovery/rtt.ts';
import { PacketFlag } from '../../src/recovery/sent-packets.ts';
import { AckFrame } from '../../src/wire/ack.ts';
import { TOKEN_KINDS, TokenKind, type TokenOwner } from '../../src/wire/frame-source.ts';

/** Inclusive range of packet numbers. */
export type Range = readonly [number, number];

/** An ACK of `ranges` (any order, disjoint), with receive times for its highest numbers. */
export function ackOf(ranges: readonly Range[], times: readonly number[] = [], delayUs = 0): AckFrame {
  const ack = new AckFrame();
  const descending = [...ranges].sort((a, b) => b[0] - a[0]);
  ack.largest = descending[0]?.[1] ?? 0;
  ack.delayUs = delayUs;
  ack.rangeCount = descending.length;
  descending.forEach(([start, end], i) => {
    ack.starts[i] = start;
    ack.ends[i] = end;
  });
  ack.timeCount = times.length;
  times.forEach((time, i) => {
    ack.times[i] = time;
  });
  return ack;
}

export class RecoveryRig {
  readonly rtt: RttEstimator = new RttEstimator();
  readonly recovery: LossRecovery;
  /** Token `a` of what came back, in order. */
  readonly acked: number[] = [];
  readonly lost: number[] = [];
  readonly samples: AckedSample[] = [];
  readonly controllerLost: number[] = [];
  readonly spurious: number[] = [];
  readonly probeTimeouts: number[] = [];
  ackEnds = 0;

  constructor(options: { random?: Random; isAdaptive?: boolean } = {}) {
    const owner: TokenOwner = {
      onAcked: (a) => this.acked.push(a),
      onLost: (a) => this.lost.push(a),
    };
    const observer: PacketObserver = {
      onPacketSent() {},
      onPacketAcked: (packet) => this.samples.push({ ...packet }),
      onPacketLost: (packetNumber) => this.controllerLost.push(packetNumber),
      onSpuriousLoss: (packetNumber) => this.spurious.push(packetNumber),
      onAckEnd: () => {
        this.ackEnds++;
      },
      onProbeTimeout: (_now, count) => this.probeTimeouts.push(count),
    };
    this.recovery = new LossRecovery({
      rtt: this.rtt,
      owners: new Array<TokenOwner>(TOKEN_KINDS).fill(owner),
      observer,
      ...options,
    });
  }

  /** Sends one packet whose single token holds its own number. Returns the number. */
  send(
    now: number,
    flags: number = PacketFlag.ACK_ELICITING | PacketFlag.IN_FLIGHT,
    sizeBytes = 1200,
  ): number {
    const packetNumber = this.recovery.begin();
    this.recovery.record.note(TokenKind.STREAM, packetNumber, 0, 0);
    this.recovery.commit(flags, sizeBytes, now);
    return packetNumber;
  }

  /** Sends `count` packets, 1 ms apart. */
  sendMany(count: number, now: number, spacingUs = 1000): void {
    for (let i = 0; i < count; i++) this.send(now + i * spacingUs);
  }
}
