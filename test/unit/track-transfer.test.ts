import { describe, expect, test } from 'vitest';
import { equalBytes } from '../../src/base/bytes.ts';
import { MILLISECOND } from '../../src/base/protocol.ts';
import { SeededRandom } from '../../src/base/random.ts';
import type { TrackSender } from '../../src/track/send.ts';
import type { FrameCounts } from '../../src/track/types.ts';
import { fixedPolicy } from '../helpers/fixed-policy.ts';
import { mediaBytes, type Packet, TrackLink } from '../helpers/track-link.ts';

const MS = MILLISECOND;

function sendEvery(
  link: TrackLink,
  track: TrackSender,
  intervalUs: number,
  count: number,
  size: (index: number) => number,
): void {
  const start = link.now;
  for (let i = 0; i < count; i++) {
    link.at(start + i * intervalUs, (now) =>
      track.send(
        mediaBytes(size(i), i + track.id * 1000),
        { timestampUs: i * intervalUs, keyFrame: i % 30 === 0 },
        now,
      ),
    );
  }
}

function settledSum(counts: FrameCounts): number {
  return counts.onTime + counts.fec + counts.resent + counts.late + counts.lost;
}

function outcomesOf(link: TrackLink): string[] {
  const all: string[] = [];
  for (const outcomes of link.client.outcomes.values()) {
    expect(outcomes).toHaveLength(1);
    all.push(outcomes[0] as string);
  }
  return all;
}

describe('a live track over a clean path', () => {
  test('delivers every media frame once, in order and byte for byte, and every send settles as acknowledged', () => {
    const link = new TrackLink();
    const track = link.open();
    sendEvery(link, track, 33 * MS, 60, (i) => [0, 1, 900, 16_667, 60_000][i % 5] as number);
    link.run(link.now + 3_000 * MS);
    const frames = link.server.delivered;
    expect(frames).toHaveLength(60);
    frames.forEach(({ frame }, i) => {
      expect(frame.frameId).toBe(i);
      expect(frame.skipped).toBe(0);
      expect(frame.how).toBe('on-time');
      expect(frame.timestampUs).toBe(i * 33 * MS);
      expect(frame.keyFrame).toBe(i % 30 === 0);
      expect(equalBytes(frame.data, mediaBytes([0, 1, 900, 16_667, 60_000][i % 5] as number, i))).toBe(true);
    });
    expect(new Set(outcomesOf(link))).toEqual(new Set(['acknowledged']));
    expect(track.statistics.resendBytes + track.statistics.repairBytes).toBe(0);
  });

  test('puts 4 Mbit/s at 30 frames a second in 15 packets a frame with at most 43 bytes of overhead a packet', () => {
    const link = new TrackLink();
    const track = link.open();
    sendEvery(link, track, 33_333, 30, () => 16_667);
    link.run(link.now + 2_000 * MS);
    expect(track.statistics.symbolsSent).toBe(30 * 15);
    const { headerBytes, symbolsSent } = track.statistics;
    // Short header 13 bytes, tag 16.
    expect(headerBytes / symbolsSent + 29).toBeLessThanOrEqual(43);
  });

  test('lets several small media frames share a packet', () => {
    const link = new TrackLink();
    const track = link.open();
    link.run(link.now + 100 * MS);
    const before = link.client.packets;
    link.at(link.now, (now) => {
      for (let i = 0; i < 5; i++) track.send(mediaBytes(100, i), { timestampUs: i }, now);
    });
    link.run(link.now + 15 * MS);
    expect(link.client.packets - before).toBe(1);
    link.run(link.now + 500 * MS);
    expect(link.server.delivered).toHaveLength(5);
  });

  test('hands over metadata and the larger latency before the first media frame', () => {
    const link = new TrackLink({ drop: (packet) => packet.number === 0 });
    const metadata = new TextEncoder().encode(JSON.stringify({ codec: 'vp8', padding: 'x'.repeat(3000) }));
    const track = link.open({ metadata, latencyUs: 500 * MS, kind: 'audio' });
    sendEvery(link, track, 20 * MS, 10, () => 200);
    link.run(link.now + 1_000 * MS);
    expect(link.server.announced).toEqual([
      {
        kind: 'audio',
        delivery: 'asap',
        order: 'send',
        isReliable: false,
        latencyUs: 500 * MS,
        streamId: 0,
        metadata,
      },
    ]);
    expect(link.server.delivered).toHaveLength(10);
  });
});

