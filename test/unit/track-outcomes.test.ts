import { describe, expect, test } from 'vitest';
import { MILLISECOND, NEVER } from '../../src/base/protocol.ts';
import { SEND_BYTES_MAX } from '../../src/track/limits.ts';
import { fixedPolicy } from '../helpers/fixed-policy.ts';
import { PLAIN, SenderProbe, type Sent, trackAck } from '../helpers/track-sender.ts';

const MS = MILLISECOND;

describe('outcomes', () => {
  test('wait for the acknowledgement that follows a TRACK_ACK before they say recovered', () => {
    const probe = new SenderProbe();
    const { sender } = probe;
    sender.send(new Uint8Array(100), PLAIN, 0);
    sender.send(new Uint8Array(100), PLAIN, 0);
    const [first, second] = probe.writeAll(0) as [Sent, Sent];
    sender.onTrackAck(trackAck([[0, 2]]), 40 * MS);
    expect(probe.settled).toEqual([]);
    probe.ack(first, 41 * MS);
    expect(probe.settled).toEqual([[0, 'acknowledged']]);
    const due = sender.nextDeadline();
    expect(due).toBeLessThan(100 * MS + 80 * MS);
    sender.handleTimeout(due);
    expect(probe.settled).toEqual([
      [0, 'acknowledged'],
      [1, 'recovered'],
    ]);
    probe.ack(second, 200 * MS);
    expect(probe.settled).toHaveLength(2);
  });

  test('are expired at the deadline for what has not left, with a TRACK_SKIP for what has left in part', () => {
    const probe = new SenderProbe();
    const { sender } = probe;
    sender.send(new Uint8Array(5_000), PLAIN, 0);
    sender.send(new Uint8Array(5_000), PLAIN, 0);
    probe.write(0);
    expect(sender.nextDeadline()).toBe(100 * MS);
    sender.handleTimeout(100 * MS);
    expect(probe.settled).toEqual([
      [0, 'expired'],
      [1, 'expired'],
    ]);
    expect(probe.skips).toEqual([[0, 5]]);
    expect(sender.nextSymbolId).toBe(5);
    expect(sender.nextDeadline()).toBe(NEVER);
    expect(sender.hasData(100 * MS)).toBe(false);
  });

  test('are expired a round trip after the deadline for what left and was never heard of', () => {
    const probe = new SenderProbe();
    const { sender } = probe;
    sender.send(new Uint8Array(100), PLAIN, 0);
    probe.write(0);
    const due = sender.nextDeadline();
    expect(due).toBe(100 * MS + 40 * MS + 30 * MS);
    sender.handleTimeout(due - 1);
    expect(probe.settled).toEqual([]);
    sender.handleTimeout(due);
    expect(probe.settled).toEqual([[0, 'expired']]);
    expect(probe.skips).toEqual([]);
  });

  test('wait for an answer that takes five seconds, unless half of what the track may hold is held', () => {
    const probe = new SenderProbe();
    const { sender, path } = probe;
    path.smoothedRttUs = 5_000 * MS;
    sender.send(new Uint8Array(100), PLAIN, 0);
    const first = probe.write(0);
    sender.handleTimeout(5_000 * MS);
    expect(probe.settled).toEqual([]);
    probe.ack(first, 5_000 * MS);
    expect(probe.settled).toEqual([[0, 'acknowledged']]);
    sender.send(new Uint8Array(100), PLAIN, 6_000 * MS);
    probe.write(6_000 * MS);
    const giveUpUs = (6_000 + 100 + 2_000 + 30) * MS;
    sender.handleTimeout(giveUpUs);
    expect(probe.settled).toHaveLength(1);
    for (const bytes of [16_000_000, 10_000_000]) sender.send(new Uint8Array(bytes), PLAIN, giveUpUs);
    expect(probe.settled).toHaveLength(1);
    sender.handleTimeout(giveUpUs);
    expect(probe.settled.slice(1)).toEqual([[1, 'expired']]);
  });

  test('are dropped for everything when the track is closed', () => {
    const probe = new SenderProbe();
    const { sender } = probe;
    sender.send(new Uint8Array(5_000), PLAIN, 0);
    sender.send(new Uint8Array(100), PLAIN, 0);
    probe.write(0);
    sender.close(1);
    expect(probe.settled).toEqual([
      [0, 'dropped'],
      [1, 'dropped'],
    ]);
    expect(sender.statistics.frames.lost).toBe(2);
    expect(sender.queuedBytes).toBe(0);
    expect(sender.hasData(1)).toBe(false);
  });

  test('end the track once, when the last is known', () => {
    const probe = new SenderProbe();
    const { sender } = probe;
    sender.send(new Uint8Array(100), PLAIN, 0);
    sender.end();
    expect(probe.log).toEqual([]);
    const sent = probe.write(0) as Sent;
    expect(probe.log).toEqual(['drained 1 1']);
    probe.ack(sent, 40 * MS);
    sender.end();
    expect(probe.log).toEqual(['drained 1 1', 'ended']);
  });

  test('of a peer that acknowledges what was never sent are a reason to close', () => {
    const probe = new SenderProbe();
    const { sender } = probe;
    sender.send(new Uint8Array(100), PLAIN, 0);
    expect(sender.onTrackAck(trackAck([[0, 1]]), 0)).not.toBe(0);
  });
});

describe('a queue that does not drain', () => {
  test('drops whole what cannot leave in time while a younger frame waits, and begins the last one anyway', () => {
    const probe = new SenderProbe();
    const { sender } = probe;
    sender.send(new Uint8Array(33_000), PLAIN, 0);
    sender.send(new Uint8Array(33_000), PLAIN, 33 * MS);
    expect(probe.write(80 * MS)?.symbol?.symbolId).toBe(0);
    expect(probe.settled).toEqual([[0, 'expired']]);
    expect(sender.statistics.symbolsSent).toBe(1);

    const lone = new SenderProbe();
    lone.sender.send(new Uint8Array(33_000), PLAIN, 0);
    expect(lone.write(80 * MS)).toBeDefined();
    expect(lone.settled).toEqual([]);
  });

  test('expires discardable frames from half of the latency on, and keeps key frames until their deadline', () => {
    const probe = new SenderProbe();
    const { sender } = probe;
    sender.send(new Uint8Array(50_000), { ...PLAIN, keyFrame: true }, 0);
    for (let i = 1; i < 4; i++)
      sender.send(new Uint8Array(5_000), { ...PLAIN, discardable: true }, i * 10 * MS);
    sender.send(new Uint8Array(5_000), PLAIN, 40 * MS);
    probe.write(40 * MS);
    expect(sender.nextDeadline()).toBe(50 * MS);
    sender.handleTimeout(50 * MS);
    expect(probe.settled.map(([id]) => id)).toEqual([1, 2, 3]);
    expect(sender.queuedUs(60 * MS)).toBe(60 * MS);
  });

  test('holds a bounded number of bytes: ordinary frames go before key frames', () => {
    const probe = new SenderProbe(fixedPolicy(0), 60_000 * MS);
    const { sender } = probe;
    const size = 8 * 1_048_576;
    sender.send(new Uint8Array(size), { ...PLAIN, keyFrame: true }, 0);
    for (let i = 1; i <= SEND_BYTES_MAX / size; i++) sender.send(new Uint8Array(size), PLAIN, 0);
    expect(probe.settled).toEqual([[1, 'dropped']]);
    expect(sender.queuedBytes).toBeLessThanOrEqual(SEND_BYTES_MAX);
  });
});
