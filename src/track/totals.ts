/** Sums of track statistics: those of a connection are the sums over its tracks, ended ones included. */
import { frameCounts, type Outcome, type ReceiveStatistics, type SendStatistics } from './types.ts';

/** Zeroed counts of a sender. */
export function sendStatistics(): SendStatistics {
  return {
    frames: frameCounts(),
    framesExpired: 0,
    framesDropped: 0,
    mediaBytes: 0,
    headerBytes: 0,
    resendBytes: 0,
    repairBytes: 0,
    symbolsSent: 0,
    symbolsResent: 0,
    repairsSent: 0,
  };
}

/** Zeroed counts of a receiver. */
export function receiveStatistics(): ReceiveStatistics {
  return {
    frames: frameCounts(),
    framesDroppedSlow: 0,
    mediaBytes: 0,
    headerBytes: 0,
    resendBytes: 0,
    repairBytes: 0,
    symbolsReceived: 0,
    symbolsRebuilt: 0,
    repairsReceived: 0,
    duplicateSymbols: 0,
    lateSymbols: 0,
    malformedSymbols: 0,
    evictedFrames: 0,
  };
}

/** Adds every count of `from` to `into`. Both have the same shape: numbers, and `frames` of numbers. */
export function addStatistics<T extends SendStatistics | ReceiveStatistics>(into: T, from: T): void {
  addNumbers(into, from);
  addNumbers(into.frames, from.frames);
}

function addNumbers<T extends object>(into: T, from: T): void {
  for (const key of Object.keys(into) as (keyof T)[]) {
    const value = into[key];
    if (typeof value === 'number') into[key] = (value + (from[key] as number)) as T[keyof T];
  }
}

/** Counts one settled media frame. */
export function countOutcome(
  statistics: SendStatistics,
  outcome: Outcome,
  isLate: boolean,
  neededResend: boolean,
): void {
  const { frames } = statistics;
  if (outcome === 'expired' || outcome === 'dropped') {
    frames.lost++;
    if (outcome === 'expired') statistics.framesExpired++;
    else statistics.framesDropped++;
  } else if (isLate) frames.late++;
  else if (outcome === 'recovered') frames.fec++;
  else if (neededResend) frames.resent++;
  else frames.onTime++;
}
