/**
 * One cell against the kernel: one workload over one transport's real sockets, over one emulated network, with one seed,
 * in real time. The spec and the figures are those of the virtual-time bench (src/lab), so that both can stand in one
 * table. In: a spec that is nothing but data. Out: figures that are nothing but data.
 */
import { loadavg } from 'node:os';
import type { CellSpec, SourceResult } from '../../src/lab/cell.ts';
import type { LabFrame } from '../../src/lab/frames.ts';
import { type Budget, summarize } from '../../src/lab/measure.ts';
import { createSources, type Source } from '../../src/lab/workload.ts';
import type { Adapter, AdapterContext, Plan } from './adapters/adapter.ts';
import { confirmCongestion, tcpReceiver, tcpSender } from './adapters/kernel-tcp.ts';
import { SERVER_ADDRESS } from './emulator/addresses.ts';
import { type Emulator, startEmulator } from './emulator/emulator.ts';
import type { LatenessSummary } from './emulator/lateness.ts';
import type { DirectionStatistics, EmulatorStatistics } from './emulator/messages.ts';
import { monotonicUs } from './emulator/real-time.ts';
import { FrameRun, feedBulk } from './pipe-frames.ts';
import { type Cost, Programs, Running } from './programs.ts';

/** A bulk TCP flow of the kernel that shares the path. */
export interface Competitor {
  readonly congestion: string;
  readonly startMs: number;
}

/** A cell as data: that of the virtual-time bench, for any transport that has an adapter. */
export interface KernelSpec extends Omit<CellSpec, 'transport' | 'startBitrateBps'> {
  readonly transport: string;
  /** Bytes as fast as they go, instead of the workload. */
  readonly isBulk?: boolean;
  readonly competitors?: readonly Competitor[];
}

/** Counters of one direction between the end of start-up and the end. */
export interface WireCount {
  /** IP bytes that entered the link. */
  readonly bytes: number;
  readonly packets: number;
  /** Of them, dropped by the loss model, the queue, or a blackout. */
  readonly lost: number;
  readonly queueDropped: number;
  readonly blackedOut: number;
}

/** The figures of a cell: data only. `Infinity` stands for "never". */
export interface KernelResult {
  readonly transport: string;
  readonly seed: number;
  readonly latencyMs: number;
  /** As in the virtual-time bench; none of a bulk cell. */
  readonly sources: readonly SourceResult[];
  /** Bytes offered (bulk: arrived) after start-up, and what crossed the network meanwhile, media direction first. */
  readonly mediaBytes: number;
  readonly up: WireCount;
  readonly down: WireCount;
  /** Media bytes that arrived after start-up and before the end, as a rate. */
  readonly goodputBps: number;
  /** Of each competitor, likewise. */
  readonly competitorBps: readonly number[];
  /** Processor seconds per gigabit of media that arrived after start-up. */
  readonly senderSecondsPerGbit: number;
  readonly receiverSecondsPerGbit: number;
  /** Timing error of the emulator, both directions; the load of the machine over the last minute. */
  readonly timing: { readonly up: LatenessSummary; readonly down: LatenessSummary };
  readonly load: number;
  /** What does not add up, one sentence each; empty or something is wrong. */
  readonly faults: readonly string[];
  /** Where the machine was too busy for exact figures, one sentence each. Files of before have none. */
  readonly disturbances?: readonly string[];
}

const STARTUP_MS = 3_000;
const DRAIN_MS = 2_000;
const COMPETITOR_PORT = 9_100;
/** The emulator's error that the bench promises; of a hundred packets the 99th percentile is one of them. */
const TIMING_ERROR_P99_US_MAX = 1_000;
const TIMING_PACKETS_MIN = 1_000;

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** Counts bytes that come out of a pipe. */
class ByteCount {
  bytes = 0;

  constructor(output: NodeJS.ReadableStream) {
    output.on('data', (chunk: Buffer) => {
      this.bytes += chunk.length;
    });
  }
}

/** What was counted at the end of start-up. */
interface Mark {
  readonly statistics: EmulatorStatistics;
  readonly cost: Cost;
  readonly bulkBytes: number;
  readonly competitorBytes: readonly number[];
}

class KernelCell {
  readonly #spec: KernelSpec;
  readonly #adapter: Adapter;
  readonly #emulator: Emulator;
  readonly #plan: Plan;
  readonly #frames: FrameRun;
  readonly #competitors: ByteCount[] = [];
  readonly #faults: string[] = [];
  #bulk: ByteCount | undefined;
  #isOver = false;

