/** The parts of streams by themselves: frames of a sending half, the send buffer, reassembly. */
import { describe, expect, it } from 'vitest';
import { Reader, Writer } from '../../src/base/bytes.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { SLACK_BYTES_MAX } from '../../src/base/slack.ts';
import { Reassembly, ReassemblyBudget } from '../../src/stream/reassembly.ts';
import type { SendStream } from '../../src/stream/send.ts';
import { ChunkPool, SendBuffer } from '../../src/stream/send-buffer.ts';
import { isServerStream, streamId, streamKind, streamNumber } from '../../src/stream/stream-id.ts';
import { defaultStreamLimits } from '../../src/stream/types.ts';
import { FrameType } from '../../src/wire/frame-types.ts';
import { StreamFrame } from '../../src/wire/stream.ts';
import { byteAt, StreamEnd, smallLimits, testBytes } from '../helpers/stream-pair.ts';

interface Sent {
  readonly offset: number;
  readonly length: number;
  readonly isFin: boolean;
}

/** A client with one stream, whose STREAM frames are made one at a time. */
function sender(limits: typeof smallLimits = defaultStreamLimits): {
  end: StreamEnd;
  send: SendStream;
  next: (room?: number) => Sent | undefined;
} {
  const end = new StreamEnd(false, limits);
  end.set.applyPeerParameters(limits);
  const send = end.set.open('unidirectional') as SendStream;
  const next = (room = 1200): Sent | undefined => {
    let sent: Sent | undefined;
    const note = (_kind: number, _id: number, offset: number, c: number): void => {
      sent = { offset, length: Math.floor(c / 2), isFin: c % 2 === 1 };
    };
    send.writeFrame(new Writer().reset(new Uint8Array(room)), { note }, 0);
    return sent;
  };
  return { end, send, next };
}

