import { describe, expect, test } from 'vitest';
import { Reader, Writer } from '../../src/base/bytes.ts';
import { WireError } from '../../src/base/errors.ts';
import { MILLISECOND, SECOND } from '../../src/base/protocol.ts';
import { BlockEncoder } from '../../src/fec/encoder.ts';
import { ReferenceCodec } from '../../src/fec/reference-codec.ts';
import { INCOMPLETE_FRAMES_MAX } from '../../src/track/limits.ts';
import { SymbolDrop } from '../../src/track/receive.ts';
import { TrackAckFrame } from '../../src/wire/ack.ts';
import { ANNOUNCEMENT, one, ReceiverProbe, symbolsOf } from '../helpers/track-symbols.ts';

const MS = MILLISECOND;
const OWD = 20 * MS;

/** The TRACK_ACK that the receiver would send now, and its token. */
function trackAck(probe: ReceiverProbe): { frame: TrackAckFrame; token: number } {
  const writer = new Writer().reset(new Uint8Array(1171));
  const token = probe.receiver.writeTrackAck(writer);
  const reader = new Reader().reset(writer.bytes, 1, writer.at);
  const frame = new TrackAckFrame();
  expect(frame.parse(reader)).toBe(0);
  return { frame, token };
}

describe('reassembly', () => {
  test('puts symbols together in whatever order they come, and marks a resend', () => {
    const probe = new ReceiverProbe({});
    const symbols = symbolsOf(0, 4, 0, { keyFrame: true, durationUs: 5 });
    for (const i of [3, 1, 0, 2]) probe.symbol(i, symbols[i] as Uint8Array, OWD, i === 2);
    expect(probe.frames).toHaveLength(1);
    expect(probe.frames[0]).toMatchObject({
      keyFrame: true,
      durationUs: 5,
      discardable: false,
      how: 'resent',
    });
    expect(probe.frames[0]?.data).toEqual(new Uint8Array(40).fill(1));
  });

  test('counts duplicates, before and after the frame is complete', () => {
    const probe = new ReceiverProbe({});
    const symbols = symbolsOf(0, 2, 0);
    probe.symbol(0, symbols[0] as Uint8Array, OWD);
    expect(probe.symbol(0, symbols[0] as Uint8Array, OWD)).toBe(SymbolDrop.DUPLICATE);
    probe.symbol(1, symbols[1] as Uint8Array, OWD);
    expect(probe.symbol(1, symbols[1] as Uint8Array, OWD)).toBe(SymbolDrop.DUPLICATE);
    expect(probe.frames).toHaveLength(1);
    expect(probe.receiver.statistics.duplicateSymbols).toBe(2);
  });

  test('drops and counts symbols that contradict their frame or a neighbour', () => {
    const probe = new ReceiverProbe({});
    const three = symbolsOf(0, 3, 0);
    const five = symbolsOf(0, 5, 0);
    probe.symbol(1, three[1] as Uint8Array, OWD);
    expect(probe.symbol(2, five[2] as Uint8Array, OWD)).toBe(SymbolDrop.MALFORMED);
    expect(probe.symbol(4, five[2] as Uint8Array, OWD)).toBe(SymbolDrop.MALFORMED);
    expect(probe.symbol(0, three[1] as Uint8Array, OWD)).toBe(SymbolDrop.MALFORMED);
    expect(probe.symbol(9, Uint8Array.of(1, 2, 3), OWD)).toBe(SymbolDrop.MALFORMED);
    expect(probe.receiver.statistics.malformedSymbols).toBe(4);
    probe.symbol(0, three[0] as Uint8Array, OWD);
    probe.symbol(2, three[2] as Uint8Array, OWD);
    expect(probe.ids).toEqual([0]);
  });

  test('joins a symbol that comes in parts; parts that contradict each other make nothing', () => {
    const probe = new ReceiverProbe({});
    const symbol = one(0, 0);
    probe.part(0, symbol, 8, symbol.length, OWD);
    probe.part(0, symbol, 0, 4, OWD, symbol.length + 1);
    expect(probe.frames).toHaveLength(0);
    probe.part(0, symbol, 0, 8, OWD);
    expect(probe.ids).toEqual([0]);
    expect(probe.part(1, symbol, 0, 8, OWD, 60_000)).toBe(SymbolDrop.NONE);
  });

  test('holds at most 256 incomplete frames, and forgets the oldest', () => {
    const probe = new ReceiverProbe({ latencyUs: 60 * SECOND });
    for (let i = 0; i < INCOMPLETE_FRAMES_MAX + 50; i++) {
      probe.symbol(2 * i, symbolsOf(i, 2, i * MS)[0] as Uint8Array, OWD + i * MS);
    }
    expect(probe.receiver.statistics.evictedFrames).toBe(50);
    expect(probe.receiver.statistics.frames.lost).toBe(50);
  });

  test('survives the wrap of the 24-bit symbol id and of the 16-bit send time', () => {
    const probe = new ReceiverProbe({ order: 'none' });
    let now = 0;
    for (let id = 16_777_200; id < 16_777_240; id++) {
      now += 5 * SECOND;
      // The receiver meets the track at once: ids below are no concern of this test.
      if (id === 16_777_200) {
        for (let near = 8_000_000; near < id; near += 8_000_000) probe.symbol(near, one(0, now), now + OWD);
      }
      probe.symbol(id, one(id - 16_777_200 + 10, now), now + OWD);
    }
    expect(probe.ids.slice(-40)).toEqual(Array.from({ length: 40 }, (_, i) => i + 10));
    expect(probe.frames.slice(-40).every((frame) => frame.how === 'on-time')).toBe(true);
  });

  test('rebuilds a symbol by FEC and says so', () => {
    const probe = new ReceiverProbe({});
    const symbols = symbolsOf(0, 4, 0);
    const repair = new BlockEncoder(new ReferenceCodec()).encode(symbols, 0, 1)[0] as Uint8Array;
    for (const i of [0, 2, 3]) probe.symbol(i, symbols[i] as Uint8Array, OWD);
    expect(probe.repair(0, 4, 0, repair, OWD)).toBe(SymbolDrop.NONE);
    expect(probe.frames[0]).toMatchObject({ how: 'fec' });
    expect(probe.frames[0]?.data).toEqual(new Uint8Array(40).fill(1));
    expect(probe.receiver.statistics).toMatchObject({ symbolsRebuilt: 1, repairsReceived: 1 });
  });
});

