/** Credit that a peer will soon need and may not have heard of rides with feedback until it is known to have arrived. */
import { describe, expect, it } from 'vitest';
import { FrameType } from '../../src/wire/frame-types.ts';
import { StreamFrame } from '../../src/wire/stream.ts';
import { type Packet, StreamEnd, smallLimits, testBytes } from '../helpers/stream-pair.ts';

/** Of the peer, a client. */
const FIRST = 2;

/** A server whose application reads at once whatever comes. */
class Reader {
  readonly end: StreamEnd = new StreamEnd(true, smallLimits);

  constructor() {
    this.end.set.applyPeerParameters(smallLimits);
  }

  receive(streamId: number, offset: number, length: number, isFin = false): void {
    const frame = new StreamFrame();
    frame.streamId = streamId;
    frame.offset = offset;
    frame.bytes = testBytes(streamId, offset, length);
    frame.isFin = isFin;
    expect(this.end.set.onStreamFrame(frame)).toBe(0);
    this.end.set.get(streamId)?.receive?.read();
  }

  /** The packet that carries the next feedback; its limits as [type, stream, value]. */
  feedback(): { packet: Packet | undefined; limits: number[][] } {
    this.end.set.onFeedback();
    const packet = this.end.poll(0);
    return { packet, limits: packet?.tokens.map(({ a, b, c }) => [b, a, c]) ?? [] };
  }
}

const { MAX_DATA, MAX_STREAM_DATA } = FrameType;

describe('the credit of a stream', () => {
  it('rides with every feedback while less than a quarter of the window is left of what is known', () => {
    const reader = new Reader();
    reader.receive(FIRST, 0, 4_000);
    expect(reader.feedback().limits).toEqual([[MAX_STREAM_DATA, FIRST, 10_000]]);
    // A third of the 6000 known is left: the loss of a frame would be found out in time.
    expect(reader.feedback().limits).toEqual([]);
    reader.receive(FIRST, 4_000, 600);
    expect(reader.feedback().limits).toEqual([[MAX_STREAM_DATA, FIRST, 10_600]]);
    expect(reader.feedback().limits).toEqual([[MAX_STREAM_DATA, FIRST, 10_600]]);
  });

  it('is not repeated once it has arrived', () => {
    const reader = new Reader();
    reader.receive(FIRST, 0, 5_000);
    const { packet, limits } = reader.feedback();
    expect(limits).toEqual([[MAX_STREAM_DATA, FIRST, 11_000]]);
    expect(reader.feedback().limits).toEqual(limits);
    reader.end.acked(packet as Packet, 0);
    expect(reader.feedback().limits).toEqual([]);
  });

  it('is not repeated for a stream whose end has come', () => {
    const reader = new Reader();
    reader.receive(FIRST, 0, 5_000);
    expect(reader.feedback().limits).toEqual([[MAX_STREAM_DATA, FIRST, 11_000]]);
    reader.receive(FIRST, 5_000, 10, true);
    expect(reader.feedback().limits.filter(([type]) => type === MAX_STREAM_DATA)).toEqual([]);
  });

  it('is not announced by feedback alone: half a window must be read first', () => {
    const reader = new Reader();
    reader.receive(FIRST, 0, 2_900);
    expect(reader.feedback().limits).toEqual([]);
  });
});

describe('the credit of the connection', () => {
  it('is repeated likewise', () => {
    const reader = new Reader();
    for (let i = 0; i < 3; i++) reader.receive(FIRST + 8 * i, 0, 5_500, true);
    const first = reader.feedback();
    expect(first.limits).toContainEqual([MAX_DATA, 0, 36_500]);
    expect(reader.feedback().limits).toEqual([[MAX_DATA, 0, 36_500]]);
    reader.end.acked(first.packet as Packet, 0);
    expect(reader.feedback().limits).toEqual([]);
  });
});

describe('streams that have ended', () => {
  it('leave no trace among those with credit under way', () => {
    const limits = { ...smallLimits, maxData: 1e7 };
    const end = new StreamEnd(true, limits);
    end.set.applyPeerParameters(limits);
    const receive = (id: number, length: number): void => {
      const frame = new StreamFrame();
      frame.streamId = id;
      frame.bytes = testBytes(id, 0, length);
      end.set.onStreamFrame(frame);
      end.set.get(id)?.receive?.read();
    };
    let id = FIRST;
    for (let i = 0; i < 1_000; i++, id += 8) {
      // The peer asks for credit and gives up; the next one may come once that is told.
      receive(id, 1);
      end.set.onStreamDataBlocked(id, 6_000);
      while (end.poll(0) !== undefined);
      end.set.onResetStream(id, 0, 1);
      end.set.get(id)?.receive?.read();
      while (end.poll(0) !== undefined);
    }
    expect(end.set.count).toBe(0);
    receive(id, 5_000);
    while (end.poll(0) !== undefined);
    end.set.onFeedback();
    expect(end.poll(0)?.tokens.map(({ a, b }) => [a, b])).toEqual([[id, MAX_STREAM_DATA]]);
  });
});

describe('a thousand streams with credit under way', () => {
  it('cost each feedback a few of them, and all have their turn', () => {
    const limits = { ...smallLimits, maxData: 1e7, maxStreamsUnidirectional: 1_000 };
    const end = new StreamEnd(true, limits);
    end.set.applyPeerParameters(limits);
    for (let i = 0; i < 1_000; i++) {
      const frame = new StreamFrame();
      frame.streamId = FIRST + 8 * i;
      frame.bytes = testBytes(frame.streamId, 0, 5_000);
      end.set.onStreamFrame(frame);
      end.set.get(frame.streamId)?.receive?.read();
    }
    while (end.poll(0) !== undefined);
    const repeated = new Set<number>();
    for (let i = 0; i < 250; i++) {
      end.set.onFeedback();
      const tokens = end.poll(0)?.tokens ?? [];
      expect(tokens.length).toBeLessThanOrEqual(4);
      for (const { a } of tokens) repeated.add(a);
    }
    expect(repeated.size).toBe(1_000);
  });
});
