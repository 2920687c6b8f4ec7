/** What trains that prove capacity cost flows that need little of it. */
import { describe, expect, test } from 'vitest';
import { runCell } from '../../src/lab/cell.ts';

const STARTUP_MS = 3_000;

/** Samples of 10 ms, later than the start-up, in which a train was under way; and what was believed at its end. */
function audioCall(lossRatio: number, seed: number): { trainsLate: number; capacityBps: number } {
  const link = {
    delayMs: 75,
    rateBps: 20e6,
    queue: { ms: 100 },
    loss: { kind: 'iid', ratio: lossRatio },
  } as const;
  let trainsLate = 0;
  let capacityBps = 0;
  runCell(
    {
      transport: 'millrace',
      network: { up: link, down: link },
      workload: { audio: { sizeBytes: 160, everyMs: 20 } },
      latencyMs: 120,
      durationMs: 12_000,
      seed,
    },
    {
      sampleEveryMs: 10,
      onSample: ({ millrace }, nowMs) => {
        const controller = millrace?.client.connection.state.controller;
        if (controller === undefined) return;
        if (nowMs <= STARTUP_MS) capacityBps = controller.capacityBps;
        else if (controller.probeBytesWanted > 0) trainsLate++;
      },
    },
  );
  return { trainsLate, capacityBps };
}

describe('an audio call', { timeout: 120_000 }, () => {
  for (const lossRatio of [0, 0.05, 0.1]) {
    test(`has proven what it uses after 3 s at ${lossRatio * 100} % loss, and sends no train again (seeds 1 to 3)`, () => {
      for (const seed of [1, 2, 3]) {
        const { trainsLate, capacityBps } = audioCall(lossRatio, seed);
        // 1.3 times 208 bytes on the wire every 20 ms, with which it began.
        expect(capacityBps).toBeGreaterThan(1.3 * 83_200);
        expect(trainsLate).toBe(0);
      }
    });
  }
});
