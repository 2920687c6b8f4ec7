/** A part of `npm run fuzz`, small enough for every run of the tests. */
import { describe, expect, it } from 'vitest';
import { HALF_OPEN_MAX } from '../../src/endpoint.ts';
import { FuzzedCall } from './call.ts';

const COUNT = 50_000;
const PER_MS = 50;

describe('hostile datagrams at both ends of a live call', () => {
  for (const seed of [1, 2]) {
    it(`${COUNT / 2} of them throw nothing, delay no media frame and hold no more state than allowed (seed ${seed})`, () => {
      const call = new FuzzedCall(seed);
      call.attack(COUNT / 2, PER_MS);
      const report = call.finish();
      expect(report.isOpen).toBe(true);
      expect(report.framesSent).toBeGreaterThan(10);
      expect(report.framesOnTime).toBe(report.framesSent);
      expect(report.hostileCalls).toBeGreaterThan(1);
      // The call itself and the hostile callers that got keys come on top.
      expect(report.connectionsMax).toBeLessThanOrEqual(HALF_OPEN_MAX + 8);
    });
  }
});