describe('a stream frame', () => {
  it('is whole or fills its packet, whatever the room and the length', () => {
    for (let length = 0; length <= 70; length++) {
      for (let room = Math.max(0, length - 3); room <= length + 8; room++) {
        const { send } = sender();
        send.write(testBytes(send.id, 0, length));
        send.finish();
        const writer = new Writer().reset(new Uint8Array(room));
        const written = send.writeFrame(writer, { note() {} }, 0);
        expect(written).toBe(writer.at);
        // No OFF at offset 0: two bytes of header without a length.
        expect(written > 0).toBe(room >= length + 2);
        if (written === 0) continue;
        const reader = new Reader().reset(writer.bytes, 0, writer.at);
        let type = reader.u8();
        while (type === FrameType.PADDING) type = reader.u8();
        const frame = new StreamFrame();
        expect(frame.parse(reader, type)).toBe(0);
        expect(reader.remaining).toBe(0);
        expect([frame.bytes.length, frame.isFin]).toEqual([length, true]);
        // A frame without length must end the packet.
        if ((type & 2) === 0) expect(writer.room).toBe(0);
        expect([...frame.bytes]).toEqual([...testBytes(send.id, 0, length)]);
      }
    }
  });

  it('is not begun for a crumb at the end of a packet', () => {
    const { send, next } = sender();
    send.write(new Uint8Array(5000));
    expect(next(100)).toBeUndefined();
    expect(next(200)).toEqual({ offset: 0, length: 198, isFin: false });
  });

  it('carries lost bytes before new ones, lowest first, and joins them', () => {
    const { send, next } = sender();
    send.write(new Uint8Array(5000));
    for (let i = 0; i < 4; i++) next(302);
    send.onFrameLost(600, 300, false);
    send.onFrameLost(0, 300, false);
    send.onFrameLost(300, 300, false);
    expect(next()).toMatchObject({ offset: 0, length: 900 });
    expect(next()?.offset).toBeGreaterThan(1100);
  });

  it('does not carry what has been acknowledged, before or after it was taken to be lost', () => {
    const { send, next } = sender();
    send.write(new Uint8Array(2000));
    expect([next(1002), next()]).toMatchObject([
      { offset: 0, length: 1000 },
      { offset: 1000, length: 1000 },
    ]);
    send.onFrameLost(0, 1000, false);
    send.onFrameAcked(0, 1000, false);
    expect(next()).toBeUndefined();
    send.onFrameAcked(1000, 1000, false);
    send.onFrameLost(1000, 1000, false);
    expect(next()).toBeUndefined();
  });

  it('beyond a hole in the acknowledgements is treated alike', () => {
    const { send, next } = sender();
    send.write(new Uint8Array(4000));
    while (next() !== undefined);
    const sent = send.sentOffset;
    send.onFrameLost(1000, 1000, false);
    send.onFrameAcked(1000, 1000, false);
    expect(next()).toBeUndefined();
    send.onFrameAcked(3000, sent - 3000, false);
    send.onFrameLost(3000, sent - 3000, false);
    expect([send.hasData(0), send.ackedOffset]).toEqual([false, 0]);
    send.onFrameLost(2000, 1000, false);
    expect(next()).toEqual({ offset: 2000, length: 1000, isFin: false });
  });

  it('that was resent in other pieces may be lost and acknowledged in any order', () => {
    const { send, next } = sender();
    send.write(testBytes(send.id, 0, 1000));
    send.finish();
    expect(next()).toEqual({ offset: 0, length: 1000, isFin: true });
    send.onFrameLost(0, 1000, true);
    expect(next(400)).toEqual({ offset: 0, length: 398, isFin: false });
    expect(next()).toEqual({ offset: 398, length: 602, isFin: true });
    send.onFrameAcked(398, 602, true);
    // Partly acknowledged: the whole is due again, until the front is acknowledged too.
    send.onFrameLost(0, 1000, true);
    send.onFrameAcked(0, 398, false);
    expect([send.isDone, send.ackedOffset, next()]).toEqual([true, 1000, undefined]);
  });

  it('tells the end again when it was lost alone', () => {
    const { send, next } = sender();
    send.write(new Uint8Array(10));
    next();
    send.finish();
    expect(next()).toEqual({ offset: 10, length: 0, isFin: true });
    expect(next()).toBeUndefined();
    send.onFrameLost(10, 0, true);
    expect(next()).toEqual({ offset: 10, length: 0, isFin: true });
    send.onFrameAcked(10, 0, true);
    expect(send.isDone).toBe(false);
    send.onFrameAcked(0, 10, false);
    expect(send.isDone).toBe(true);
  });

  it('uses credit once, however often its bytes are sent', () => {
    const { end, send, next } = sender(smallLimits);
    send.write(new Uint8Array(6000));
    for (let i = 0; i < 7; i++) next(1003);
    for (let i = 0; i < 50; i++) {
      send.onFrameLost(0, 1000, false);
      expect(next(1002)?.length).toBe(1000);
    }
    expect(end.set.counters).toMatchObject({ sentBytes: 6000, resentBytes: 50_000 });
    expect(send.sentOffset).toBe(6000);
  });

  it('of a stream that finds the connection credit taken by another one: it says so', () => {
    const { end, send } = sender(smallLimits);
    const others = [1, 2, 3].map(() => end.set.open('unidirectional') as SendStream);
    send.write(new Uint8Array(5000));
    for (const other of others) other.write(new Uint8Array(other === others[2] ? 8000 : 6000));
    end.set.onMaxStreamData((others[2] as SendStream).id, 8000);
    for (const other of others) {
      const writer = new Writer().reset(new Uint8Array(9000));
      while (other.writeFrame(writer, { note() {} }, 0) > 0);
    }
    expect(end.set.wantsToSend(0)).toBe(false);
    expect(send.hasData(0)).toBe(false);
    expect(end.poll(0)?.tokens.map(({ b, c }) => [b, c])).toEqual([[0x14, 20_000]]);
  });
});

describe('the send buffer', () => {
  it('gives back any range of a long stream while the front is freed (seed 5)', () => {
    const random = new SeededRandom(5);
    const buffer = new SendBuffer(new ChunkPool());
    let acked = 0;
    const out = new Writer();
    while (buffer.end < 12_000_000) {
      buffer.append(testBytes(0, buffer.end, 1 + Math.floor(random.unit() * 200_000)));
      for (let i = 0; i < 20; i++) {
        const offset = acked + Math.floor(random.unit() * (buffer.end - acked));
        const length = Math.min(buffer.end - offset, 1 + Math.floor(random.unit() * 2000));
        if (length === 0) continue;
        out.reset(new Uint8Array(length));
        buffer.copyTo(out, offset, length);
        expect([out.bytes[0], out.bytes[length - 1]]).toEqual([
          byteAt(0, offset),
          byteAt(0, offset + length - 1),
        ]);
      }
      if (buffer.end - acked > 1_000_000) {
        acked = buffer.end - Math.floor(random.unit() * 900_000);
        buffer.release(acked);
      }
    }
  });
});

