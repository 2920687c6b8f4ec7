/**
 * One cell of an experiment: one workload over one transport over one network with one seed, in virtual time. In: a
 * spec that is nothing but data. Out: figures that are nothing but data, equal for equal specs, and the frames
 * themselves for whoever wants more. Source: DESIGN D14; docs/benchmarks.md.
 *
 * Use:
 *   const { result } = runCell({ transport: 'millrace', network: preset('wifi'), seed: 1, latencyMs: 120,
 *     workload: { video: { bitrateBps: 4e6 } }, durationMs: 20_000 });
 */
import { MILLISECOND, type Micros } from '../base/protocol.ts';
import type { LinkOptions } from '../sim/link-options.ts';
import { Network, type NetworkSpec } from '../sim/network.ts';
import { applyStep, type ScenarioStep } from '../sim/scenario.ts';
import { Simulator } from '../sim/simulator.ts';
import { FrameLog, type LabFrame } from './frames.ts';
import { type Budget, type PhaseSummary, summarize } from './measure.ts';
import { MillraceTransport } from './millrace-transport.ts';
import type { PairOptions } from './pair.ts';
import { TcpTransport } from './tcp-transport.ts';
import type { Transport, TransportEvents } from './transport.ts';
import { UdpTransport } from './udp-transport.ts';
import { unaccountedBytes, type WireBytes, wireBytesSince } from './wire-meter.ts';
import { createSources, followedBytes, type Source, type WorkloadSpec } from './workload.ts';

/** Who carries the frames. `tcp-skip` is CUBIC under an application that skips frames while it is behind. */
export type TransportName = 'millrace' | 'tcp-cubic' | 'tcp-reno' | 'tcp-skip' | 'udp';

/** An experiment as data. Times are milliseconds. */
export interface CellSpec {
  readonly transport: TransportName;
  readonly network: NetworkSpec;
  readonly workload: WorkloadSpec;
  /** Recovery budget on top of the one-way delay: millrace's option, and what `onTime` is judged by for all. */
  readonly latencyMs: number;
  /** Frames are sent for so long from the moment of connection, the start-up included. */
  readonly durationMs: number;
  readonly seed: number;
  /** What counts as start-up; default 3000. */
  readonly startupMs?: number;
  /** After the last frame, deliveries still count for so long; default 2000. */
  readonly drainMs?: number;
  /** millrace: where its rate begins; default the workload's own bitrate. */
  readonly startBitrateBps?: number;
  /** Changes of the network; `atMs` counts from the moment of connection. */
  readonly steps?: readonly ScenarioStep[];
}

/** What an experimenter may look at and do while a cell runs. Everything of the core is within reach. */
export interface RunningCell {
  readonly sim: Simulator;
  readonly network: Network;
  readonly sources: readonly Source[];
  readonly logs: readonly FrameLog[];
  readonly transport: Transport;
  /** Set when millrace is under test: connections, tracks with their statistics, the controller. */
  readonly millrace: MillraceTransport | undefined;
  /** When frames began, us; `Infinity` before. */
  readonly startedAtUs: Micros;
}

/** Calls into an experimenter's code. None of them may depend on anything but the cell. */
export interface CellHooks {
  /** More options for millrace's two connections. */
  readonly pair?: PairOptions;
  /** Frames begin now. */
  readonly onStart?: (cell: RunningCell) => void;
  /** Overrides the size of a frame. */
  readonly frameBytes?: (cell: RunningCell, source: Source, index: number) => number;
  readonly onDelivered?: (cell: RunningCell, source: Source, frame: LabFrame) => void;
  /** Called every `sampleEveryMs` (default 100) from the start of frames. */
  readonly onSample?: (cell: RunningCell, nowMs: number) => void;
  readonly sampleEveryMs?: number;
}

/** What one source saw. */
export interface SourceResult {
  readonly name: Source['name'];
  readonly startup: PhaseSummary;
  readonly steady: PhaseSummary;
  /** Frames that arrived changed, twice or unsent. */
  readonly damaged: number;
}

/** The figures of a cell: data only. `Infinity` stands for "never". */
export interface CellResult {
  readonly transport: TransportName;
  readonly seed: number;
  readonly latencyMs: number;
  /** From the first packet to the first frame; `Infinity` if it never connected. */
  readonly connectMs: number;
  readonly sources: readonly SourceResult[];
  /** Bytes of media offered and bytes on the wire in the media direction, after start-up and over the whole run. */
  readonly mediaBytes: number;
  readonly wire: WireBytes;
  readonly totalMediaBytes: number;
  readonly totalWire: WireBytes;
  readonly figures: Readonly<Record<string, number>>;
  /** What does not add up, one sentence each; empty or something is wrong. */
  readonly faults: readonly string[];
  /** Why the transport gave up before the end, what it did not deliver being lost; undefined when it did not. */
  readonly ended: string | undefined;
  readonly traceHash: string;
  readonly eventCount: number;
}

