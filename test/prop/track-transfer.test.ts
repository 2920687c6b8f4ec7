import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { equalBytes } from '../../src/base/bytes.ts';
import { MILLISECOND } from '../../src/base/protocol.ts';
import { SeededRandom } from '../../src/base/random.ts';
import type { Delivery, FrameCounts, Order } from '../../src/track/types.ts';
import { fixedPolicy } from '../helpers/fixed-policy.ts';
import { mediaBytes, TrackLink } from '../helpers/track-link.ts';
import { ReceiverProbe } from '../helpers/track-symbols.ts';

const MS = MILLISECOND;

const scenarios = fc.record({
  seed: fc.nat(),
  loss: fc.constantFrom(0, 0.02, 0.1, 0.4),
  feedbackLoss: fc.constantFrom(0, 0.1, 0.5),
  jitterMs: fc.constantFrom(0, 3, 30),
  copies: fc.constantFrom(1, 2),
  delayMs: fc.constantFrom(2, 20, 90),
  capacityBps: fc.constantFrom(3e6, 50e6),
  latencyMs: fc.constantFrom(30, 120, 500),
  delivery: fc.constantFrom<Delivery>('asap', 'timed'),
  order: fc.constantFrom<Order>('send', 'none'),
  repair: fc.constantFrom(0, 1, 3),
  streamRatio: fc.constantFrom(0, 0.2, 1),
  span: fc.constantFrom(0, 3),
  skewS: fc.constantFrom(-0.5, 0, 7_000),
  frames: fc.array(
    fc.record({
      size: fc.oneof(fc.nat(1_500), fc.constantFrom(0, 1_148, 1_149, 9_000, 40_000)),
      gapMs: fc.constantFrom(0, 5, 20, 33),
      keyFrame: fc.boolean(),
      discardable: fc.boolean(),
    }),
    { minLength: 1, maxLength: 60 },
  ),
});

function sum(counts: FrameCounts): number {
  return counts.onTime + counts.fec + counts.resent + counts.late + counts.lost;
}

describe('whatever the path does', () => {
  test('every send settles exactly once, frames come whole and at most once, and both accounts balance', () => {
    fc.assert(
      fc.property(scenarios, (s) => {
        const random = new SeededRandom(s.seed);
        const link = new TrackLink({
          delayUs: s.delayMs * MS,
          capacityBps: s.capacityBps,
          drop: () => random.unit() < s.loss,
          dropFeedback: () => random.unit() < s.feedbackLoss,
          jitter: () => Math.floor(random.unit() * s.jitterMs * MS),
          copies: () => s.copies,
          policy: fixedPolicy(s.repair, s.streamRatio, s.span),
          skewUs: s.skewS * 1_000 * MS,
        });
        const track = link.open({ latencyUs: s.latencyMs * MS, delivery: s.delivery, order: s.order });
        let at = link.now;
        s.frames.forEach(({ size, gapMs, keyFrame, discardable }, i) => {
          at += gapMs * MS;
          const timestampUs = at;
          link.at(at, (now) => {
            expect(track.send(mediaBytes(size, i), { timestampUs, keyFrame, discardable }, now)).toBe(i);
          });
        });
        const deadline = at + s.latencyMs * MS + 2 * (s.delayMs + s.jitterMs) * MS + 200 * MS;
        link.run(deadline);
        const settled = [...link.client.outcomes.values()];
        expect(settled).toHaveLength(s.frames.length);
        expect(settled.every((outcomes) => outcomes.length === 1)).toBe(true);
        expect(track.unsettledFrames).toBe(0);
        track.end();
        link.run(deadline + 20_000 * MS);

        const delivered = link.server.delivered.map(({ frame }) => frame);
        for (const frame of delivered) {
          const { size, keyFrame, discardable } = s.frames[frame.frameId] as (typeof s.frames)[number];
          expect(equalBytes(frame.data, mediaBytes(size, frame.frameId))).toBe(true);
          expect([frame.keyFrame, frame.discardable]).toEqual([keyFrame, discardable]);
        }
        const ids = delivered.map(({ frameId }) => frameId);
        expect(new Set(ids).size).toBe(ids.length);
        if (s.order === 'send') {
          expect(ids).toEqual(ids.toSorted((a, b) => a - b));
          let next = 0;
          for (const { frameId, skipped } of delivered) {
            expect(skipped).toBe(frameId - next);
            next = frameId + 1;
          }
        }
        const { frames } = track.statistics;
        expect(frames.sent).toBe(s.frames.length);
        expect(sum(frames)).toBe(s.frames.length);
        const received = link.server.receivers[0]?.statistics;
        expect(link.server.log).toContain('ended 0');
        expect(received?.frames.sent).toBe(s.frames.length);
        expect(sum(received?.frames as FrameCounts)).toBe(s.frames.length);
        expect(received?.frames.lost).toBeGreaterThanOrEqual(0);
        expect([...link.client.errors, ...link.server.errors]).toEqual([]);
        if (s.loss === 0 && s.feedbackLoss === 0 && s.jitterMs === 0) {
          const expired = track.statistics.framesExpired;
          // Repair that left ahead of the data may complete a media frame that expired half sent.
          if (s.streamRatio > 0) expect(received?.frames.lost).toBeLessThanOrEqual(expired);
          else expect(received?.frames.lost).toBe(expired);
        }
      }),
      { numRuns: 150 },
    );
  });

  test('no sequence of symbols makes a receiver throw, hold without bound, or deliver what is not whole', () => {
    const symbol = fc.record({
      id: fc.oneof(fc.nat(40), fc.nat(16_777_215)),
      bytes: fc.oneof(
        fc.uint8Array({ minLength: 1, maxLength: 30 }),
        fc
          .record({ length: fc.nat(60), index: fc.nat(4), count: fc.nat(5), fill: fc.nat(255) })
          .map((f) =>
            Uint8Array.from([
              0,
              f.fill & 1,
              f.length,
              f.index,
              f.count,
              ...(f.index === 0 ? [0, f.fill & 15, 0] : []),
              ...new Array<number>(f.count > 0 ? Math.ceil(f.length / f.count) : 0).fill(f.fill),
            ]),
          ),
      ),
      what: fc.constantFrom('symbol', 'symbol', 'symbol', 'repair', 'skip', 'part', 'end', 'time'),
      small: fc.nat(300),
    });
    fc.assert(
      fc.property(
        fc.array(symbol, { maxLength: 80 }),
        fc.constantFrom<Order>('send', 'none'),
        (steps, order) => {
          const probe = new ReceiverProbe({ order });
          let now = 1_000_000;
          for (const { id, bytes, what, small } of steps) {
            if (what === 'symbol') probe.symbol(id, bytes, now);
            else if (what === 'repair') probe.repair(id, Math.max(1, small % 200), small % 50, bytes, now);
            else if (what === 'skip') probe.receiver.onSkip(id, small, now);
            else if (what === 'part') probe.part(id, bytes, 0, bytes.length, now, bytes.length + small);
            else if (what === 'end' && small < 3) probe.receiver.onEnd(id, small, now);
            else now += small * 1_000;
            probe.run(now);
          }
          probe.run(now + 10_000_000);
          expect(probe.receiver.nextDeadline()).toBeGreaterThan(now + 10_000_000);
          const { frames } = probe.receiver.statistics;
          expect(sum(frames)).toBe(frames.sent);
          for (const frame of probe.frames) expect(frame.data.length).toBeLessThanOrEqual(60);
        },
      ),
      { numRuns: 400 },
    );
  });
});
