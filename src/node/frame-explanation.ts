/** Why a media frame made it or missed, and what its track is given: the planner's records in public units. */
import type { FrameReport } from '../track/history.ts';
import type { FramePlan, Outcome } from '../track/types.ts';

/** What became of one media frame. Times are milliseconds after the application sent it; undefined: never, or not yet. */
export interface FrameExplanation {
  readonly frameId: number;
  readonly bytes: number;
  readonly keyFrame: boolean;
  readonly discardable: boolean;
  /** Pieces it was split into, each a packet's worth at most. */
  readonly symbols: number;
  /** When its first and its last symbol left. */
  readonly firstLeftMs: number | undefined;
  readonly lastLeftMs: number | undefined;
  /** Nothing for it leaves later than this. */
  readonly deadlineMs: number;
  /** Resend rounds that fitted when it began to leave. */
  readonly rounds: number;
  readonly symbolsLost: number;
  readonly firstLossKnownMs: number | undefined;
  readonly symbolsResent: number;
  readonly lastResendMs: number | undefined;
  /** Repair symbols that covered it, among other frames maybe. */
  readonly repairSymbols: number;
  readonly outcome: Outcome | undefined;
  readonly settledMs: number | undefined;
  /** The story in one sentence. */
  readonly summary: string;
}

/** What the newest media frame of a track was given. */
export interface RedundancyPlan {
  /** Resend rounds that fit before its deadline, 0..3. */
  readonly rounds: number;
  /** Repair sent ahead, as a share of the media; 0 where resends come in time. */
  readonly aheadRatio: number;
  /** Later media frames whose repair still helps a frame. */
  readonly span: number;
  /** What missing a deadline is taken to cost, in symbols. */
  readonly missPrice: number;
}

export function explainFrame(report: FrameReport): FrameExplanation {
  const after = (us: number): number | undefined => (us < 0 ? undefined : (us - report.sentAtUs) / 1000);
  const { frameId, bytes, keyFrame, discardable, symbols, rounds, symbolsLost, symbolsResent } = report;
  return {
    frameId,
    bytes,
    keyFrame,
    discardable,
    symbols,
    firstLeftMs: after(report.firstLeftAtUs),
    lastLeftMs: after(report.lastLeftAtUs),
    deadlineMs: (report.deadlineUs - report.sentAtUs) / 1000,
    rounds,
    symbolsLost,
    firstLossKnownMs: after(report.firstLossKnownAtUs),
    symbolsResent,
    lastResendMs: after(report.lastResendAtUs),
    repairSymbols: report.repairSymbols,
    outcome: report.outcome,
    settledMs: after(report.settledAtUs),
    summary: report.summary,
  };
}

export function planOf({ rounds, span, streamRatio, price }: FramePlan): RedundancyPlan {
  return { rounds, aheadRatio: streamRatio, span, missPrice: price };
}