  constructor(spec: KernelSpec, adapter: Adapter, emulator: Emulator) {
    const sources: readonly Source[] = spec.isBulk ? [] : createSources(spec.workload);
    const { up, down } = spec.network;
    const context: AdapterContext = {
      task: spec.isBulk ? 'bulk' : 'frames',
      latencyMs: spec.latencyMs,
      rttMs: (up.delayMs ?? 0) + (down.delayMs ?? 0),
      bitrateBps: sources.reduce((sum, source) => sum + source.bitrateBps, 0),
      sources: sources.map(({ name }) => name),
    };
    this.#spec = spec;
    this.#adapter = adapter;
    this.#emulator = emulator;
    this.#plan = adapter.plan(context);
    this.#frames = new FrameRun(sources, this.#plan.framing);
  }

  async run(): Promise<KernelResult> {
    const programs = await Programs.start(this.#emulator, this.#plan, (program) => {
      program.onLine = (line) => this.#onLine(line);
      program.onNews = (line) => this.#frames.onNews(line);
    });
    try {
      return await this.#carry(programs);
    } finally {
      this.#isOver = true;
      programs.kill();
    }
  }

  #onLine(line: string): void {
    if (line.startsWith('ERROR ') || line.startsWith('millrace: ')) this.#faults.push(line);
    else this.#frames.onLine(line);
  }

  async #carry(programs: Programs): Promise<KernelResult> {
    const { durationMs, startupMs = STARTUP_MS, drainMs = DRAIN_MS, steps = [], isBulk = false } = this.#spec;
    if (isBulk) this.#bulk = new ByteCount(programs.output);
    else this.#frames.collect(programs.output);
    await this.#emulator.clearLateness();
    await this.#emulator.play(steps);
    const startedAtUs = monotonicUs();
    const competing = Promise.all((this.#spec.competitors ?? []).map((one, i) => this.#compete(one, i)));
    // It is waited for at the end; if it fails before, that is no reason to end the process.
    competing.catch(() => {});
    const stopBulk = isBulk ? feedBulk(programs.input) : undefined;
    const feeding = isBulk ? undefined : this.#frames.feed(programs.input, durationMs * 1_000);
    await sleep(startupMs);
    const before = await this.#mark(programs);
    const markedAtUs = monotonicUs();
    await sleep(durationMs - startupMs);
    await feeding;
    const after = await this.#mark(programs);
    const endedAtUs = monotonicUs();
    stopBulk?.();
    if (!isBulk) await sleep(drainMs);
    this.#faults.push(...programs.faults());
    await competing;
    return this.#result(before, after, startedAtUs, markedAtUs, endedAtUs);
  }

  async #compete(competitor: Competitor, i: number): Promise<void> {
    const port = COMPETITOR_PORT + i;
    const receiver = new Running(this.#emulator, tcpReceiver(port));
    const count = new ByteCount(receiver.child.stdout as NodeJS.ReadableStream);
    this.#competitors[i] = count;
    await receiver.ready();
    await sleep(competitor.startMs);
    if (this.#isOver) return;
    const { congestion } = competitor;
    const sender = new Running(this.#emulator, tcpSender(SERVER_ADDRESS, port, congestion, 'bulk'));
    const difference = confirmCongestion(await sender.ready(), congestion);
    if (difference !== undefined) this.#faults.push(difference);
    feedBulk(sender.child.stdin as NodeJS.WritableStream as never);
  }

  async #mark(programs: Programs): Promise<Mark> {
    return {
      statistics: await this.#emulator.statistics(),
      cost: programs.cost(),
      bulkBytes: this.#bulk?.bytes ?? 0,
      competitorBytes: this.#competitors.map(({ bytes }) => bytes),
    };
  }

  #result(before: Mark, after: Mark, startedAtUs: number, fromUs: number, untilUs: number): KernelResult {
    const { transport, seed, latencyMs, network, isBulk = false } = this.#spec;
    const budget: Budget = {
      oneWayDelayUs: (network.up.delayMs ?? 0) * 1_000,
      latencyUs: latencyMs * 1_000,
      rateBps: network.up.rateBps ?? 0,
    };
    const seconds = (untilUs - fromUs) / 1e6;
    const sources = this.#frames.sources.map((source, i): SourceResult => {
      const { frames, damaged } = this.#frames.logs[i] as { frames: readonly LabFrame[]; damaged: number };
      const summarized = (from: number, until: number): SourceResult['steady'] =>
        summarize(frames, source.groupFrames, budget, from, until);
      const name = source.name;
      return { name, startup: summarized(startedAtUs, fromUs), steady: summarized(fromUs, untilUs), damaged };
    });
    const arrivedBytes = isBulk ? after.bulkBytes - before.bulkBytes : this.#arrivedBytes(fromUs, untilUs);
    const offeredBytes = sources.reduce((sum, source) => sum + source.steady.mediaBytes, 0);
    const gigabits = (arrivedBytes * 8) / 1e9;
    return {
      transport,
      seed,
      latencyMs,
      sources,
      mediaBytes: isBulk ? arrivedBytes : offeredBytes,
      up: wireCount(before.statistics.up, after.statistics.up),
      down: wireCount(before.statistics.down, after.statistics.down),
      goodputBps: (arrivedBytes * 8) / seconds,
      competitorBps: after.competitorBytes.map(
        (bytes, i) => ((bytes - (before.competitorBytes[i] ?? 0)) * 8) / seconds,
      ),
      senderSecondsPerGbit: (after.cost.client - before.cost.client) / gigabits,
      receiverSecondsPerGbit: (after.cost.server - before.cost.server) / gigabits,
      timing: { up: after.statistics.up.lateness, down: after.statistics.down.lateness },
      load: loadavg()[0] as number,
      faults: [...this.#faults, ...this.#findFaults(after.statistics, sources)],
      disturbances: findDisturbances(after.statistics),
    };
  }

  #arrivedBytes(fromUs: number, untilUs: number): number {
    return goodputBytes(
      this.#frames.logs.map(({ frames }) => frames),
      fromUs,
      untilUs,
    );
  }

  #findFaults({ up, down, deviceDrops }: EmulatorStatistics, sources: readonly SourceResult[]): string[] {
    const faults: string[] = [];
    const { damaged } = this.#frames;
    if (damaged > 0) faults.push(`${damaged} frames came out damaged`);
    for (const source of sources)
      if (source.damaged > 0) faults.push(`${source.name}: ${source.damaged} frames came out twice`);
    const refused = up.refused + down.refused + deviceDrops[0] + deviceDrops[1];
    if (refused > 0) faults.push(`${refused} packets were dropped outside the link`);
    if (!this.#adapter.tasks.includes(this.#spec.isBulk ? 'bulk' : 'frames'))
      faults.push(`${this.#adapter.name} is not made for this`);
    return faults;
  }
}