/** A finished cell. */
export interface CellRun {
  readonly result: CellResult;
  readonly cell: RunningCell;
}

const STARTUP_MS = 3_000;
const DRAIN_MS = 2_000;
const SAMPLE_MS = 100;
/** Frames begin at the latest so long after the first packet, connected or not. */
const CONNECT_MS_MAX = 10_000;
/** A live application's sender skips when its oldest unsent byte is older than this. */
const SKIP_WHEN_BEHIND_MS = 200;

/** Runs a cell to its end. */
export function runCell(spec: CellSpec, hooks: CellHooks = {}): CellRun {
  return new CellRunner(spec, hooks).run();
}

class CellRunner implements RunningCell {
  readonly sim: Simulator;
  readonly network: Network;
  readonly sources: readonly Source[];
  readonly logs: readonly FrameLog[];
  readonly transport: Transport;
  startedAtUs: Micros = Number.POSITIVE_INFINITY;
  #connectMs = Number.POSITIVE_INFINITY;
  #startupWire: WireBytes | undefined;
  readonly #spec: CellSpec;
  readonly #hooks: CellHooks;

  constructor(spec: CellSpec, hooks: CellHooks) {
    this.#spec = spec;
    this.#hooks = hooks;
    if (!(spec.durationMs > 0 && spec.latencyMs > 0))
      throw new RangeError('a cell needs a duration and a latency above 0');
    this.sim = new Simulator({ seed: spec.seed });
    this.network = new Network(this.sim, spec.network);
    this.sources = createSources(spec.workload);
    this.logs = this.sources.map(() => new FrameLog());
    this.transport = this.#createTransport();
  }

  get millrace(): MillraceTransport | undefined {
    return this.transport instanceof MillraceTransport ? this.transport : undefined;
  }

  #createTransport(): Transport {
    const { sim, network, sources } = this;
    const { transport, latencyMs, workload, startBitrateBps } = this.#spec;
    const events: TransportEvents = {
      onReady: (now) => {
        this.#connectMs = now / MILLISECOND;
        this.#start();
      },
      onDelivered: (source, index, bytes, now) => this.#onDelivered(source, index, bytes, now),
    };
    switch (transport) {
      case 'millrace': {
        const pair = { startBitrateBps: startBitrateBps ?? bitrateOf(workload), ...this.#hooks.pair };
        return new MillraceTransport(sim, network, sources, { ...pair, latencyMs }, events);
      }
      case 'udp':
        return new UdpTransport(sim, network, events);
      case 'tcp-skip':
        return new TcpTransport(
          sim,
          network,
          { congestion: 'cubic', skipWhenBehindMs: SKIP_WHEN_BEHIND_MS },
          events,
        );
      default:
        return new TcpTransport(
          sim,
          network,
          { congestion: transport === 'tcp-reno' ? 'reno' : 'cubic' },
          events,
        );
    }
  }

  run(): CellRun {
    const { sim } = this;
    const { durationMs, drainMs = DRAIN_MS } = this.#spec;
    sim.schedule(CONNECT_MS_MAX * MILLISECOND, () => this.#start());
    this.transport.start();
    sim.runWhile(() => this.startedAtUs === Number.POSITIVE_INFINITY, CONNECT_MS_MAX * MILLISECOND);
    sim.run(this.startedAtUs + (durationMs + drainMs) * MILLISECOND);
    return { result: this.#result(), cell: this };
  }

  /** Begins the sources, the steps and the samples; once. */
  #start(): void {
    if (this.startedAtUs !== Number.POSITIVE_INFINITY) return;
    const { sim } = this;
    const { steps = [], startupMs = STARTUP_MS } = this.#spec;
    this.startedAtUs = sim.now;
    this.sources.forEach((_, index) => {
      this.#scheduleFrame(index, 0);
    });
    for (const step of steps) {
      sim.schedule(sim.now + step.atMs * MILLISECOND, () => applyStep(step, this));
    }
    sim.schedule(sim.now + startupMs * MILLISECOND, () => {
      this.#startupWire = { ...this.transport.wire };
    });
    if (this.#hooks.onSample !== undefined) this.#sample();
    this.#hooks.onStart?.(this);
  }

  #scheduleFrame(sourceIndex: number, index: number): void {
    const source = this.sources[sourceIndex] as Source;
    const atUs = source.atUs(index);
    if (atUs >= this.#spec.durationMs * MILLISECOND) return;
    this.sim.schedule(this.startedAtUs + atUs, () => {
      this.#send(sourceIndex, source, index);
      this.#scheduleFrame(sourceIndex, index + 1);
    });
  }

  #send(sourceIndex: number, source: Source, index: number): void {
    const target = this.transport.targetBps(sourceIndex) ?? source.bitrateBps;
    const maxBytes = this.transport.maxFrameBytes(sourceIndex) ?? Number.POSITIVE_INFINITY;
    const sizeBytes =
      this.#hooks.frameBytes?.(this, source, index) ?? followedBytes(source, index, target, maxBytes);
    const log = this.logs[sourceIndex] as FrameLog;
    this.transport.send(sourceIndex, log.offer(sizeBytes, source.isKeyFrame(index), this.sim.now));
  }

  #onDelivered(sourceIndex: number, index: number, bytes: Uint8Array | undefined, now: Micros): void {
    const log = this.logs[sourceIndex];
    if (log === undefined) return;
    log.deliver(index, bytes, now);
    const frame = log.frames[index];
    if (frame !== undefined) this.#hooks.onDelivered?.(this, this.sources[sourceIndex] as Source, frame);
  }