describe('reassembly', () => {
  /** Reads everything, checks it, and returns the number of pieces. */
  function readPieces(pieces: Reassembly, id: number): number {
    let count = 0;
    let at = pieces.readOffset;
    for (let piece = pieces.take(); piece !== undefined; piece = pieces.take()) {
      count++;
      for (const byte of piece) if (byte !== byteAt(id, at++)) throw new Error(`wrong byte at ${at - 1}`);
    }
    return count;
  }

  it('keeps views: bytes are not copied in order', () => {
    const pieces = new Reassembly(new ReassemblyBudget());
    const datagram = testBytes(0, 0, 1200);
    pieces.insert(0, datagram.subarray(0, 1100));
    expect(pieces.take()?.buffer).toBe(datagram.buffer);
  });

  it('gives every byte once for any order, overlap and repetition (seed 9)', () => {
    const random = new SeededRandom(9);
    for (let round = 0; round < 60; round++) {
      const budget = new ReassemblyBudget();
      const pieces = new Reassembly(budget);
      const size = 400;
      const seen = new Uint8Array(size);
      let distinct = 0;
      while (distinct < size) {
        const offset = Math.floor(random.unit() * size);
        const length = Math.min(size - offset, Math.floor(random.unit() * 40));
        let fresh = 0;
        for (let i = offset; i < offset + length; i++) fresh += 1 - (seen[i] as number);
        seen.fill(1, offset, offset + length);
        distinct += fresh;
        expect(pieces.insert(offset, testBytes(3, offset, length))).toBe(fresh);
        if (random.unit() < 0.2) readPieces(pieces, 3);
      }
      readPieces(pieces, 3);
      expect([pieces.readOffset, pieces.bufferedBytes, pieces.gapCount, budget.gaps]).toEqual([
        size,
        0,
        0,
        0,
      ]);
      expect(budget.slackBytes).toBe(0);
    }
  });

  it('copies out of big buffers once views would keep too much memory alive', () => {
    const budget = new ReassemblyBudget();
    const pieces = new Reassembly(budget);
    const copies: boolean[] = [];
    for (let i = 0; i < 400; i++) {
      const slab = new Uint8Array(65_536);
      slab.set(testBytes(0, i * 600, 600), 1000);
      pieces.insert(i * 600, slab.subarray(1000, 1600));
      expect(budget.slackBytes).toBeLessThanOrEqual(SLACK_BYTES_MAX);
    }
    for (let piece = pieces.take(); piece !== undefined; piece = pieces.take())
      copies.push(piece.buffer.byteLength === 600);
    expect(copies.filter((isCopy) => !isCopy).length).toBe(Math.floor(SLACK_BYTES_MAX / (65_536 - 600)));
    expect(copies.at(-1)).toBe(true);
    expect(budget.slackBytes).toBe(0);
  });

  it('merges a crumbled stream: bookkeeping is bounded by its bytes', () => {
    const pieces = new Reassembly(new ReassemblyBudget());
    for (let i = 0; i < 20_000; i++) pieces.insert(i, testBytes(0, i, 1));
    expect(readPieces(pieces, 0)).toBeLessThan(64 + 20_000 / 256 + 2);
    // Backwards, beyond a gap: every byte is put before the one that came last.
    for (let i = 60_000; i > 20_001; i--) pieces.insert(i, testBytes(0, i, 1));
    expect(pieces.gapCount).toBe(1);
    pieces.insert(20_000, testBytes(0, 20_000, 2));
    expect(readPieces(pieces, 0)).toBeLessThan(64 + 40_000 / 256 + 4);
    expect(pieces.readOffset).toBe(60_001);
  });

  it('gives gaps that were filled back to all streams', () => {
    const budget = new ReassemblyBudget();
    for (let round = 0; round < 40; round++) {
      const pieces = new Reassembly(budget);
      for (let i = 1; i <= 1000; i++) pieces.insert(i * 2, testBytes(0, i * 2, 1));
      expect(budget.gaps).toBe(1000);
      pieces.insert(0, testBytes(0, 0, 2001));
      expect(budget.gaps).toBe(0);
    }
  });
});

describe('a stream ID', () => {
  it('says number, kind and opener, up to 53 bits', () => {
    for (const number of [0, 1, 1000, 2 ** 40, 2 ** 50 - 1]) {
      for (const kind of ['bidirectional', 'unidirectional', 'track'] as const) {
        for (const isFromServer of [false, true]) {
          const id = streamId(kind, number, isFromServer);
          expect([streamNumber(id), streamKind(id), isServerStream(id)]).toEqual([
            number,
            kind,
            isFromServer,
          ]);
        }
      }
    }
    expect(streamKind(4)).toBeUndefined();
  });
});