describe('symbols before the announcement', () => {
  test('are held, and delivered in order when it comes', () => {
    const probe = new ReceiverProbe();
    probe.symbol(1, one(1, 0), OWD);
    probe.symbol(0, one(0, 0), OWD);
    expect(probe.frames).toHaveLength(0);
    probe.receiver.announce(ANNOUNCEMENT, OWD);
    expect(probe.ids).toEqual([0, 1]);
  });

  test('are held in bounded number: the oldest go', () => {
    const probe = new ReceiverProbe();
    for (let i = 0; i < 9_000; i++) probe.symbol(i, one(i, 0), OWD);
    probe.receiver.announce(ANNOUNCEMENT, OWD);
    expect(probe.frames.length).toBeLessThanOrEqual(8_192);
    expect(probe.frames.at(-1)?.frameId).toBe(8_999);
    expect(probe.frames[0]?.skipped).toBe(9_000 - probe.frames.length);
  });
});

describe('asap in send order', () => {
  test('waits for a missing frame until the deadline, then hands out the next with the number skipped', () => {
    const probe = new ReceiverProbe({});
    probe.symbol(0, one(0, 0), OWD);
    probe.symbol(2, one(2, 20 * MS), OWD + 20 * MS);
    probe.run(OWD + 139 * MS);
    expect(probe.ids).toEqual([0]);
    probe.run(OWD + 140 * MS);
    expect(probe.ids).toEqual([0, 2]);
    expect(probe.frames[1]?.skipped).toBe(1);
  });

  test('knows the deadline of a missing frame of which a symbol has come', () => {
    const probe = new ReceiverProbe({});
    probe.symbol(0, symbolsOf(0, 2, 0)[0] as Uint8Array, OWD);
    probe.symbol(2, one(1, 50 * MS), OWD + 50 * MS);
    probe.run(OWD + 120 * MS);
    expect(probe.ids).toEqual([1]);
    expect(probe.frames[0]?.skipped).toBe(1);
  });

  test('does not wait for frames that the sender never began: their ids use no symbols', () => {
    const probe = new ReceiverProbe({});
    probe.symbol(0, one(0, 0), OWD);
    probe.symbol(1, one(5, 10 * MS), OWD + 10 * MS);
    expect(probe.ids).toEqual([0, 5]);
    expect(probe.frames[1]?.skipped).toBe(4);
    expect(probe.receiver.statistics.frames).toMatchObject({ sent: 6, onTime: 2, lost: 4 });
  });

  test('does not wait for a frame that the sender says it gave up', () => {
    const probe = new ReceiverProbe({});
    probe.symbol(0, symbolsOf(0, 3, 0)[0] as Uint8Array, OWD);
    probe.symbol(3, one(1, 10 * MS), OWD + 10 * MS);
    expect(probe.frames).toHaveLength(0);
    expect(probe.receiver.onSkip(0, 3, OWD + 11 * MS)).toBe(0);
    expect(probe.ids).toEqual([1]);
    expect(probe.receiver.onSkip(0, 0, OWD)).toBe(WireError.FRAME_ENCODING_ERROR);
  });

  test('takes the news of a frame given up before any symbol of it', () => {
    const probe = new ReceiverProbe({});
    probe.receiver.onSkip(0, 3, OWD);
    probe.symbol(3, one(1, 10 * MS), OWD + 10 * MS);
    expect(probe.ids).toEqual([1]);
  });

  test('counts a frame that completes after it was passed as late, and never delivers it', () => {
    const probe = new ReceiverProbe({});
    const symbols = symbolsOf(0, 2, 0);
    probe.symbol(0, symbols[0] as Uint8Array, OWD);
    probe.symbol(2, one(1, 10 * MS), OWD + 10 * MS);
    probe.run(OWD + 125 * MS);
    expect(probe.receiver.statistics.frames).toMatchObject({ lost: 1, onTime: 1 });
    probe.symbol(1, symbols[1] as Uint8Array, OWD + 126 * MS, true);
    expect(probe.ids).toEqual([1]);
    expect(probe.receiver.statistics.frames).toEqual({
      sent: 2,
      onTime: 1,
      fec: 0,
      resent: 0,
      late: 1,
      lost: 0,
    });
  });

  test('delivers a late frame as long as nothing later was', () => {
    const probe = new ReceiverProbe({});
    probe.symbol(0, one(0, 0), OWD);
    const symbols = symbolsOf(1, 2, 20 * MS);
    probe.symbol(1, symbols[0] as Uint8Array, OWD + 20 * MS);
    probe.run(OWD + 200 * MS);
    probe.symbol(2, symbols[1] as Uint8Array, OWD + 200 * MS);
    expect(probe.ids).toEqual([0, 1]);
    expect(probe.frames[1]?.how).toBe('late');
  });
});