  #sample(): void {
    const { durationMs } = this.#spec;
    const nowMs = (this.sim.now - this.startedAtUs) / MILLISECOND;
    if (nowMs >= durationMs) return;
    this.#hooks.onSample?.(this, nowMs);
    this.sim.schedule(this.sim.now + (this.#hooks.sampleEveryMs ?? SAMPLE_MS) * MILLISECOND, () =>
      this.#sample(),
    );
  }

  #result(): CellResult {
    const { transport, seed, latencyMs, durationMs, startupMs = STARTUP_MS, network } = this.#spec;
    const budget: Budget = {
      oneWayDelayUs: (network.up.delayMs ?? 0) * MILLISECOND,
      latencyUs: latencyMs * MILLISECOND,
      rateBps: rateOf(network.up),
    };
    const from = this.startedAtUs;
    const startupEnd = from + startupMs * MILLISECOND;
    const until = from + durationMs * MILLISECOND;
    const sources = this.sources.map((source, i): SourceResult => {
      const { frames, damaged } = this.logs[i] as FrameLog;
      return {
        name: source.name,
        startup: summarize(frames, source.groupFrames, budget, from, Math.min(startupEnd, until)),
        steady: summarize(frames, source.groupFrames, budget, startupEnd, until),
        damaged,
      };
    });
    const { faults, ended, figures } = this.transport.report();
    const totalWire = { ...this.transport.wire };
    const wire = wireBytesSince(totalWire, this.#startupWire ?? totalWire);
    const mediaBytes = sources.reduce((sum, source) => sum + source.steady.mediaBytes, 0);
    const startupBytes = sources.reduce((sum, source) => sum + source.startup.mediaBytes, 0);
    return {
      transport,
      seed,
      latencyMs,
      connectMs: this.#connectMs,
      sources,
      mediaBytes,
      wire,
      totalMediaBytes: mediaBytes + startupBytes,
      totalWire,
      figures,
      faults: [...faults, ...this.#faults(sources, totalWire)],
      ended,
      traceHash: this.sim.traceHash,
      eventCount: this.sim.eventCount,
    };
  }

  #faults(sources: readonly SourceResult[], wire: WireBytes): string[] {
    const faults: string[] = [];
    const missing = unaccountedBytes(wire);
    if (missing !== 0) faults.push(`${missing} bytes on the wire have no purpose`);
    sources.forEach((result, i) => {
      const source = this.sources[i] as Source;
      const expected = framesWithin(source, this.#spec.durationMs * MILLISECOND);
      const counted = result.startup.frames + result.steady.frames;
      if (counted !== expected) faults.push(`${source.name}: ${counted} of ${expected} frames accounted for`);
      if (result.damaged > 0) faults.push(`${source.name}: ${result.damaged} frames damaged`);
    });
    return faults;
  }
}

/** Frames that a source offers in a duration. */
function framesWithin(source: Source, durationUs: Micros): number {
  let count = Math.floor(durationUs / source.intervalUs);
  while (source.atUs(count) < durationUs) count++;
  while (count > 0 && source.atUs(count - 1) >= durationUs) count--;
  return count;
}

/** Bits per second of all sources together. */
function bitrateOf(workload: WorkloadSpec): number {
  return createSources(workload).reduce((sum, source) => sum + source.bitrateBps, 0);
}

function rateOf(link: LinkOptions): number {
  if (link.rateBps !== undefined) return link.rateBps;
  return link.capacity?.kind === 'rate' ? link.capacity.rateBps : 0;
}
