/** What a hostile, broken or slow peer cannot do: every bound of streams, frame by frame. */
import { describe, expect, it } from 'vitest';
import { WireError } from '../../src/base/errors.ts';
import { REFUSED } from '../../src/stream/receive.ts';
import type { SendStream } from '../../src/stream/send.ts';
import { defaultStreamLimits, type StreamLimits } from '../../src/stream/types.ts';
import { StreamFrame } from '../../src/wire/stream.ts';
import { StreamEnd, smallLimits, testBytes } from '../helpers/stream-pair.ts';

/** IDs of the peer (a client): bidirectional, unidirectional, track; of us (the server): + 1. */
const BIDIRECTIONAL = 0;
const UNIDIRECTIONAL = 2;
const TRACK = 6;

function server(limits: StreamLimits = smallLimits): StreamEnd {
  const end = new StreamEnd(true, limits);
  end.set.applyPeerParameters(limits);
  return end;
}

function frame(streamId: number, offset: number, length: number, isFin = false): StreamFrame {
  const made = new StreamFrame();
  made.streamId = streamId;
  made.offset = offset;
  made.bytes = testBytes(streamId, offset, length);
  made.isFin = isFin;
  return made;
}

describe('flow control', () => {
  it('catches a peer that sends beyond the credit of a stream', () => {
    const end = server();
    expect(end.set.onStreamFrame(frame(UNIDIRECTIONAL, 5_999, 1))).toBe(0);
    expect(end.set.onStreamFrame(frame(UNIDIRECTIONAL, 6_000, 1))).toBe(WireError.FLOW_CONTROL_ERROR);
  });

  it('catches a peer that sends beyond the credit of the connection, holes counted', () => {
    const end = server();
    for (let i = 0; i < 3; i++) expect(end.set.onStreamFrame(frame(i * 8, 5_999, 1))).toBe(0);
    expect(end.set.onStreamFrame(frame(24, 1_999, 1))).toBe(0);
    expect(end.set.onStreamFrame(frame(24, 2_000, 1))).toBe(WireError.FLOW_CONTROL_ERROR);
  });

  it('counts the final size of a reset', () => {
    const end = server();
    expect(end.set.onResetStream(UNIDIRECTIONAL, 1, 6_001)).toBe(WireError.FLOW_CONTROL_ERROR);
    for (let i = 0; i < 3; i++) end.set.onStreamFrame(frame(i * 8, 5_999, 1));
    expect(end.set.onResetStream(UNIDIRECTIONAL, 1, 2_001)).toBe(WireError.FLOW_CONTROL_ERROR);
    expect(end.set.onResetStream(UNIDIRECTIONAL, 1, 2_000)).toBe(0);
  });

  it('counts the bytes that a reset skips, until MAX_DATA gives them back', () => {
    const end = server();
    for (let i = 0; i < 3; i++) expect(end.set.onResetStream(i * 8 + 2, 1, 6_000)).toBe(0);
    expect(end.set.onStreamFrame(frame(26, 2_000, 1))).toBe(WireError.FLOW_CONTROL_ERROR);
    expect(end.poll(0)?.tokens.map(({ b, c }) => [b, c])).toContainEqual([0x10, 38_000]);
    expect(end.set.onStreamFrame(frame(26, 2_000, 1))).toBe(0);
  });

  it('an offset near 2^53 is a violation, not an overflow', () => {
    const end = server();
    expect(end.set.onStreamFrame(frame(0, Number.MAX_SAFE_INTEGER - 1, 1))).toBe(
      WireError.FLOW_CONTROL_ERROR,
    );
    expect(end.set.onResetStream(0, 0, Number.MAX_SAFE_INTEGER)).toBe(WireError.FLOW_CONTROL_ERROR);
  });

  it('a lower MAX_DATA or MAX_STREAM_DATA takes nothing back', () => {
    const end = server();
    const send = end.set.open('bidirectional') as SendStream;
    expect(end.set.onMaxStreamData(send.id, 10)).toBe(0);
    expect(end.set.onMaxData(10)).toBe(0);
    expect(send.write(new Uint8Array(1000))).toBe(1000);
    expect(end.poll(0)?.tokens).toMatchObject([{ kind: 5, b: 0, c: 2000 }]);
  });
});

