/** One sender with a log of what it reports, and packets written and parsed one by one. */
import { expect } from 'vitest';
import { Reader, Writer } from '../../src/base/bytes.ts';
import { MILLISECOND } from '../../src/base/protocol.ts';
import { TrackSender } from '../../src/track/send.ts';
import type { MediaFrameOptions, Outcome, PathView, RedundancyPolicy } from '../../src/track/types.ts';
import { TrackAckFrame } from '../../src/wire/ack.ts';
import type { PacketRecord } from '../../src/wire/frame-source.ts';
import { FrameType } from '../../src/wire/frame-types.ts';
import { RepairFrame, SymbolFrame } from '../../src/wire/symbol.ts';
import { fixedPolicy } from './fixed-policy.ts';

const MS = MILLISECOND;
/** Room for frames in a datagram of 1200 bytes. */
export const ROOM = 1171;

/** Options of a media frame nothing is said of. */
export const PLAIN: MediaFrameOptions = { timestampUs: 0 };

/** A frame that was written: its token, and what it says. */
export interface Sent {
  readonly type: number;
  readonly b: number;
  readonly c: number;
  readonly bytes: number;
  readonly symbol?: SymbolFrame;
  readonly repair?: RepairFrame;
}

/** Track 4, latency 100 ms, RTT 40 ms without variance, no repair unless asked for. */
export class SenderProbe {
  readonly path: { -readonly [Key in keyof PathView]: PathView[Key] } = {
    smoothedRttUs: 40 * MS,
    rttVarianceUs: 0,
    oneWayDelayUs: 20 * MS,
    lossRatio: 0,
    heardAtUs: 0,
    packetUs: MS,
    maxPayloadBytes: ROOM,
  };
  readonly settled: [number, Outcome][] = [];
  readonly skips: [number, number][] = [];
  readonly log: string[] = [];
  activations = 0;
  readonly sender: TrackSender;

  constructor(policy: RedundancyPolicy = fixedPolicy(0), latencyUs: number = 100 * MS) {
    this.sender = new TrackSender({
      id: 4,
      kind: 'video',
      latencyUs,
      sendOrder: 0,
      weight: 1,
      activate: () => {
        this.activations++;
      },
      path: this.path,
      // A stand-in for the code: as long as the longest symbol, the row in every byte.
      repair: {
        encode: (symbols, first, count) =>
          Array.from({ length: count }, (_, i) =>
            new Uint8Array(Math.max(...symbols.map((symbol) => symbol.length))).fill(first + i),
          ),
      },
      policy,
      events: {
        onSettled: (_, id, outcome) => this.settled.push([id, outcome]),
        onSkip: (_, first, count) => this.skips.push([first, count]),
        onDrained: (sender) => this.log.push(`drained ${sender.nextSymbolId} ${sender.nextFrameId}`),
        onEnded: () => this.log.push('ended'),
        onTouched: () => {},
      },
    });
  }

  /** Writes one frame into a fresh packet with `room` bytes and parses it. */
  write(now: number, room: number = ROOM): Sent | undefined {
    const writer = new Writer().reset(new Uint8Array(room));
    let token: [number, number] = [0, 0];
    const record: PacketRecord = {
      note: (_kind, _a, b, c) => {
        token = [b, c];
      },
    };
    const bytes = this.sender.writeFrame(writer, record, now);
    if (bytes === 0) return undefined;
    const reader = new Reader().reset(writer.bytes, 0, writer.at);
    const type = reader.u8();
    const [b, c] = token;
    if (type >= FrameType.REPAIR) {
      const repair = new RepairFrame();
      expect(repair.parse(reader, type)).toBe(0);
      return { type, b, c, bytes, repair };
    }
    const symbol = new SymbolFrame();
    expect(symbol.parse(reader, type)).toBe(0);
    return { type, b, c, bytes, symbol };
  }

  writeAll(now: number): Sent[] {
    const all: Sent[] = [];
    for (let sent = this.write(now); sent !== undefined; sent = this.write(now)) all.push(sent);
    return all;
  }

  lose(sent: Sent | undefined, now: number): void {
    if (sent !== undefined) this.sender.onLost(sent.b, sent.c, now);
  }

  ack(sent: Sent | undefined, now: number): void {
    if (sent !== undefined) this.sender.onAcked(sent.b, sent.c, now);
  }
}

/** A TRACK_ACK with these ranges [start, end) and incomplete frames [first, missing]. */
export function trackAck(ranges: [number, number][], incomplete: [number, number][] = []): TrackAckFrame {
  const frame = new TrackAckFrame();
  frame.trackId = 4;
  frame.rangeCount = ranges.length;
  ranges.forEach(([start, end], i) => {
    frame.starts[i] = start;
    frame.ends[i] = end;
  });
  frame.incompleteCount = incomplete.length;
  incomplete.forEach(([first, missing], i) => {
    frame.firsts[i] = first;
    frame.missing[i] = missing;
  });
  return frame;
}
