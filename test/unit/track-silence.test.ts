import { describe, expect, test } from 'vitest';
import { MILLISECOND } from '../../src/base/protocol.ts';
import type { RedundancyPolicy } from '../../src/track/types.ts';
import { fixedPolicy } from '../helpers/fixed-policy.ts';
import { PLAIN, SenderProbe } from '../helpers/track-sender.ts';

const MS = MILLISECOND;
/** RTT 40 ms without variance, and 5 ms until feedback: an answer is overdue. */
const FATE_MS = 45;

/** One round fits, a full packet takes `packetMs` on the narrowest link, the last call is 4 ms before the deadline. */
function policyOf(packetMs: number): RedundancyPolicy {
  const fixed = fixedPolicy(0);
  return {
    ...fixed,
    plan(input, plan) {
      fixed.plan(input, plan);
      plan.price = 500;
      plan.leadUs = 4 * MS;
      plan.packetUs = packetMs * MS;
      plan.spacingUs = MS;
    },
  };
}

/** Latency 100 ms, a path that has lost something before. */
function lossyProbe(packetMs = 1): SenderProbe {
  const probe = new SenderProbe(policyOf(packetMs));
  probe.path.lossRatio = 0.05;
  return probe;
}

/** Instants, to the ms, at which the sender has something to write by its own timers, and how many symbols. */
function resends(probe: SenderProbe, untilMs: number): [number, number][] {
  const found: [number, number][] = [];
  for (let steps = 0; probe.sender.nextDeadline() <= untilMs * MS; steps++) {
    if (steps > 10_000) throw new Error('the deadline does not move');
    const now = Math.max(0, probe.sender.nextDeadline());
    probe.sender.handleTimeout(now);
    const symbols = probe.writeAll(now).filter(({ symbol }) => symbol?.isResent === true);
    if (symbols.length > 0) found.push([Math.round(now / MS), symbols.length]);
  }
  return found;
}

describe('a media frame that nothing is heard of', () => {
  test('is sent again in time for all of it to arrive, though nothing behind it is acknowledged', () => {
    const probe = lossyProbe();
    probe.sender.send(new Uint8Array(10 * 1_100), PLAIN, 0);
    const activations = probe.activations;
    expect(probe.writeAll(0)).toHaveLength(10);
    expect(resends(probe, 99)).toEqual([[100 - 4 - 10, 10]]);
    expect(probe.activations).toBeGreaterThan(activations);
  });

  test.each([
    [1, 10],
    [2, 0],
  ])(
    'is not sent again where media frames take more than half of the path: %i ms a packet, %i resends',
    (packetMs, count) => {
      const probe = lossyProbe();
      probe.path.packetUs = packetMs * MS;
      probe.path.heardAtUs = 60 * MS;
      probe.sender.send(new Uint8Array(10 * 1_100), PLAIN, 0);
      for (const symbol of probe.writeAll(0)) probe.ack(symbol, 30 * MS);
      probe.sender.send(new Uint8Array(10 * 1_100), PLAIN, 33 * MS);
      probe.writeAll(33 * MS);
      expect(resends(probe, 132).reduce((sum, [, symbols]) => sum + symbols, 0)).toBe(count);
    },
  );

  test('is sent again once: what is silent then is left to the last call', () => {
    const probe = lossyProbe();
    probe.sender.send(new Uint8Array(3 * 1_100), PLAIN, 0);
    probe.writeAll(0);
    expect(resends(probe, 99)).toEqual([[93, 3]]);
  });

  test('is sent again later where its packets are small: a slow pace lets them go sooner', () => {
    const probe = lossyProbe(20);
    probe.path.packetUs = 20 * MS;
    probe.sender.send(new Uint8Array(200), PLAIN, 0);
    probe.writeAll(0);
    // 200 bytes and their headers are a fifth of a full packet: 4 ms.
    expect(resends(probe, 99)).toEqual([[92, 1]]);
  });

  test('is sent again as late as that will do: what is acknowledged until then is spared', () => {
    const probe = lossyProbe();
    probe.sender.send(new Uint8Array(10 * 1_100), PLAIN, 0);
    const sent = probe.writeAll(0);
    for (const symbol of sent.slice(0, 6)) probe.ack(symbol, 50 * MS);
    expect(resends(probe, 99)).toEqual([[92, 4]]);
  });

  test('as a large one is sent again symbol by symbol as the answers become overdue', () => {
    const probe = lossyProbe();
    probe.path.heardAtUs = 10 * MS;
    probe.sender.send(new Uint8Array(60 * 1_100), PLAIN, 0);
    const left = probe.writeAll(0);
    expect(left.length).toBeGreaterThan(54);
    const found = resends(probe, 99);
    // They queue before the link for 1 ms each: that of symbol i is overdue i ms later.
    expect(found[0]).toEqual([FATE_MS, 1]);
    expect(found[1]).toEqual([FATE_MS + 2, 2]);
    expect(found.reduce((sum, [, count]) => sum + count, 0)).toBeGreaterThan(50);
  });

  test('is not sent again in an outage, or when the path has become longer: nothing at all is heard of then', () => {
    const probe = lossyProbe();
    probe.path.heardAtUs = -20 * MS;
    probe.sender.send(new Uint8Array(10 * 1_100), PLAIN, 0);
    probe.writeAll(0);
    expect(resends(probe, 99)).toEqual([]);
  });

  test('costs nothing on a path that loses nothing, however late the answers are', () => {
    const probe = new SenderProbe(policyOf(1));
    probe.sender.send(new Uint8Array(10 * 1_100), PLAIN, 0);
    probe.writeAll(0);
    expect(resends(probe, 99)).toEqual([]);
  });

  test('is not sent again when its acknowledgement has come', () => {
    const probe = lossyProbe();
    probe.sender.send(new Uint8Array(10 * 1_100), PLAIN, 0);
    for (const symbol of probe.writeAll(0)) probe.ack(symbol, 45 * MS);
    expect(resends(probe, 99)).toEqual([]);
    expect(probe.settled).toEqual([[0, 'acknowledged']]);
  });

  test('is acknowledged by its first transmission as well, when that is only late', () => {
    const probe = lossyProbe();
    probe.sender.send(new Uint8Array(3 * 1_100), PLAIN, 0);
    const sent = probe.writeAll(0);
    resends(probe, 94);
    for (const symbol of sent) probe.ack(symbol, 95 * MS);
    expect(probe.settled).toEqual([[0, 'acknowledged']]);
  });
});