describe('a final size', () => {
  it('cannot be exceeded', () => {
    const end = server();
    expect(end.set.onStreamFrame(frame(UNIDIRECTIONAL, 100, 10, true))).toBe(0);
    expect(end.set.onStreamFrame(frame(UNIDIRECTIONAL, 105, 6))).toBe(WireError.FINAL_SIZE_ERROR);
  });

  it('cannot change, by an end or by a reset', () => {
    const end = server();
    end.set.onStreamFrame(frame(UNIDIRECTIONAL, 100, 10, true));
    expect(end.set.onStreamFrame(frame(UNIDIRECTIONAL, 100, 9, true))).toBe(WireError.FINAL_SIZE_ERROR);
    expect(end.set.onResetStream(UNIDIRECTIONAL, 1, 109)).toBe(WireError.FINAL_SIZE_ERROR);
    expect(end.set.onResetStream(UNIDIRECTIONAL, 1, 111)).toBe(WireError.FINAL_SIZE_ERROR);
    expect(end.set.onStreamFrame(frame(UNIDIRECTIONAL, 100, 10, true))).toBe(0);
  });

  it('cannot be below what has arrived', () => {
    const end = server();
    end.set.onStreamFrame(frame(UNIDIRECTIONAL, 100, 10));
    expect(end.set.onStreamFrame(frame(UNIDIRECTIONAL, 0, 109, true))).toBe(WireError.FINAL_SIZE_ERROR);
    expect(end.set.onResetStream(UNIDIRECTIONAL, 1, 109)).toBe(WireError.FINAL_SIZE_ERROR);
  });

  it('stays what it was when a reset follows an end with bytes missing: the reset wins', () => {
    const end = server();
    end.set.onStreamFrame(frame(UNIDIRECTIONAL, 100, 10, true));
    const receive = end.set.get(UNIDIRECTIONAL)?.receive;
    expect(end.set.onResetStream(UNIDIRECTIONAL, 7, 110)).toBe(0);
    expect(receive?.resetCode).toBe(7);
    expect(end.log.lines.slice(-2)).toEqual(['reset 2 7', 'ended 2']);
  });
});

describe('a frame for the wrong stream', () => {
  it('is caught: one that only we send on, or only the peer', () => {
    const end = server();
    const send = end.set.open('unidirectional') as SendStream;
    const wrong = WireError.STREAM_STATE_ERROR;
    expect(end.set.onStreamFrame(frame(send.id, 0, 1))).toBe(wrong);
    expect(end.set.onResetStream(send.id, 0, 0)).toBe(wrong);
    expect(end.set.onStreamDataBlocked(send.id, 0)).toBe(wrong);
    expect(end.set.onMaxStreamData(UNIDIRECTIONAL, 1)).toBe(wrong);
    expect(end.set.onStopSending(UNIDIRECTIONAL, 1)).toBe(wrong);
    expect(end.set.onStopSending(TRACK, 1)).toBe(wrong);
  });

  it('is caught: one of ours that we have not opened', () => {
    const end = server();
    const wrong = WireError.STREAM_STATE_ERROR;
    expect(end.set.onStreamFrame(frame(BIDIRECTIONAL + 1, 0, 1))).toBe(wrong);
    expect(end.set.onMaxStreamData(UNIDIRECTIONAL + 1, 1)).toBe(wrong);
    expect(end.set.onStopSending(BIDIRECTIONAL + 1, 1)).toBe(wrong);
  });

  it('is caught: a bidirectional stream with a track does not exist', () => {
    expect(server().set.onStreamFrame(frame(4, 0, 1))).toBe(WireError.STREAM_STATE_ERROR);
  });

  it('is absorbed when the stream has ended, whoever opened it', () => {
    const end = server();
    end.set.onStreamFrame(frame(UNIDIRECTIONAL, 0, 5, true));
    const receive = end.set.get(UNIDIRECTIONAL)?.receive;
    while (receive?.read() !== undefined);
    expect(end.set.get(UNIDIRECTIONAL)).toBeUndefined();
    const before = end.log.lines.length;
    expect(end.set.onStreamFrame(frame(UNIDIRECTIONAL, 0, 5, true))).toBe(0);
    expect(end.set.onResetStream(UNIDIRECTIONAL, 0, 5)).toBe(0);
    expect(end.set.onStreamDataBlocked(UNIDIRECTIONAL, 5)).toBe(0);
    const send = end.set.open('unidirectional') as SendStream;
    send.finish();
    const packet = end.poll(0);
    if (packet !== undefined) end.acked(packet, 0);
    expect(end.set.get(send.id)).toBeUndefined();
    expect(end.set.onMaxStreamData(send.id, 10)).toBe(0);
    expect(end.set.onStopSending(send.id, 10)).toBe(0);
    expect(end.log.lines.slice(before)).toEqual([`finished ${send.id}`, `ended ${send.id}`]);
  });
});

