/** What must hold of a cell, held against what it did. In: a pooled cell with limits. Out: one line per limit. */
import { percent } from './format.ts';
import type { PooledCell, PooledPhase } from './pool.ts';
import type { Timeline } from './worker.ts';

export interface Verdict {
  /** What was asked, and what was measured. */
  readonly asked: string;
  readonly measured: string;
  readonly isMet: boolean;
}

/** One verdict per limit of the cell; none if it has none. */
export function verdictsOf(pooled: PooledCell): Verdict[] {
  const { limits = {} } = pooled.cell;
  const source = pooled.sources[0];
  if (source === undefined) return [];
  const { steady, startup } = source;
  const verdicts: Verdict[] = [];
  const add = (asked: string, measured: string, isMet: boolean): void => {
    verdicts.push({ asked, measured, isMet });
  };
  if (limits.onTimeMin !== undefined) onTime(steady, limits.onTimeMin, add);
  if (limits.overheadMax !== undefined) {
    add(
      `overhead <= ${percent(limits.overheadMax, 1)}`,
      percent(pooled.overhead),
      pooled.overhead <= limits.overheadMax,
    );
  }
  if (limits.isRepairFree === true) {
    add('no repair', percent(pooled.parts.repair), pooled.parts.repair === 0);
  }
  if (limits.startupLateMax !== undefined) {
    add(
      `<= ${limits.startupLateMax} of ${startup.frames / pooled.cell.seeds.length} late at the start`,
      `${startup.lateMax} in the worst seed`,
      startup.lateMax <= limits.startupLateMax,
    );
  }
  if (limits.recovery !== undefined) {
    const { stepMs, settleMs, onTimeMin } = limits.recovery;
    const reached = onTimeShare(pooled, stepMs + settleMs, nextStepMs(pooled.cell.spec, stepMs));
    add(
      `on time >= ${percent(onTimeMin, 1)} from ${settleMs / 1_000} s after the step`,
      percent(reached),
      reached >= onTimeMin,
    );
  }
  if (limits.repairEndsByMs !== undefined) {
    const late = Math.max(
      ...pooled.timelines.map((timeline) => repairAfter(timeline, limits.repairEndsByMs ?? 0)),
    );
    add(`no repair after ${limits.repairEndsByMs / 1_000} s`, `${late} bytes`, late === 0);
  }
  return verdicts;
}

function onTime(
  phase: PooledPhase,
  min: number,
  add: (asked: string, measured: string, isMet: boolean) => void,
): void {
  add(
    `on time ${min === 1 ? '=' : '>='} ${percent(min, 1)}`,
    percent(phase.onTimeShare, 3),
    phase.onTimeShare >= min,
  );
}

/** When the path changes next, ms; Infinity: never. What comes of that is no recovery from the step before. */
function nextStepMs({ steps = [] }: PooledCell['cell']['spec'], afterMs: number): number {
  return Math.min(...steps.map(({ atMs }) => atMs).filter((atMs) => atMs > afterMs));
}

/** Share on time of the frames sent from `fromMs` and before `untilMs`, judged by the delay that the steps have made of the path. */
function onTimeShare(pooled: PooledCell, fromMs: number, untilMs: number): number {
  const { spec } = pooled.cell;
  const rateBps = spec.network.up.rateBps ?? Number.POSITIVE_INFINITY;
  let frames = 0;
  let met = 0;
  for (const timeline of pooled.timelines) {
    for (const { sentAtMs, latencyMs, sizeBytes } of timeline.frames) {
      if (sentAtMs < fromMs || sentAtMs >= untilMs) continue;
      const delayMs = delayAt(spec, sentAtMs);
      frames++;
      if (latencyMs <= delayMs + spec.latencyMs + (sizeBytes * 8_000) / rateBps) met++;
    }
  }
  return frames === 0 ? 0 : met / frames;
}

function delayAt(spec: PooledCell['cell']['spec'], atMs: number): number {
  let delayMs = spec.network.up.delayMs ?? 0;
  for (const step of spec.steps ?? []) {
    if (step.do === 'set' && step.link !== 'down' && step.atMs <= atMs)
      delayMs = step.options.delayMs ?? delayMs;
  }
  return delayMs;
}

function repairAfter(timeline: Timeline, atMs: number): number {
  const before = timeline.samples.findLast((sample) => sample.atMs <= atMs);
  return (timeline.samples.at(-1)?.repairBytes ?? 0) - (before?.repairBytes ?? 0);
}
