import { describe, expect, it } from 'vitest';
import { Reader, Writer } from '../../src/base/bytes.ts';
import { NEVER } from '../../src/base/protocol.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { DUPLICATE_WINDOW, ReceivedPackets } from '../../src/recovery/received-packets.ts';
import { AckFrame } from '../../src/wire/ack.ts';
import { TokenKind } from '../../src/wire/frame-source.ts';

const MS = 1000;

/** Writes an ACK, parses it back. */
function ackFrom(
  received: ReceivedPackets,
  now: number,
  room = 1200,
): { ack: AckFrame; largest: number } | undefined {
  const bytes = new Uint8Array(room);
  const writer = new Writer().reset(bytes);
  let noted = -1;
  const note = (kind: number, a: number): void => {
    expect(kind).toBe(TokenKind.ACK);
    noted = a;
  };
  if (!received.writeAck(writer, { note }, now)) return undefined;
  const ack = new AckFrame();
  expect(ack.parse(new Reader().reset(bytes, 1, writer.at))).toBe(0);
  return { ack, largest: noted };
}

describe('when feedback leaves', () => {
  it('waits 25 ms after the first ack-eliciting packet', () => {
    const received = new ReceivedPackets();
    expect(received.ackDueAt()).toBe(NEVER);
    received.onPacket(0, true, 1 * MS);
    received.onPacket(1, true, 20 * MS);
    expect(received.ackDueAt()).toBe(26 * MS);
  });

  it('leaves at once after 16 ack-eliciting packets', () => {
    const received = new ReceivedPackets();
    for (let n = 0; n < 15; n++) received.onPacket(n, true, n);
    expect(received.ackDueAt()).toBe(25 * MS);
    received.onPacket(15, true, 15);
    expect(received.ackDueAt()).toBe(15);
  });

  it('leaves at once when a gap opens, and when a late packet closes one', () => {
    const received = new ReceivedPackets();
    received.onPacket(0, true, 0);
    received.onPacket(2, true, 100);
    expect(received.ackDueAt()).toBe(100);
    ackFrom(received, 100);
    expect(received.ackDueAt()).toBe(NEVER);
    received.onPacket(1, true, 300);
    expect(received.ackDueAt()).toBe(300);
  });

  it('never acknowledges acknowledgements', () => {
    const received = new ReceivedPackets();
    for (let n = 0; n < 200; n += 2) received.onPacket(n, false, n);
    expect(received.ackDueAt()).toBe(NEVER);
    expect(received.hasNews).toBe(true);
  });

  it('leaves at the end of a media frame, at most every 5 ms', () => {
    const received = new ReceivedPackets();
    received.onPacket(0, true, 10 * MS);
    received.onFrameEnd(10 * MS);
    expect(received.ackDueAt()).toBe(10 * MS);
    ackFrom(received, 10 * MS);
    received.onPacket(1, true, 12 * MS);
    received.onFrameEnd(12 * MS);
    expect(received.ackDueAt()).toBe(15 * MS);
    ackFrom(received, 15 * MS);
    received.onFrameEnd(16 * MS);
    expect(received.ackDueAt()).toBe(NEVER);
  });

  it('leaves at once in the Initial space, without times', () => {
    const received = new ReceivedPackets(0);
    received.onPacket(0, true, 5 * MS);
    expect(received.ackDueAt()).toBe(5 * MS);
    expect(ackFrom(received, 5 * MS)?.ack.timeCount).toBe(0);
  });
});

