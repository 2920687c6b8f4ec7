import { describe, expect, it, test } from 'vitest';
import { describeFindings, recommendLatency } from '../../src/cli/doctor-report.ts';
import { ProbeReceiver, type ProbeResult, withoutUnsent } from '../../src/node/probe.ts';

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
    const closed = describeFindings({ udp: 'closed' }).join(' ');
    expect(closed).toMatch(/nobody listens there, or a firewall on the way rejects UDP/);
    expect(closed).not.toMatch(/reaches the host/);
    const unanswered = describeFindings({ udp: 'unanswered' }).join(' ');
    expect(unanswered).toMatch(/a firewall drops UDP, datagrams of 1200 bytes do not pass/);
  });

  it('say that a path died, and keep what was measured before', () => {
    const findings = { udp: 'passes', rttMs: 20, minRttMs: 18, endedWhile: 'measuring capacity' } as const;
    const died = describeFindings({ ...findings, reason: 'ERR_MILLRACE_IDLE_TIMEOUT', message: 'silence' });
    expect(died).toContain('round trip     20.0 ms, at least 18.0 ms');
    expect(died.join(' ')).toMatch(/The path died while measuring capacity/);
    const left = describeFindings({ ...findings, reason: 'ERR_MILLRACE_PEER_CLOSED', message: 'good-bye' });
    expect(left.join(' ')).toMatch(/The connection ended while measuring capacity: good-bye/);
  });

  it('keep what the measurement of capacity lost apart from the path’s loss', () => {
    const capacity = { capacityUpBps: 1e6, capacityDownBps: 5e6, capacityUpLossRatio: 0.6 };
    const lines = describeFindings({ udp: 'passes', steadyUp: PERFECT, steadyDown: PERFECT, ...capacity });
    expect(lines).toContain('loss           none to the peer, none from it');
    expect(lines).toContain('loss when full 60.0 % to the peer, none from it: while capacity was measured');
    expect(lines).toContain('capacity       for a few seconds 1.0 Mbit/s to the peer, 5.0 Mbit/s from it');
    expect(lines.join(' ')).toMatch(/less in the long run/);
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

test('capacity behind a policer is what goes on to pass, without what its bucket let through at first', () => {
  const receiver = new ProbeReceiver();
  const probe = new Uint8Array(1_000);
  const view = new DataView(probe.buffer);
  // 300 kB in the first half second, from then on 1 Mbit/s: 125 a second.
  const arrivalsUs = [
    ...Array.from({ length: 300 }, (_, i) => (i * 500_000) / 300),
    ...Array.from({ length: 188 }, (_, i) => 500_000 + i * 8_000),
  ];
  for (const [number, atUs] of arrivalsUs.entries()) {
    view.setUint32(0, number);
    receiver.onDatagram(probe, atUs);
  }
  expect(receiver.result().bitsPerSecond).toBe(1e6);
});

test('capacity of which only the last datagram came in the second half is that of all', () => {
  const receiver = new ProbeReceiver();
  const probe = new Uint8Array(1_000);
  for (const [number, atUs] of [0, 1_000, 2_000, 8_000].entries()) {
    new DataView(probe.buffer).setUint32(0, number);
    receiver.onDatagram(probe, atUs);
  }
  expect(receiver.result().bitsPerSecond).toBe(3e6);
});