describe('loss', () => {
  test('is repaired by a resend within the latency; the frame is counted as resent at both ends', () => {
    const link = new TrackLink({ drop: (packet) => packet.number === 20 });
    const track = link.open();
    sendEvery(link, track, 33 * MS, 20, () => 16_667);
    link.run(link.now + 3_000 * MS);
    expect(link.server.delivered).toHaveLength(20);
    expect(link.server.delivered.filter(({ frame }) => frame.how === 'resent')).toHaveLength(1);
    expect(new Set(outcomesOf(link))).toEqual(new Set(['acknowledged']));
    expect(track.statistics.frames).toMatchObject({ sent: 20, onTime: 19, resent: 1, lost: 0 });
    expect(track.statistics.symbolsResent).toBe(1);
  });

  test('is repaired by parity without a resend: the frame settles as recovered', () => {
    const link = new TrackLink({
      drop: (packet) => packet.number === 20,
      policy: fixedPolicy(1),
    });
    const track = link.open();
    sendEvery(link, track, 33 * MS, 20, () => 16_667);
    link.run(link.now + 3_000 * MS);
    expect(link.server.delivered).toHaveLength(20);
    expect(link.server.delivered.filter(({ frame }) => frame.how === 'fec')).toHaveLength(1);
    expect(outcomesOf(link).filter((outcome) => outcome === 'recovered')).toHaveLength(1);
    expect(track.statistics.frames).toMatchObject({ onTime: 19, fec: 1, lost: 0 });
    expect(track.statistics.symbolsResent).toBe(0);
  });

  test('of a media frame of 300 symbols is repaired by interleaved blocks', () => {
    const lost = new Set([40, 41, 42, 43, 44, 45]);
    const link = new TrackLink({
      drop: (packet) => lost.has(packet.number),
      policy: fixedPolicy(6),
    });
    const track = link.open();
    const data = mediaBytes(340_000, 7);
    link.at(link.now, (now) => track.send(data, { timestampUs: 0, keyFrame: true }, now));
    link.run(link.now + 2_000 * MS);
    expect(link.server.delivered).toHaveLength(1);
    expect(equalBytes(link.server.delivered[0]?.frame.data as Uint8Array, data)).toBe(true);
    expect(track.statistics.repairsSent).toBe(6);
  });

  test('of a small media frame is repaired by parity that covers several of them', () => {
    const link = new TrackLink({
      delayUs: 150 * MS,
      drop: (packet) => packet.number === 5,
      policy: fixedPolicy(0, 1, 2),
    });
    const track = link.open({ kind: 'audio', latencyUs: 100 * MS });
    sendEvery(link, track, 20 * MS, 20, () => 300);
    link.run(link.now + 2_000 * MS);
    expect(link.server.delivered).toHaveLength(20);
    expect(link.server.delivered.filter(({ frame }) => frame.how === 'fec').length).toBeGreaterThanOrEqual(1);
  });

  test('of one media frame, resends included, delays it alone: the next is handed out at its deadline', () => {
    const isOfFrame3 = (packet: Packet): boolean => contains(packet, 3);
    const link = new TrackLink({ drop: isOfFrame3 });
    const track = link.open();
    sendEvery(link, track, 33 * MS, 10, () => 900);
    const start = link.now;
    link.run(link.now + 2_000 * MS);
    const ids = link.server.delivered.map(({ frame }) => frame.frameId);
    expect(ids).toEqual([0, 1, 2, 4, 5, 6, 7, 8, 9]);
    const after = link.server.delivered[3];
    expect(after?.frame.skipped).toBe(1);
    // Its own deadline is the best guess for that of the unknown frame before it.
    expect(after?.at).toBeLessThanOrEqual(start + 4 * 33 * MS + 20 * MS + 120 * MS + 2 * MS);
    expect(link.client.outcomes.get('0/3')).toEqual(['expired']);
    expect(link.server.receivers[0]?.statistics.frames).toMatchObject({ lost: 1 });
  });

  test('that drops every copy of one track ten times leaves the delay of another as it was, within 1 ms (F1)', () => {
    const delays = (drop: (packet: Packet) => boolean): number[] => {
      let dropped = 0;
      const link = new TrackLink({ drop: (packet) => drop(packet) && dropped++ < 10 });
      const victim = link.open({ sendOrder: 1 });
      const other = link.open({ sendOrder: 1 });
      const start = link.now;
      sendEvery(link, victim, 33 * MS, 30, () => 16_667);
      sendEvery(link, other, 33 * MS, 30, () => 10_000);
      link.run(link.now + 3_000 * MS);
      return link.server.delivered
        .filter(({ id }) => id === other.id)
        .map(({ at, frame }) => at - start - frame.timestampUs);
    };
    const isVictim = (packet: Packet): boolean => packet.bytes[0] !== undefined && carriesOnly(packet, 0);
    const clean = delays(() => false);
    const lossy = delays(isVictim);
    expect(lossy).toHaveLength(30);
    const worst = Math.max(...lossy.map((delay, i) => Math.abs(delay - (clean[i] as number))));
    expect(worst).toBeLessThanOrEqual(MS);
  });

  test.each([1, 2, 3])(
    'of 30 percent in both directions keeps resends bounded and every account balanced (seed %i)',
    (seed) => {
      const random = new SeededRandom(seed);
      const link = new TrackLink({
        drop: () => random.unit() < 0.3,
        dropFeedback: () => random.unit() < 0.3,
        policy: fixedPolicy(3),
      });
      const track = link.open({ latencyUs: 200 * MS });
      sendEvery(link, track, 33 * MS, 90, () => 8_000);
      link.run(link.now + 3_000 * MS);
      link.at(link.now, () => track.end());
      link.run(link.now + 3_000 * MS);
      const { statistics } = track;
      expect(outcomesOf(link)).toHaveLength(90);
      expect(statistics.frames.sent).toBe(90);
      expect(settledSum(statistics.frames)).toBe(90);
      const received = link.server.receivers[0]?.statistics as { frames: FrameCounts };
      expect(received.frames.sent).toBe(90);
      expect(settledSum(received.frames)).toBe(90);
      expect(link.server.delivered.length).toBeGreaterThan(80);
      const total =
        statistics.mediaBytes + statistics.headerBytes + statistics.resendBytes + statistics.repairBytes;
      expect(total / statistics.mediaBytes).toBeLessThan(2);
      expect(link.server.log).toContain('ended 0');
      expect(link.client.log).toContain('sender ended 0');
    },
  );
});