describe('without order', () => {
  test('each frame leaves when it is complete, and the account still closes', () => {
    const probe = new ReceiverProbe({ order: 'none' });
    for (const id of [3, 1, 0, 5]) probe.symbol(id, one(id, 0), OWD);
    expect(probe.ids).toEqual([3, 1, 0, 5]);
    probe.receiver.onEnd(6, 6, OWD + MS);
    probe.run(2 * SECOND);
    expect(probe.receiver.statistics.frames).toMatchObject({ sent: 6, onTime: 4, lost: 2 });
    expect(probe.log).toContain('finished');
  });
});

describe('timed delivery', () => {
  test('plays frames out at timestamp + offset + latency, evenly whatever the jitter', () => {
    const probe = new ReceiverProbe({ delivery: 'timed', latencyUs: 100 * MS });
    const played: number[] = [];
    const jitters = [0, 30, 5, 60, 10, 0, 45, 0, 20, 0];
    const arrivals = jitters.map((jitter, i) => ({ at: i * 20 * MS + OWD + jitter * MS, i }));
    arrivals.sort((a, b) => a.at - b.at);
    for (let now = 0; now < SECOND; now += MS) {
      probe.run(now);
      while (played.length < probe.frames.length) played.push(now);
      for (const { at, i } of arrivals) if (at === now) probe.symbol(i, one(i, i * 20 * MS), at);
    }
    expect(played).toEqual(jitters.map((_, i) => OWD + i * 20 * MS + 100 * MS));
  });

  test('skips a frame that completes after it was due', () => {
    const probe = new ReceiverProbe({ delivery: 'timed', latencyUs: 100 * MS });
    probe.symbol(0, one(0, 0), OWD);
    const symbols = symbolsOf(1, 2, 20 * MS);
    probe.symbol(1, symbols[0] as Uint8Array, OWD + 20 * MS);
    probe.symbol(3, one(2, 40 * MS), OWD + 40 * MS);
    probe.run(OWD + 125 * MS);
    probe.symbol(2, symbols[1] as Uint8Array, OWD + 126 * MS);
    probe.run(1 * SECOND);
    expect(probe.ids).toEqual([0, 2]);
    expect(probe.frames[1]?.skipped).toBe(1);
    expect(probe.receiver.statistics.frames).toMatchObject({ onTime: 2, late: 1, lost: 0 });
  });

  test('follows a clock that drifts by 100 ppm without a jump of more than 0.1 ms between frames', () => {
    const probe = new ReceiverProbe({ delivery: 'timed', latencyUs: 100 * MS });
    let last = Number.NaN;
    let worst = 0;
    for (let i = 0; i < 6_000; i++) {
      const sent = i * 20 * MS;
      const arrival = Math.round(sent * 1.0001) + OWD;
      let due = probe.receiver.nextDeadline();
      while (due <= arrival) {
        if (!Number.isNaN(last) && probe.frames.length > 0)
          worst = Math.max(worst, Math.abs(due - last - 20 * MS));
        last = due;
        probe.receiver.handleTimeout(due);
        due = probe.receiver.nextDeadline();
      }
      probe.symbol(i, one(i, sent), arrival);
    }
    expect(probe.frames.length).toBeGreaterThan(5_900);
    expect(probe.receiver.statistics.frames.late).toBe(0);
    expect(worst).toBeLessThanOrEqual(100);
    // 120 s at 100 ppm is 12 ms: the offset has followed, less what a window of 20 s hides.
    expect(last - 5_994 * 20 * MS).toBeGreaterThan(OWD + 100 * MS + 8 * MS);
  });

  test('starts over when the timeline jumps', () => {
    const probe = new ReceiverProbe({ delivery: 'timed', latencyUs: 100 * MS });
    for (let i = 0; i < 5; i++) {
      const sent = i * 20 * MS;
      const symbol = symbolsOf(i, 1, sent, {
        timestampUs: i < 3 ? sent : sent + 3600 * SECOND,
      })[0] as Uint8Array;
      probe.symbol(i, symbol, sent + OWD);
    }
    probe.run(SECOND);
    expect(probe.ids).toEqual([0, 1, 2, 3, 4]);
  });
});

