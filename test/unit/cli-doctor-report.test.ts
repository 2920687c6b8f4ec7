import { describe, expect, it } from 'vitest';
import { describeFindings, recommendLatency } from '../../src/cli/doctor-report.ts';
import { type ProbeResult, withoutUnsent } from '../../src/node/probe.ts';

const PERFECT: ProbeResult = {
  received: 300,
  lost: 0,
  lossRatio: 0,
  burstMean: 0,
  reordered: 0,
  jitterP50Ms: 0.2,
  jitterP95Ms: 1,
  bitsPerSecond: 80_000,
};

describe('the recommended latency', () => {
  it.each([
    [0, 60, 1, 40],
    [0.01, 60, 1, 130],
    [0.05, 60, 5, 230],
    [0.05, 200, 10, 560],
    [0.3, 20, 5, 190],
  ])('at loss %d, RTT %d ms and jitter %d ms is %d ms', (loss, rttMs, jitterMs, expected) => {
    expect(recommendLatency(rttMs, loss, jitterMs)).toBe(expected);
  });
});

describe('the words', () => {
  it('tell a closed port from silence', () => {
    expect(describeFindings({ udp: 'closed' }).join(' ')).toMatch(/nobody listens at that port/);
    expect(describeFindings({ udp: 'unanswered' }).join(' ')).toMatch(/a firewall drops UDP/);
  });

  it('name loss with the length of its runs, and advise when it is heavy', () => {
    const steadyUp = { ...PERFECT, lost: 60, lossRatio: 0.2, burstMean: 1.5 };
    const lines = describeFindings({ udp: 'passes', steadyUp, steadyDown: PERFECT });
    expect(lines).toContain('loss           20.0 % in runs of 1.5 to the peer, none from it');
    expect(lines.at(-1)).toMatch(/try another network/);
  });

  it('say that the machine was busy, and that packets never left, where that is so', () => {
    const idle = describeFindings({ udp: 'passes', unsent: 0, busyMs: 3 }).join(' ');
    expect(idle).not.toMatch(/busy/);
    const busy = describeFindings({ udp: 'passes', unsent: 7, busyMs: 45.4 }).join(' ');
    expect(busy).toMatch(/This machine was busy, its timers 45 ms late/);
    expect(busy).toMatch(/7 test packets waited too long to be sent/);
  });

  it('give a small capacity in kbit/s', () => {
    const lines = describeFindings({ udp: 'passes', capacityUpBps: 110_260, capacityDownBps: 2_240_000 });
    expect(lines).toContain('capacity       at least 110 kbit/s to the peer, 2.2 Mbit/s from it');
  });
});

describe('probes that never left', () => {
  it('are no loss of the path', () => {
    const seen = { ...PERFECT, received: 80, lost: 20, lossRatio: 0.2, burstMean: 5 };
    expect(withoutUnsent(seen, { sent: 100, unsent: 0 })).toEqual(seen);
    expect(withoutUnsent(seen, { sent: 100, unsent: 18 })).toMatchObject({ lost: 2, burstMean: 2 });
    expect(withoutUnsent(seen, { sent: 100, unsent: 18 }).lossRatio).toBeCloseTo(2 / 82);
    expect(withoutUnsent(seen, { sent: 100, unsent: 20 })).toMatchObject({ lost: 0, lossRatio: 0 });
    // Those behind the last that arrived are no gap in the numbers.
    expect(withoutUnsent(seen, { sent: 130, unsent: 35 })).toMatchObject({ lost: 15 });
  });
});
