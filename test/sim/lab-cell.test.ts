/** Cells: the same workload over each transport, every byte and every frame accounted for. */
import { describe, expect, it } from 'vitest';
import { type CellResult, type CellSpec, runCell, type TransportName } from '../../src/lab/cell.ts';
import { unaccountedBytes } from '../../src/lab/wire-meter.ts';
import { AUDIO, mpegTs } from '../../src/lab/workload.ts';
import { symmetric } from '../../src/sim/network.ts';

const TRANSPORTS: readonly TransportName[] = ['millrace', 'tcp-cubic', 'tcp-reno', 'tcp-skip', 'udp'];

/** Five seconds of video and audio over 20 Mbit/s and 60 ms. */
function specOf(transport: TransportName, lossRatio: number, changes: Partial<CellSpec> = {}): CellSpec {
  const link = {
    delayMs: 30,
    rateBps: 20e6,
    queue: { ms: 100 },
    loss: { kind: 'iid', ratio: lossRatio },
  } as const;
  return {
    transport,
    network: symmetric(link),
    workload: { video: { bitrateBps: 4e6 }, audio: AUDIO },
    latencyMs: 120,
    durationMs: 5_000,
    seed: 1,
    ...changes,
  };
}

function expectFinite(result: CellResult): void {
  const text = JSON.stringify(result, (_, value) => (value === Number.POSITIVE_INFINITY ? 'never' : value));
  expect(text).not.toContain('null');
}

describe.each(TRANSPORTS)('a cell of %s', (transport) => {
  it('accounts for every frame and every byte, with and without loss (seed 1)', () => {
    for (const ratio of [0, 0.05]) {
      const { result } = runCell(specOf(transport, ratio));
      expect(result.faults).toEqual([]);
      expect(unaccountedBytes(result.wire)).toBe(0);
      expect(unaccountedBytes(result.totalWire)).toBe(0);
      expect(result.sources.map(({ startup, steady }) => startup.frames + steady.frames)).toEqual([150, 250]);
      expectFinite(result);
    }
  });

  it('has all frames on time on a clean path, and what it sends is media and headers (seed 1)', () => {
    const { result } = runCell(specOf(transport, 0, { startupMs: 2_000 }));
    for (const { steady } of result.sources) expect(steady.onTime).toBe(steady.frames);
    expect(result.wire.repair + result.wire.resend).toBe(0);
    expect(result.wire.total / result.mediaBytes).toBeLessThan(1.08);
  });

  it('gives the same figures and the same trace hash for the same seed, others for another', () => {
    const once = runCell(specOf(transport, 0.02)).result;
    expect(runCell(specOf(transport, 0.02)).result).toEqual(once);
    expect(runCell(specOf(transport, 0.02, { seed: 2 })).result.traceHash).not.toBe(once.traceHash);
  });
});

describe('a cell', () => {
  it('shows what loss does to each transport (seed 1)', () => {
    const onTime = (transport: TransportName): number => {
      const video = runCell(specOf(transport, 0.05)).result.sources[0];
      return (video?.steady.onTime ?? 0) / (video?.steady.frames ?? 1);
    };
    expect(onTime('millrace')).toBeGreaterThan(0.9);
    expect(onTime('tcp-cubic')).toBeLessThan(0.5);
    expect(onTime('udp')).toBeLessThan(0.7);
  });

  it('changes the network when its steps say so (seed 1)', () => {
    const steps = [{ atMs: 4_000, do: 'blackout', link: 'both', durationMs: 500 }] as const;
    const { result } = runCell(specOf('udp', 0, { steps }));
    expect(result.sources[0]?.steady.gaps.count).toBe(1);
    expect(result.sources[1]?.steady.delivered).toBe(75);
  });

  it('notices a sender whose own count differs from the wire by one byte (seed 1)', () => {
    const { result } = runCell(specOf('millrace', 0.02, { durationMs: 1_000 }), {
      onStart: ({ millrace }) => {
        for (const track of millrace?.tracks ?? []) track.statistics.repairBytes++;
      },
    });
    expect(result.faults).toEqual([expect.stringMatching(/^repair: \d+ bytes on the wire/)]);
  });

  it('tells what a millrace connection says to prove a path from what it says of media (seed 1)', () => {
    const steps = [{ atMs: 1_000, do: 'blackout', link: 'both', durationMs: 1_500 }] as const;
    const { result } = runCell(specOf('millrace', 0, { steps }));
    expect(result.faults).toEqual([]);
    expect(result.totalWire.probe).toBeGreaterThan(3_000);
  });

  it('counts every frame as lost when no connection comes about (seed 1)', () => {
    const network = symmetric({ delayMs: 30, loss: { kind: 'iid', ratio: 1 } });
    const { result } = runCell(specOf('millrace', 1, { network, durationMs: 1_000 }));
    expect(result.connectMs).toBe(Number.POSITIVE_INFINITY);
    expect(result.sources[0]?.startup).toMatchObject({ frames: 30, delivered: 0, onTime: 0 });
    expect(result.faults).toEqual([]);
    expect(result.ended).toContain('10 s');
  });

  it('carries datagrams, and lets a source follow the target of its transport (seed 1)', () => {
    const bundles = runCell(specOf('millrace', 0.01, { workload: { packets: mpegTs(2e6) } })).result;
    expect(bundles.faults).toEqual([]);
    expect(bundles.sources[0]?.steady.delivered).toBe(bundles.sources[0]?.steady.frames);
    const follow = { minBps: 500_000, maxBps: 8e6 };
    const { result } = runCell(
      specOf('millrace', 0, { workload: { video: { bitrateBps: 1e6, follow } }, durationMs: 8_000 }),
    );
    expect((result.mediaBytes * 8) / 5).toBeGreaterThan(2e6);
  });

  it('lets an experimenter look at the sender while it runs (seed 1)', () => {
    const seen: number[] = [];
    runCell(specOf('millrace', 0.02), {
      sampleEveryMs: 500,
      onSample: ({ millrace }, nowMs) => {
        seen.push(nowMs);
        expect(millrace?.tracks[0]?.statistics.frames.sent).toBeGreaterThanOrEqual(0);
      },
    });
    expect(seen).toEqual([0, 500, 1_000, 1_500, 2_000, 2_500, 3_000, 3_500, 4_000, 4_500]);
  });
});
