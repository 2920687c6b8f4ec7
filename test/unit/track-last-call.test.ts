/** When the last repair for a media frame leaves, on a path whose packets take their time. */
import { describe, expect, test } from 'vitest';
import { MILLISECOND } from '../../src/base/protocol.ts';
import type { RedundancyPolicy } from '../../src/track/types.ts';
import { fixedPolicy } from '../helpers/fixed-policy.ts';
import { PLAIN, SenderProbe } from '../helpers/track-sender.ts';

const MS = MILLISECOND;

/** One round fits, a full packet takes 100 ms, the last call asks for one repair symbol 4 ms before the deadline. */
function slowProbe(): SenderProbe {
  const fixed = fixedPolicy(0);
  const policy: RedundancyPolicy = {
    ...fixed,
    plan(input, plan) {
      fixed.plan(input, plan);
      plan.price = 500;
      plan.leadUs = 4 * MS;
      plan.packetUs = 100 * MS;
    },
    lastSpares: () => 1,
  };
  return new SenderProbe(policy);
}

describe('the last call for a media frame of 200 bytes, latency 100 ms', () => {
  test.each([
    ['waits while a small one leaves', 200, 0],
    ['comes before a large one that would occupy the path until then', 1_100, 1],
  ])('%s', (_what, bytes, repairs) => {
    const probe = slowProbe();
    probe.sender.send(new Uint8Array(200), PLAIN, 0);
    probe.writeAll(0);
    probe.sender.send(new Uint8Array(bytes), PLAIN, 50 * MS);
    const sent = probe.writeAll(50 * MS);
    expect(sent.filter(({ repair }) => repair !== undefined)).toHaveLength(repairs);
  });

  test('leaves time for the packet, which has a fifth of a full size', () => {
    const probe = slowProbe();
    probe.sender.send(new Uint8Array(200), PLAIN, 0);
    probe.writeAll(0);
    // 4 ms of lead, of which 3 are for a packet; this one takes 20.
    const callMs = probe.sender.nextDeadline() / MS;
    expect(callMs).toBeGreaterThan(76);
    expect(callMs).toBeLessThan(80);
    probe.sender.handleTimeout(callMs * MS);
    expect(probe.writeAll(callMs * MS).filter(({ repair }) => repair !== undefined)).toHaveLength(1);
  });
});