describe('the number of streams', () => {
  it('that a peer opens is limited, for each kind apart', () => {
    const end = server();
    expect(end.set.onStreamFrame(frame(4 * 8, 0, 1))).toBe(WireError.STREAM_LIMIT_ERROR);
    expect(end.set.onResetStream(4 * 8 + UNIDIRECTIONAL, 0, 0)).toBe(WireError.STREAM_LIMIT_ERROR);
    expect(end.set.onMaxStreamData(4 * 8, 0)).toBe(WireError.STREAM_LIMIT_ERROR);
    expect(end.set.onStreamFrame(frame(2 * 8 + TRACK, 0, 1))).toBe(WireError.STREAM_LIMIT_ERROR);
    expect(end.set.onStreamFrame(frame(2 ** 52, 0, 1))).toBe(WireError.STREAM_LIMIT_ERROR);
    expect(end.set.count).toBe(0);
  });

  it('includes all streams below the one that a frame names', () => {
    const end = server();
    expect(end.set.onStreamFrame(frame(3 * 8, 0, 1))).toBe(0);
    expect(end.log.opened.map((stream) => stream.id)).toEqual([0, 8, 16, 24]);
  });

  it('goes up to 1024 of a kind at once, and no limit above that can be set', () => {
    const limits = { ...defaultStreamLimits, maxStreamsUnidirectional: 1024 };
    const end = server(limits);
    for (let i = 0; i < 1024; i++) expect(end.set.onStreamFrame(frame(i * 8 + 2, 0, 100))).toBe(0);
    expect(end.set.onStreamFrame(frame(1024 * 8 + 2, 0, 1))).toBe(WireError.STREAM_LIMIT_ERROR);
    expect(end.set.count).toBe(1024);
    expect(() => server({ ...limits, maxStreamsBidirectional: 1025 })).toThrow(RangeError);
  });

  it('rises as streams end, and the peer is told', () => {
    const end = server();
    end.set.onStreamFrame(frame(3 * 8 + 2, 0, 1, true));
    end.set.get(3 * 8 + 2)?.receive?.read();
    // The peer cannot know yet.
    expect(end.set.onStreamFrame(frame(4 * 8 + 2, 0, 1))).toBe(WireError.STREAM_LIMIT_ERROR);
    expect(end.poll(0)?.tokens.map(({ b, c }) => [b, c])).toEqual([[0x13, 5]]);
    expect(end.set.onStreamFrame(frame(4 * 8 + 2, 0, 1))).toBe(0);
    expect(end.set.onStreamFrame(frame(5 * 8 + 2, 0, 1))).toBe(WireError.STREAM_LIMIT_ERROR);
  });

  it('in MAX_STREAMS and STREAMS_BLOCKED is checked', () => {
    const end = server();
    expect(end.set.onMaxStreams(true, 2 ** 50 + 1)).toBe(WireError.FRAME_ENCODING_ERROR);
    expect(end.set.onStreamsBlocked(false, 2 ** 50 + 1)).toBe(WireError.FRAME_ENCODING_ERROR);
    expect(end.set.onMaxStreams(true, 2 ** 50)).toBe(0);
  });

  it('with tracks that ended and were never read stays bounded', () => {
    const end = server();
    let reason = 0;
    let count = 0;
    while (reason === 0 && count < 10_000) {
      reason = end.set.onStreamFrame(frame(count * 8 + TRACK, 0, 1, true));
      count++;
    }
    expect([reason, count]).toEqual([WireError.STREAM_LIMIT_ERROR, 2049]);
  });
});

