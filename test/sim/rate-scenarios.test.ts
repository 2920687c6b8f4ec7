/** What rate control makes of shared and shallow paths, with whole connections: scenarios of bench/rate, one seed each. */
import { describe, expect, test } from 'vitest';
import type { Metrics, RateCase } from '../../bench/rate/case.ts';
import { CASES_8867 } from '../../bench/rate/cases-8867.ts';
import { CASES_PATHS } from '../../bench/rate/cases-paths.ts';
import { runCase } from '../../bench/rate/world.ts';

const SEED = 7;
/** A scenario takes seconds, but not on a machine that does other things. */
const TIMEOUT_MS = 240_000;

/** Runs a scenario of the bench. */
function measured(name: string): Metrics {
  const found = [...CASES_8867, ...CASES_PATHS].find((one) => one.name === name) as RateCase;
  return found.measure(runCase(found, SEED));
}

describe(`rate control (seed ${SEED})`, { timeout: TIMEOUT_MS }, () => {
  test('keeps a share beside one long TCP flow, and leaves it one', () => {
    const { shareRatio, tcpRatio } = measured('5.6');
    expect(shareRatio).toBeGreaterThan(0.25);
    expect(tcpRatio).toBeGreaterThan(0.25);
  });

  test('shares a path with its like', () => {
    const { jainMin, usedRatio } = measured('5.4');
    expect(jainMin).toBeGreaterThan(0.9);
    expect(usedRatio).toBeGreaterThan(0.9);
  });

  test('does not flood a buffer of two packets', () => {
    expect(measured('shallow10').lossRatio).toBeLessThan(0.08);
  });

  test('does not push against a policer', () => {
    expect(measured('policer').overRatio).toBeLessThan(1.4);
  });

  test('does not take jitter of up to 90 ms for a queue', () => {
    const { shareRatio, queueP95Ms } = measured('jitter30');
    expect(shareRatio).toBeGreaterThan(0.75);
    expect(queueP95Ms).toBeLessThan(80);
  });

  test('keeps frames on time when the capacity falls from 20 to 3 Mbit/s, the first second apart', () => {
    expect(measured('step20-3-20').onTimeRatio).toBeGreaterThan(0.95);
  });

  test('spends next to nothing on probes where encoders have what they want', () => {
    expect(measured('clean').probeRatio).toBeLessThan(0.005);
  });

  test('finds a capacity that rises within 5 s, and leaves one that falls within 0.6 s', () => {
    const { riseS, fallS } = measured('5.1');
    expect(riseS).toBeLessThan(5);
    expect(fallS).toBeLessThan(0.6);
  });
});
