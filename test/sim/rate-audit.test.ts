/** What finding out whose loss it is costs encoders that follow no target. */
import { describe, expect, test } from 'vitest';
import { type CellRun, runCell } from '../../src/lab/cell.ts';

const ONE_WAY_MS = 20;
const LATENCY_MS = 120;
/** An audit delays what leaves while it runs, and what has queued by its end. */
const AFTER_MS = 100;
const SAMPLE_MS = 10;

/** A fixed encoder that uses four fifths of 2 Mbit/s, repair included. */
function fixedEncoder(bitrateBps: number, lossRatio: number, seed: number): { during: number; late: number } {
  const audits: boolean[] = [];
  const link = {
    delayMs: ONE_WAY_MS,
    rateBps: 2e6,
    queue: { ms: 200 },
    loss: { kind: 'iid', ratio: lossRatio },
  } as const;
  const { cell }: CellRun = runCell(
    {
      transport: 'millrace',
      network: { up: link, down: link },
      workload: { video: { bitrateBps, keyFrameFactor: 1 } },
      latencyMs: LATENCY_MS,
      durationMs: 20_000,
      seed,
    },
    {
      sampleEveryMs: SAMPLE_MS,
      onSample: ({ millrace }, nowMs) => {
        audits[Math.round(nowMs / SAMPLE_MS)] =
          millrace?.client.connection.state.controller.state === 'audit';
      },
    },
  );
  let during = 0;
  let late = 0;
  for (const { sentAtUs, deliveredAtUs } of cell.logs[0]?.frames ?? []) {
    const at = Math.round((sentAtUs - cell.startedAtUs) / 1e3 / SAMPLE_MS);
    if (!audits.slice(Math.max(0, at - AFTER_MS / SAMPLE_MS), at + 1).includes(true)) continue;
    during++;
    if (deliveredAtUs - sentAtUs > (ONE_WAY_MS + LATENCY_MS + 15) * 1e3) late++;
  }
  return { during, late };
}

describe('audits under a fixed encoder at 80 % of capacity', { timeout: 120_000 }, () => {
  for (const [bitrateBps, lossRatio] of [
    [1.3e6, 0.05],
    [1.2e6, 0.1],
  ] as const) {
    test(`take place at ${lossRatio * 100} % loss, and cost next to no frames (seeds 1 and 2)`, () => {
      const runs = [1, 2].map((seed) => fixedEncoder(bitrateBps, lossRatio, seed));
      const during = runs.reduce((sum, run) => sum + run.during, 0);
      const late = runs.reduce((sum, run) => sum + run.late, 0);
      expect(during).toBeGreaterThan(40);
      expect(late / during).toBeLessThan(0.02);
    });
  }
});