function findDisturbances({ up, down }: EmulatorStatistics): string[] {
  const judged = [up.lateness, down.lateness].filter(({ count }) => count >= TIMING_PACKETS_MIN);
  const worstUs = Math.max(0, ...judged.map(({ p99Us }) => p99Us));
  if (worstUs <= TIMING_ERROR_P99_US_MAX) return [];
  return [`the emulator was late: p99 ${(worstUs / 1e3).toFixed(1)} ms (is the machine busy?)`];
}

/** Bytes of the frames that arrived in a stretch of time, whenever they were sent. */
export function goodputBytes(
  logs: readonly (readonly LabFrame[])[],
  fromUs: number,
  untilUs: number,
): number {
  let bytes = 0;
  for (const frames of logs)
    for (const { deliveredAtUs, sizeBytes } of frames)
      if (deliveredAtUs > fromUs && deliveredAtUs <= untilUs) bytes += sizeBytes;
  return bytes;
}

function wireCount(before: DirectionStatistics, after: DirectionStatistics): WireCount {
  const since = (name: 'offered' | 'offeredBytes' | 'lost' | 'queueDropped' | 'blackedOut'): number =>
    after.link[name] - before.link[name];
  return {
    bytes: since('offeredBytes'),
    packets: since('offered'),
    lost: since('lost'),
    queueDropped: since('queueDropped'),
    blackedOut: since('blackedOut'),
  };
}

/** Runs a cell: makes the path, runs the programs, takes everything away again. */
export async function runKernelCell(spec: KernelSpec, adapter: Adapter): Promise<KernelResult> {
  const emulator = await startEmulator({ network: spec.network, seed: spec.seed });
  try {
    return await Promise.race([
      new KernelCell(spec, adapter, emulator).run(),
      emulator.closed.then(() => Promise.reject(new Error('the emulator ended'))),
    ]);
  } finally {
    await emulator.close();
  }
}