describe('TRACK_ACK', () => {
  test('settles recovered frames even when four of five feedback packets are lost', () => {
    const random = new SeededRandom(5);
    const link = new TrackLink({
      drop: (packet) => packet.number > 1 && packet.number % 7 === 0,
      dropFeedback: () => random.unit() < 0.8,
      policy: fixedPolicy(4),
    });
    const track = link.open({ latencyUs: 400 * MS });
    sendEvery(link, track, 33 * MS, 60, () => 12_000);
    link.run(link.now + 5_000 * MS);
    expect(link.server.delivered).toHaveLength(60);
    const outcomes = outcomesOf(link);
    expect(outcomes).toHaveLength(60);
    expect(outcomes.filter((outcome) => outcome === 'expired').length).toBeLessThanOrEqual(2);
    expect(outcomes.filter((outcome) => outcome === 'recovered').length).toBeGreaterThan(10);
  });

  test('spares the resends of symbols that parity rebuilt', () => {
    const link = new TrackLink({
      drop: (packet) => packet.number % 10 === 5,
      policy: fixedPolicy(3),
    });
    const track = link.open();
    sendEvery(link, track, 33 * MS, 60, () => 16_667);
    link.run(link.now + 3_000 * MS);
    expect(link.server.delivered).toHaveLength(60);
    expect(track.statistics.frames.fec).toBeGreaterThan(30);
    expect(track.statistics.symbolsResent).toBeLessThanOrEqual(3);
  });
});

