import { describe, expect, test } from 'vitest';
import { Reader, Writer } from '../../src/base/bytes.ts';
import { WireError } from '../../src/base/errors.ts';
import { MILLISECOND, NEVER } from '../../src/base/protocol.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { DeadlineHeap, type Timed } from '../../src/track/deadline-heap.ts';
import { Heap } from '../../src/track/heap.ts';
import { TrackAckFrame } from '../../src/wire/ack.ts';
import { writeControlFrame } from '../../src/wire/control.ts';
import { FrameType } from '../../src/wire/frame-types.ts';
import { SymbolFrame } from '../../src/wire/symbol.ts';
import { mediaBytes, type TrackEnd, TrackLink } from '../helpers/track-link.ts';

const MS = MILLISECOND;

/** Hands a control frame straight to one end. */
function control(end: TrackEnd, type: number, ...fields: number[]): number {
  const writer = new Writer().reset(new Uint8Array(64));
  writeControlFrame(writer, type, ...fields);
  return end.set.onControlFrame(type, new Reader().reset(writer.bytes, 1, writer.at), 1_000_000);
}

describe('a set of tracks', () => {
  test('runs many tracks side by side and forgets each when it has ended and both ends know', () => {
    const link = new TrackLink();
    const tracks = Array.from({ length: 40 }, () => link.open({ latencyUs: 200 * MS }));
    expect(tracks.map(({ id }) => id)).toEqual(Array.from({ length: 40 }, (_, i) => i * 2));
    for (const track of tracks) {
      link.at(link.now + track.id * 100, (now) => {
        track.send(mediaBytes(3_000, track.id), { timestampUs: track.id }, now);
        track.end();
      });
    }
    link.run(link.now + 2_000 * MS);
    expect(link.server.delivered).toHaveLength(40);
    expect(link.client.log.filter((line) => line.startsWith('sender ended'))).toHaveLength(40);
    expect(link.client.set.liveSenders()).toHaveLength(0);
    expect(link.client.set.sendTotals()).toMatchObject({
      mediaBytes: 120_000,
      frames: { sent: 40, onTime: 40 },
    });
    expect(link.server.set.receiveTotals()).toMatchObject({
      mediaBytes: 120_000,
      frames: { sent: 40, onTime: 40 },
    });
    expect(link.client.set.nextDeadline()).toBe(NEVER);
    expect(link.server.set.nextDeadline()).toBe(NEVER);
    for (const track of tracks) expect(link.server.set.receiver(track.id)).toBeUndefined();
  });

  test('opens no more tracks than the peer takes', () => {
    const link = new TrackLink();
    for (let i = 0; i < 1_024; i++) expect(link.open()).toBeDefined();
    expect(link.open()).toBeUndefined();
    expect(link.client.set.openReliable({ kind: 'data', streamId: 6 })).toBeUndefined();
  });

  test('takes symbols of at most 1024 tracks, and none of a track of its own or one that has ended', () => {
    const link = new TrackLink();
    const frame = new SymbolFrame();
    frame.bytes = Uint8Array.of(0, 0, 0, 0, 1, 0, 0, 0);
    frame.symbolBytes = 8;
    for (let number = 0; number < 1_024; number++) {
      frame.trackId = number * 2;
      expect(link.server.set.onSymbol(frame, 0)).toBe(0);
    }
    frame.trackId = 5_000;
    expect(link.server.set.onSymbol(frame, 0)).toBe(WireError.STREAM_LIMIT_ERROR);
    frame.trackId = 1;
    expect(link.server.set.onSymbol(frame, 0)).toBe(WireError.STREAM_STATE_ERROR);
  });

  test('refuses control frames that name tracks nobody opened', () => {
    const link = new TrackLink();
    expect(control(link.client, FrameType.TRACK_STOP, 0, 1)).toBe(WireError.STREAM_STATE_ERROR);
    expect(control(link.client, FrameType.KEY_FRAME_REQUEST, 2, 0)).toBe(WireError.STREAM_STATE_ERROR);
    expect(control(link.client, FrameType.TRACK_END, 0, 0, 0)).toBe(WireError.STREAM_STATE_ERROR);
    const ack = new TrackAckFrame();
    expect(link.client.set.onTrackAck(ack, 0)).toBe(WireError.STREAM_STATE_ERROR);
  });

  test('announces reliable tracks with their stream, and nothing else of them', () => {
    const link = new TrackLink();
    const id = link.client.set.openReliable({ kind: 'data', streamId: 14 }) as number;
    link.run(link.now + 100 * MS);
    expect(link.server.announced).toMatchObject([{ kind: 'data', isReliable: true, streamId: 14 }]);
    expect(link.server.receivers).toHaveLength(0);
    link.client.set.onStreamDone(14);
    expect(link.client.log).toEqual([`sender ended ${id}`]);
  });

  test('forgets a reliable track whose announcement comes after all of its stream', () => {
    const link = new TrackLink({ isStreamReceived: true });
    for (let number = 0; number <= 1_024; number++) {
      const streamId = number * 8 + 6;
      expect(link.client.set.openReliable({ kind: 'data', streamId })).toBe(number * 2);
      link.run(link.now + 100 * MS);
      link.client.set.onStreamDone(streamId);
    }
    expect(link.server.announced).toHaveLength(1_025);
    expect(link.server.errors).toEqual([]);
  });

  test.each([
    ['another reliable track has', [14, 14]],
    ['carries no tracks', [0]],
    ['the receiver itself opened', [15]],
  ])('refuses a reliable track on a stream that %s', (_, streamIds) => {
    const link = new TrackLink();
    for (const streamId of streamIds) link.client.set.openReliable({ kind: 'data', streamId });
    link.run(link.now + 100 * MS);
    expect(link.server.errors).toEqual([WireError.STREAM_STATE_ERROR]);
  });

  test('lets the larger of two wishes for latency win', () => {
    const link = new TrackLink();
    expect(link.open({ latencyUs: 50 * MS }).latencyUs).toBe(50 * MS);
    const wishing = new TrackLink({ latencyWishUs: 300 * MS });
    expect(wishing.open({ latencyUs: 50 * MS }).latencyUs).toBe(300 * MS);
    expect(wishing.open({ latencyUs: 400 * MS }).latencyUs).toBe(400 * MS);
  });
});