describe('a slow application', () => {
  test('stays within a second of the live edge, and is told what it missed', () => {
    const probe = new ReceiverProbe({}, false);
    for (let i = 0; i < 300; i++) probe.symbol(i, one(i, i * 20 * MS), OWD + i * 20 * MS);
    expect(probe.receiver.readableFrames).toBeLessThanOrEqual(51);
    probe.drain();
    expect(probe.frames[0]?.skipped).toBe(300 - probe.frames.length);
    expect(probe.frames.at(-1)?.frameId).toBe(299);
    expect(probe.receiver.statistics.framesDroppedSlow).toBe(300 - probe.frames.length);
  });
});

describe('TRACK_ACK of a receiver', () => {
  test('names complete frames and what the others still need, repair at hand deducted', () => {
    const probe = new ReceiverProbe({});
    const symbols = symbolsOf(1, 4, 0);
    const repair = new BlockEncoder(new ReferenceCodec()).encode(symbols, 0, 1)[0] as Uint8Array;
    probe.symbol(0, one(0, 0), OWD);
    probe.symbol(1, symbols[0] as Uint8Array, OWD);
    probe.symbol(5, one(2, 0), OWD);
    expect(trackAck(probe).frame.missing[0]).toBe(3);
    expect(probe.receiver.ackWanted).toBe(false);
    probe.repair(1, 4, 0, repair, OWD);
    expect(probe.receiver.ackWanted).toBe(true);
    const { frame } = trackAck(probe);
    expect([frame.floor, frame.rangeCount, frame.incompleteCount]).toEqual([0, 2, 1]);
    expect([...frame.starts.subarray(0, 2)]).toEqual([0, 5]);
    expect([...frame.ends.subarray(0, 2)]).toEqual([1, 6]);
    expect([frame.firsts[0], frame.missing[0]]).toEqual([1, 2]);
  });

  test('repeats its ranges until one of them is acknowledged, then its floor rises to what is still open', () => {
    const probe = new ReceiverProbe({});
    probe.symbol(0, one(0, 0), OWD);
    probe.symbol(1, symbolsOf(1, 2, 0)[0] as Uint8Array, OWD);
    const first = trackAck(probe);
    probe.receiver.onAckLost();
    expect(probe.receiver.ackWanted).toBe(true);
    const second = trackAck(probe);
    expect(second.frame.floor).toBe(0);
    expect(second.frame.rangeCount).toBe(1);
    probe.receiver.onAckAcked(first.token);
    probe.symbol(3, one(2, 0), OWD);
    const third = trackAck(probe);
    expect(third.frame.floor).toBe(1);
    expect(third.frame.starts[0]).toBe(3);
    expect(probe.receiver.isAckSettled).toBe(false);
    probe.receiver.onAckAcked(third.token);
    expect(probe.receiver.isAckSettled).toBe(true);
  });

  test('is due once more when a frame is completed after the one that answered the end: both ends can forget', () => {
    const probe = new ReceiverProbe({});
    probe.symbol(0, one(0, 0), OWD);
    expect(probe.receiver.onEnd(2, 2, OWD)).toBe(0);
    probe.receiver.onAckAcked(trackAck(probe).token);
    expect(probe.receiver.isAckSettled).toBe(true);
    probe.symbol(1, one(1, 0), OWD + MS);
    expect(probe.log).toContain('finished');
    expect(probe.receiver.ackWanted).toBe(true);
    probe.receiver.onAckAcked(trackAck(probe).token);
    expect(probe.receiver.isAckSettled).toBe(true);
  });

  test('stays small when thousands of frames are lost one by one', () => {
    const probe = new ReceiverProbe({ latencyUs: MS });
    for (let i = 0; i < 5_000; i++) {
      probe.symbol(2 * i, one(2 * i, i * MS), OWD + i * MS);
      probe.run(OWD + i * MS);
    }
    const { frame } = trackAck(probe);
    expect(frame.rangeCount).toBe(32);
    expect(frame.ends[31]).toBe(9_999);
    expect(probe.symbol(0, one(0, 0), 6 * SECOND)).toBe(SymbolDrop.LATE);
  });
});