describe('a path that misbehaves', () => {
  test('reorders and duplicates: every frame is delivered once (seed 11)', () => {
    const random = new SeededRandom(11);
    const link = new TrackLink({ jitter: () => Math.floor(random.unit() * 15 * MS), copies: () => 2 });
    const track = link.open();
    sendEvery(link, track, 10 * MS, 100, () => 4_000);
    link.run(link.now + 3_000 * MS);
    expect(link.server.delivered.map(({ frame }) => frame.frameId)).toEqual(
      Array.from({ length: 100 }, (_, i) => i),
    );
  });

  test('carries smaller packets all of a sudden: lost symbols are resent in two parts', () => {
    const link = new TrackLink({
      drop: (packet) => packet.bytes.length > 1_000 && packet.number < 60 && packet.number % 3 === 0,
    });
    link.client.path.maxPayloadBytes = 1_423;
    const track = link.open({ latencyUs: 500 * MS });
    sendEvery(link, track, 33 * MS, 10, () => 16_667);
    link.run(link.now + 55 * MS);
    link.client.path.maxPayloadBytes = 900;
    link.run(link.now + 3_000 * MS);
    expect(link.server.delivered).toHaveLength(10);
    for (const { frame } of link.server.delivered) {
      expect(equalBytes(frame.data, mediaBytes(16_667, frame.frameId))).toBe(true);
    }
    expect(track.statistics.symbolsResent).toBeGreaterThan(0);
  });

  test('is too narrow: discardable frames expire, key frames get through, nothing waits longer than the latency', () => {
    const link = new TrackLink({ capacityBps: 2e6 });
    const track = link.open({ latencyUs: 300 * MS });
    const start = link.now;
    for (let i = 0; i < 150; i++) {
      link.at(start + i * 20 * MS, (now) => {
        const isKey = i % 25 === 0;
        track.send(
          mediaBytes(isKey ? 30_000 : 8_000, i),
          { timestampUs: i, keyFrame: isKey, discardable: !isKey },
          now,
        );
        expect(track.queuedUs(now)).toBeLessThanOrEqual(300 * MS);
      });
    }
    link.run(link.now + 5_000 * MS);
    const keys = link.server.delivered.filter(({ frame }) => frame.keyFrame);
    expect(keys).toHaveLength(6);
    expect(outcomesOf(link).filter((outcome) => outcome === 'expired').length).toBeGreaterThan(50);
    expect(settledSum(track.statistics.frames)).toBe(150);
    expect(track.unsettledFrames).toBe(0);
  });

  test('is dead: every send settles as expired in bounded time, and nothing is held afterwards', () => {
    const link = new TrackLink({ drop: () => true });
    const track = link.open();
    sendEvery(link, track, 33 * MS, 30, () => 16_667);
    link.run(link.now + 30 * 33 * MS + 120 * MS + 40 * MS + 100 * MS);
    expect(outcomesOf(link)).toEqual(new Array(30).fill('expired'));
    expect(track.unsettledFrames).toBe(0);
    expect(track.queuedBytes).toBe(0);
  });
});

/** Frame id of each whole symbol of index 0 in the packet: reads as little as the tests need. */
function contains(packet: Packet, frameId: number): boolean {
  // The frames are of one symbol, so each carries index 0: look for its data.
  const data = mediaBytes(900, frameId);
  return Buffer.from(packet.bytes).includes(Buffer.from(data.subarray(0, 64)));
}

/** True when the first frame of the packet is a SYMBOL of this track. */
function carriesOnly(packet: Packet, trackId: number): boolean {
  const type = packet.bytes[0] as number;
  return type >= 0x28 && type <= 0x2f && packet.bytes[1] === trackId;
}