describe('a key frame request', () => {
  test('arrives although its packet is lost, once, and at most once per round trip', () => {
    let losses = 0;
    const link = new TrackLink({
      dropFeedback: (packet) => packet.bytes.at(-3) === FrameType.KEY_FRAME_REQUEST && losses++ < 2,
    });
    const track = link.open();
    for (let i = 0; i < 100; i++) {
      link.at(link.now + i * 10 * MS, (now) => track.send(mediaBytes(500, i), { timestampUs: i }, now));
    }
    link.run(link.now + 200 * MS);
    const [receiver] = link.server.receivers;
    for (let i = 0; i < 5; i++) receiver?.requestKeyFrame();
    link.run(link.now + 400 * MS);
    expect(losses).toBe(3);
    expect(link.client.log).toEqual(['key frame 0']);
    receiver?.requestKeyFrame();
    link.run(link.now + 200 * MS);
    expect(link.client.log).toEqual(['key frame 0', 'key frame 0']);
  });
});

describe('TRACK_STOP', () => {
  test('ends a track from the receiving side: the sender drops what it has and is told', () => {
    const link = new TrackLink();
    const track = link.open();
    for (let i = 0; i < 20; i++) {
      link.at(link.now + i * 10 * MS, (now) => {
        if (!link.client.log.includes('stopped 0 77'))
          track.send(mediaBytes(500, i), { timestampUs: i }, now);
      });
    }
    link.run(link.now + 95 * MS);
    link.server.set.stop(0, 77);
    link.run(link.now + 500 * MS);
    expect(link.client.log).toEqual(['stopped 0 77']);
    expect(track.unsettledFrames).toBe(0);
    expect(link.client.set.sender(0)).toBeUndefined();
    expect(link.server.set.receiver(0)).toBeUndefined();
    expect(link.server.log.at(-1)).toBe('ended 0');
    expect(link.server.errors).toEqual([]);
  });
});

describe('the deadline heap', () => {
  test('gives the earliest of many moving deadlines, as a walk over them would (seed 3)', () => {
    const random = new SeededRandom(3);
    const heap = new DeadlineHeap();
    const items = Array.from({ length: 50 }, () => {
      const item = {
        at: NEVER,
        heapIndex: -1,
        armedUs: NEVER,
        nextDeadline: () => item.at,
        handleTimeout: () => {},
      };
      return item as Timed & { at: number };
    });
    for (let step = 0; step < 5_000; step++) {
      const item = items[random.u32() % 50] as Timed & { at: number };
      item.at = random.unit() < 0.2 ? NEVER : random.u32() % 1_000;
      if (random.unit() < 0.1) heap.remove(item);
      heap.touch(item);
      expect(heap.earliest()).toBe(Math.min(...items.map(({ at }) => at)));
    }
  });

  test('runs each item that is due once, even one that stays due', () => {
    const heap = new DeadlineHeap();
    let runs = 0;
    const stuck: Timed = {
      heapIndex: -1,
      armedUs: NEVER,
      nextDeadline: () => 5,
      handleTimeout: () => runs++,
    };
    heap.touch(stuck);
    heap.run(4);
    expect(runs).toBe(0);
    heap.run(5);
    expect(runs).toBe(1);
  });

  test('of numbers gives them in ascending order (seed 4)', () => {
    const random = new SeededRandom(4);
    const heap = new Heap<number>((a, b) => a < b);
    const numbers = Array.from({ length: 500 }, () => random.u32() % 100);
    for (const number of numbers) heap.push(number);
    expect(numbers.map(() => heap.pop())).toEqual(numbers.toSorted((a, b) => a - b));
    expect(heap.pop()).toBeUndefined();
  });
  test('of numbers that fall takes each without a walk over all', () => {
    let comparisons = 0;
    const heap = new Heap<number>((a, b) => {
      comparisons++;
      return a < b;
    });
    for (let number = 8_192; number > 0; number--) heap.push(number);
    expect(heap.top).toBe(1);
    expect(comparisons).toBeLessThanOrEqual(8_192 * 13);
  });
});
