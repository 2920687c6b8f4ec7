/** Which lost symbol is resent, and which waits for repair that is under way. */
import { describe, expect, test } from 'vitest';
import { FrameLayout, SentFrame } from '../../src/track/sent-frame.ts';
import { SymbolWindow } from '../../src/track/symbol-window.ts';
import type { PathView } from '../../src/track/types.ts';

const MS = 1000;
const PATH: PathView = {
  smoothedRttUs: 60 * MS,
  rttVarianceUs: 0,
  oneWayDelayUs: 30 * MS,
  lossRatio: 0.02,
  heardAtUs: 0,
  packetUs: MS,
  maxPayloadBytes: 1171,
};

/** One media frame of 120 ms whose only symbol is lost 80 ms after it left, and repair that left at `repairUs`. */
function resendAt(repairUs: number, nowUs: number): number {
  const window = new SymbolWindow();
  const frame = new SentFrame(0, 100, { timestampUs: 0 }, 0, 120 * MS);
  new FrameLayout().lay(frame, new Uint8Array(100), 1000);
  window.start(frame);
  frame.callAtUs = 100 * MS;
  const token = window.sent(0, 0, 0);
  frame.written = 1;
  frame.firstLeftAtUs = 0;
  frame.onRepairLeft(PATH, 0, repairUs);
  window.lost(0, token, 80 * MS);
  window.queueResend(0);
  return window.nextResend(nowUs);
}

describe('a resend', () => {
  test('waits for repair under way whose fate is known while a resend still helps', () => {
    expect(resendAt(20 * MS, 80 * MS)).toBe(-1);
  });

  test('does not wait for repair whose fate is known only when a resend would be too late', () => {
    expect(resendAt(65 * MS, 80 * MS)).toBe(0);
  });
});