describe('gaps', () => {
  const limits = { ...defaultStreamLimits };

  it('number at most 1000: the frame that opens another one is refused, and nothing changes', () => {
    const end = server(limits);
    for (let i = 1; i <= 1000; i++) expect(end.set.onStreamFrame(frame(0, i * 10, 5))).toBe(0);
    expect(end.set.onStreamFrame(frame(0, 20_000, 5, true))).toBe(REFUSED);
    const receive = end.set.get(0)?.receive;
    expect([receive?.gapCount, receive?.bufferedBytes, receive?.window.received]).toEqual([
      1000, 5000, 10_005,
    ]);
    expect(end.set.onStreamFrame(frame(0, 15_000, 0))).toBe(0);
    // What fills or extends is always taken; then there is room again.
    expect(end.set.onStreamFrame(frame(0, 10_005, 5))).toBe(0);
    expect(end.set.onStreamFrame(frame(0, 0, 10))).toBe(0);
    expect(receive?.gapCount).toBe(999);
    expect(end.set.onStreamFrame(frame(0, 20_000, 5, true))).toBe(0);
  });

  it('of all streams together are bounded too', () => {
    const end = server(limits);
    let taken = 0;
    for (let stream = 0; stream < 20; stream++) {
      for (let i = 1; i <= 1000; i++) if (end.set.onStreamFrame(frame(stream * 8, i * 10, 5)) === 0) taken++;
    }
    expect(taken).toBe(16_384);
  });

  it('do not survive in the count when their stream is reset', () => {
    const end = server(limits);
    for (let stream = 0; stream < 40; stream++) {
      for (let i = 1; i <= 1000; i++) {
        if (end.set.onStreamFrame(frame(stream * 8 + 2, i * 10, 5)) !== 0)
          throw new Error(`gap ${i} of ${stream}`);
      }
      expect(end.set.onResetStream(stream * 8 + 2, 0, 10_005)).toBe(0);
    }
  });
});