describe('what feedback says', () => {
  it('gives ranges, delay and the time of every packet since the last ACK', () => {
    const received = new ReceivedPackets();
    for (const n of [0, 1, 2, 5, 6]) received.onPacket(n, true, 1000 + n * 80);
    const first = ackFrom(received, 2000);
    expect(first?.largest).toBe(6);
    expect(first?.ack.delayUs).toBe(2000 - 1480);
    expect([...(first?.ack.starts ?? [])].slice(0, 2)).toEqual([5, 0]);
    expect([...(first?.ack.times ?? [])].slice(0, 5)).toEqual([1480, 1400, 1160, 1080, 1000]);
    received.onPacket(7, true, 3000);
    received.onPacket(8, true, 3008);
    const second = ackFrom(received, 3100);
    expect(second?.ack.timeCount).toBe(2);
    expect([...(second?.ack.times ?? [])].slice(0, 2)).toEqual([3008, 3000]);
  });

  it('gives at most 128 times however many packets came', () => {
    const received = new ReceivedPackets();
    for (let n = 0; n < 1000; n++) received.onPacket(n, true, n * 16);
    const { ack } = ackFrom(received, 16_000) ?? {};
    expect(ack?.timeCount).toBe(128);
    expect(ack?.times[127]).toBe((1000 - 128) * 16);
  });

  it('reaches back over a late packet, and no further than what it remembers', () => {
    const received = new ReceivedPackets();
    for (let n = 1; n <= 40; n++) received.onPacket(n, true, n * 8);
    ackFrom(received, 400);
    received.onPacket(0, true, 800);
    const { ack } = ackFrom(received, 900) ?? {};
    expect(ack?.timeCount).toBe(41);
    expect(ack?.times[40]).toBe(800);
  });

  it('holds at most 64 ranges', () => {
    const received = new ReceivedPackets();
    for (let n = 0; n < 1000; n += 2) received.onPacket(n, true, n);
    const { ack } = ackFrom(received, 1000) ?? {};
    expect(ack?.rangeCount).toBe(64);
    expect(ack?.largest).toBe(998);
  });

  it('drops what an acknowledged ACK has said, but never the largest', () => {
    const received = new ReceivedPackets();
    for (const n of [0, 2, 4, 6]) received.onPacket(n, true, n);
    const largest = ackFrom(received, 10)?.largest ?? -1;
    received.onPacket(8, true, 20);
    received.onAcked(largest);
    const { ack } = ackFrom(received, 30) ?? {};
    expect(ack?.rangeCount).toBe(2);
    expect([ack?.starts[0], ack?.starts[1]]).toEqual([8, 6]);
  });

  it('says nothing of a number that was refused, and knows it for a duplicate as long as any other', () => {
    const received = new ReceivedPackets();
    received.onPacket(0, true, 1 * MS);
    received.markSeen(1);
    received.markSeen(5);
    received.onPacket(4, true, 3 * MS);
    for (let n = 6; n < DUPLICATE_WINDOW; n++) received.markSeen(n);
    expect([0, 1, 2, 3, 4, 5, 6].map((n) => received.has(n))).toEqual([
      true,
      true,
      false,
      false,
      true,
      true,
      true,
    ]);
    const { ack } = ackFrom(received, 10 * MS) ?? {};
    expect(ack?.largest).toBe(4);
    expect(ack?.delayUs).toBe(7 * MS);
    expect([...(ack?.starts ?? [])].slice(0, ack?.rangeCount)).toEqual([4, 0]);
  });

  it('asks for an acknowledgement of its ACKs when none has come for long', () => {
    const received = new ReceivedPackets();
    for (let n = 0; n < 64; n++) {
      expect(received.wantsAckOfAck).toBe(false);
      received.onPacket(n, true, n);
      ackFrom(received, n);
    }
    expect(received.wantsAckOfAck).toBe(true);
    received.onAcked(10);
    expect(received.wantsAckOfAck).toBe(false);
  });

  it('writes nothing before anything has arrived, or without room', () => {
    const received = new ReceivedPackets();
    expect(ackFrom(received, 0)).toBe(undefined);
    received.onPacket(0, true, 0);
    expect(ackFrom(received, 0, 10)).toBe(undefined);
    expect(received.ackDueAt()).toBe(25 * MS);
  });
});

describe('duplicates', () => {
  it('are refused, also long after their ranges were pruned', () => {
    const received = new ReceivedPackets();
    for (let n = 0; n < 1000; n++) expect(received.onPacket(n, true, n)).toBe(true);
    received.onAcked(999);
    for (let n = 0; n < 1000; n++) expect(received.onPacket(n, true, n)).toBe(false);
    expect(received.duplicates).toBe(1000);
  });

  it('are told from late packets like a set of numbers would, over jumps of any size (seed 3)', () => {
    const random = new SeededRandom(3);
    const received = new ReceivedPackets();
    const seen = new Set<number>();
    let largest = -1;
    for (let i = 0; i < 20_000; i++) {
      const jump = random.unit() < 0.01 ? DUPLICATE_WINDOW * 1.5 * random.unit() : 40 * random.unit();
      const n = Math.max(0, Math.floor(largest + jump - 20));
      const isOld = n <= largest - DUPLICATE_WINDOW;
      expect(received.onPacket(n, true, i)).toBe(!isOld && !seen.has(n));
      seen.add(n);
      largest = Math.max(largest, n);
    }
  });

  it('include whatever is older than the window', () => {
    const received = new ReceivedPackets();
    received.onPacket(DUPLICATE_WINDOW + 10, true, 0);
    expect(received.has(10)).toBe(true);
    expect(received.has(11)).toBe(false);
  });
});
