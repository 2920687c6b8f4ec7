/**
 * One worker process of the loss bench: takes a cell and a seed, runs it, sends the figures back. In: {@link Task}s over
 * IPC. Out: one {@link Answer} each; a cell that throws answers with its message.
 */
import process from 'node:process';
import { type CellResult, type CellSpec, type RunningCell, runCell } from '../../src/lab/cell.ts';

export interface Task {
  readonly key: number;
  readonly spec: CellSpec;
  readonly hasTimeline: boolean;
}

/** The state of the sender at one instant; sums count from the beginning. */
export interface TimelineSample {
  readonly atMs: number;
  readonly mediaBytes: number;
  readonly resendBytes: number;
  readonly repairBytes: number;
  readonly probeBytes: number;
  readonly wireBytes: number;
  readonly targetBps: number;
  readonly lossRatio: number;
  readonly rttMs: number;
  readonly queueMs: number;
}

/** A run frame by frame: of its first source, instants from the first frame on, ms. */
export interface Timeline {
  readonly samples: readonly TimelineSample[];
  readonly frames: readonly {
    readonly sentAtMs: number;
    readonly latencyMs: number;
    readonly sizeBytes: number;
  }[];
}

export interface Answer {
  readonly key: number;
  readonly result?: CellResult;
  readonly timeline?: Timeline;
  readonly cpuMs?: number;
  readonly error?: string;
}

function sampleOf(cell: RunningCell, atMs: number): TimelineSample {
  const { wire } = cell.transport;
  const state = cell.millrace?.client.connection.state;
  return {
    atMs,
    mediaBytes: wire.media,
    resendBytes: wire.resend,
    repairBytes: wire.repair,
    probeBytes: wire.probe,
    wireBytes: wire.total,
    targetBps: state?.controller.targetRateBps ?? 0,
    lossRatio: state?.recovery.statistics.lossRatio ?? 0,
    rttMs: (state?.rtt.smoothedUs ?? 0) / 1_000,
    queueMs: (state?.controller.queueDelayUs ?? 0) / 1_000,
  };
}

/** Runs one cell, with its timeline where that is wanted. */
export function runTask(task: Task): Answer {
  const samples: TimelineSample[] = [];
  const before = process.cpuUsage();
  const { result, cell } = runCell(
    task.spec,
    task.hasTimeline ? { onSample: (running, atMs) => samples.push(sampleOf(running, atMs)) } : {},
  );
  const { user, system } = process.cpuUsage(before);
  const answer: Answer = { key: task.key, result, cpuMs: (user + system) / 1_000 };
  if (!task.hasTimeline) return answer;
  const frames = (cell.logs[0]?.frames ?? []).map(({ sentAtUs, deliveredAtUs, sizeBytes }) => ({
    sentAtMs: (sentAtUs - cell.startedAtUs) / 1_000,
    latencyMs: (deliveredAtUs - sentAtUs) / 1_000,
    sizeBytes,
  }));
  return { ...answer, timeline: { samples, frames } };
}

if (process.send !== undefined) {
  process.on('message', (task: Task) => {
    let answer: Answer;
    try {
      answer = runTask(task);
    } catch (error) {
      answer = { key: task.key, error: error instanceof Error ? error.message : String(error) };
    }
    process.send?.(answer);
  });
}