describe('blocked streams', () => {
  /** Types of the control frames of a packet. */
  function types(end: StreamEnd, now: number): number[] {
    const packet = end.poll(now);
    return packet === undefined ? [] : packet.tokens.filter(({ kind }) => kind === 6).map(({ b }) => b);
  }

  function drain(end: StreamEnd, now: number): number[] {
    const seen: number[] = [];
    for (let packet = end.poll(now); packet !== undefined; packet = end.poll(now)) {
      for (const token of packet.tokens) if (token.kind === 6) seen.push(token.b);
    }
    return seen;
  }

  it('say so once per limit, then again and again ever more rarely', () => {
    const end = server();
    const send = end.set.open('unidirectional') as SendStream;
    send.write(new Uint8Array(7_000));
    expect(drain(end, 0)).toEqual([0x15]);
    send.write(new Uint8Array(10));
    expect(drain(end, 0)).toEqual([]);
    const intervals: number[] = [];
    let now = 0;
    for (let i = 0; i < 10; i++) {
      const at = end.set.nextDeadline();
      intervals.push(at - now);
      now = at;
      end.set.handleTimeout(now);
      expect(drain(end, now)).toEqual([0x15]);
    }
    expect(intervals.slice(0, 3)).toEqual([45_000, 90_000, 180_000]);
    expect(intervals.at(-1)).toBe(5_000_000);
    end.set.onMaxStreamData(send.id, 100_000);
    end.set.handleTimeout(end.set.nextDeadline());
    expect(end.set.nextDeadline()).toBe(Number.POSITIVE_INFINITY);
  });

  it('of the connection say DATA_BLOCKED, and all go on when credit comes', () => {
    const end = server();
    const sends = [0, 1, 2, 3].map(() => end.set.open('unidirectional') as SendStream);
    for (const send of sends) send.write(new Uint8Array(5_500));
    expect(drain(end, 0)).toEqual([0x14]);
    expect(sends.map((send) => send.hasData(0))).toEqual([false, false, false, false]);
    end.set.onMaxData(22_000);
    expect(drain(end, 0)).toEqual([]);
    expect(sends.map((send) => send.unsentBytes)).toEqual([0, 0, 0, 0]);
  });

  it('are answered with the newest limit, although the frame that told it counts as arrived', () => {
    const end = server();
    end.set.onStreamFrame(frame(0, 0, 4_000));
    end.set.get(0)?.receive?.read();
    expect(types(end, 0)).toEqual([0x11]);
    expect(end.set.onStreamDataBlocked(0, 6_000)).toBe(0);
    expect(types(end, 0)).toEqual([0x11]);
    expect(end.set.onStreamDataBlocked(0, 10_000)).toBe(0);
    expect(types(end, 0)).toEqual([]);
    for (let i = 1; i <= 3; i++) end.set.onStreamFrame(frame(i * 8, 0, 3_000));
    for (let i = 1; i <= 3; i++) end.set.get(i * 8)?.receive?.read();
    expect(types(end, 0)).toContain(0x10);
    expect(end.set.onDataBlocked(20_000)).toBe(0);
    expect(types(end, 0)).toEqual([0x10]);
  });

  it('a lost MAX_STREAM_DATA is sent again, but not one that a newer one replaced', () => {
    const end = server();
    end.set.onStreamFrame(frame(0, 0, 4_000));
    end.set.get(0)?.receive?.read();
    const first = end.poll(0);
    expect(first?.tokens.map(({ b, c }) => [b, c])).toEqual([[0x11, 10_000]]);
    if (first !== undefined) end.lost(first, 0);
    const second = end.poll(0);
    expect(second?.tokens.map(({ b, c }) => [b, c])).toEqual([[0x11, 10_000]]);
    end.set.onStreamFrame(frame(0, 4_000, 5_000));
    end.set.get(0)?.receive?.read();
    expect(types(end, 1e6)).toContain(0x11);
    if (second !== undefined) end.lost(second, 0);
    expect(end.poll(0)).toBeUndefined();
  });

  it('a lost MAX_DATA or MAX_STREAMS is sent again', () => {
    const end = server();
    for (let i = 0; i < 2; i++) end.set.onStreamFrame(frame(i * 8 + 2, 0, 6_000, true));
    for (let i = 0; i < 2; i++) end.set.get(i * 8 + 2)?.receive?.read();
    const packet = end.poll(0);
    const values = packet?.tokens.map(({ b, c }) => [b, c]);
    expect(values).toEqual([
      [0x10, 32_000],
      [0x13, 6],
    ]);
    if (packet !== undefined) end.lost(packet, 0);
    expect(end.poll(0)?.tokens.map(({ b, c }) => [b, c])).toEqual(values);
  });

  it('a refused open says STREAMS_BLOCKED, repeated until the limit rises', () => {
    const end = server();
    for (let i = 0; i < 4; i++) end.set.open('bidirectional');
    expect(end.set.open('bidirectional')).toBeUndefined();
    expect(end.set.open('bidirectional')).toBeUndefined();
    expect(drain(end, 0)).toEqual([0x16]);
    end.set.handleTimeout(end.set.nextDeadline());
    expect(drain(end, 45_000)).toEqual([0x16]);
    end.set.onMaxStreams(true, 5);
    expect(end.log.count('canOpen bidirectional')).toBe(1);
    end.set.handleTimeout(end.set.nextDeadline());
    expect(drain(end, 200_000)).toEqual([]);
  });
});

describe('windows', () => {
  /** Feeds and reads `size` bytes in pieces of 10,000, one per `stepUs`. Returns the stream's window at the end. */
  function consume(stepUs: number, size: number): number {
    const end = server(defaultStreamLimits);
    const made = frame(0, 0, 10_000);
    let now = 0;
    for (let at = 0; at < size; at += 10_000, now += stepUs) {
      made.offset = at;
      expect(end.set.onStreamFrame(made)).toBe(0);
      end.set.get(0)?.receive?.read();
      while (end.poll(now) !== undefined);
    }
    return end.set.get(0)?.receive?.window.sizeBytes ?? 0;
  }

  it('double while a whole one is consumed in less than four round trips', () => {
    // RTT 20 ms: 1 MiB in 10.5 ms.
    expect(consume(100, 10_000_000)).toBeGreaterThanOrEqual(4 * 1024 * 1024);
  });

  it('stay when the application reads slowly', () => {
    // 1 MiB in 105 ms: more than four round trips.
    expect(consume(1000, 5_000_000)).toBe(1024 * 1024);
  });

  it('stop growing at 16 MiB', () => {
    expect(consume(10, 100_000_000)).toBe(16 * 1024 * 1024);
  });
});
