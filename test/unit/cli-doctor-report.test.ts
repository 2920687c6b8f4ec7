import { describe, expect, it } from 'vitest';
import { describeFindings, recommendLatency } from '../../src/cli/doctor-report.ts';
import type { ProbeResult } from '../../src/node/probe.ts';

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
});
