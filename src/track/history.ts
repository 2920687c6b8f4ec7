/**
 * What became of the last media frames of a track, for people who ask why one missed. In: frames as they are sent.
 * Out: a report with times, counts and a sentence. Memory is bounded: a ring of frames without their bytes.
 */
import type { Micros } from '../base/protocol.ts';
import { HISTORY_FRAMES_MAX } from './limits.ts';
import type { SentFrame } from './sent-frame.ts';
import type { Outcome } from './types.ts';

/** See {@link FrameHistory}. Instants in microseconds on the connection's clock; -1: never, or not yet. */
export interface FrameReport {
  readonly frameId: number;
  readonly bytes: number;
  readonly keyFrame: boolean;
  readonly discardable: boolean;
  /** Source symbols it was split into. */
  readonly symbols: number;
  readonly sentAtUs: Micros;
  /** Nothing for it leaves later. */
  readonly deadlineUs: Micros;
  /** When its first and its last symbol left for the first time. */
  readonly firstLeftAtUs: Micros;
  readonly lastLeftAtUs: Micros;
  /** Retransmission rounds that fitted when it began to leave. */
  readonly rounds: number;
  /** Repair symbols per source symbol planned ahead; 0 where resends were planned for instead. */
  readonly streamRatio: number;
  readonly symbolsLost: number;
  readonly firstLossKnownAtUs: Micros;
  readonly symbolsResent: number;
  readonly lastResendAtUs: Micros;
  /** Repair symbols that covered it. */
  readonly repairSymbols: number;
  readonly outcome: Outcome | undefined;
  readonly settledAtUs: Micros;
  /** The story in one sentence. */
  readonly summary: string;
}

/** The last {@link HISTORY_FRAMES_MAX} media frames. */
export class FrameHistory {
  readonly #frames: SentFrame[] = [];

  add(frame: SentFrame): void {
    this.#frames[frame.id % HISTORY_FRAMES_MAX] = frame;
  }

  /** @param smoothedRttUs Of the path now: to tell feedback that came too late. */
  report(frameId: number, smoothedRttUs: Micros): FrameReport | undefined {
    const frame = this.#frames[frameId % HISTORY_FRAMES_MAX];
    if (frame === undefined || frame.id !== frameId) return undefined;
    return {
      frameId,
      bytes: frame.bytes,
      keyFrame: frame.isKeyFrame,
      discardable: frame.isDiscardable,
      symbols: frame.count,
      sentAtUs: frame.sentAtUs,
      deadlineUs: frame.deadlineUs,
      firstLeftAtUs: frame.firstLeftAtUs,
      lastLeftAtUs: frame.lastLeftAtUs,
      rounds: frame.rounds,
      streamRatio: frame.streamRatio,
      symbolsLost: frame.lossCount,
      firstLossKnownAtUs: frame.firstLossAtUs,
      symbolsResent: frame.resendCount,
      lastResendAtUs: frame.lastResendAtUs,
      repairSymbols: frame.repairs,
      outcome: frame.outcome,
      settledAtUs: frame.settledAtUs,
      summary: summarize(frame, smoothedRttUs),
    };
  }
}

function summarize(frame: SentFrame, smoothedRttUs: Micros): string {
  const lost = count(frame.lossCount, 'symbol');
  switch (frame.outcome) {
    case undefined:
      return frame.first < 0 ? 'waits for its turn' : `under way, ${lost} lost so far`;
    case 'acknowledged':
      if (frame.resendCount === 0) return 'arrived with its first flight';
      return `${lost} lost, ${frame.resendCount} resent ${ms(frame.lastResendAtUs - frame.sentAtUs)} after it was sent`;
    case 'recovered':
      return `${lost} known lost, rebuilt from ${count(frame.repairs, 'repair symbol')}${resends(frame)}`;
    default:
      return `missed: ${missReason(frame, smoothedRttUs)}`;
  }
}

function missReason(frame: SentFrame, smoothedRttUs: Micros): string {
  if (frame.outcome === 'dropped') return 'dropped to make room, or the track ended';
  if (frame.first < 0) return 'nothing of it left before its deadline: more was queued than the path takes';
  if (frame.written < frame.count) {
    return `only ${frame.written} of ${count(frame.count, 'symbol')} left before its deadline: more was queued than the path takes`;
  }
  const guard = `${count(frame.repairs, 'repair symbol')} covered it`;
  if (frame.rounds === 0)
    return `no resend fits into its latency, ${count(frame.lossCount, 'symbol')} lost, ${guard}`;
  if (frame.lossCount === 0) return `not acknowledged, although no loss was seen; ${guard}`;
  const feedbackUs = frame.firstLossAtUs - frame.sentAtUs;
  if (frame.resendCount === 0) {
    return `its loss was known ${ms(feedbackUs)} after it was sent, too late to resend; ${guard}`;
  }
  const isLate = feedbackUs > 1.5 * smoothedRttUs;
  const when = isLate ? `, known late (${ms(feedbackUs)} after it was sent)` : '';
  return `${count(frame.lossCount, 'loss', 'losses')} in ${frame.count} symbols${when}, ${frame.resendCount} resent, the last ${ms(frame.lastResendAtUs - frame.sentAtUs)} after it was sent, ${guard}: too much of that was lost too`;
}

function resends(frame: SentFrame): string {
  return frame.resendCount > 0 ? ` and ${frame.resendCount} resent` : '';
}

function count(n: number, one: string, many = `${one}s`): string {
  return `${n} ${n === 1 ? one : many}`;
}

function ms(us: Micros): string {
  return `${(us / 1000).toFixed(1)} ms`;
}
