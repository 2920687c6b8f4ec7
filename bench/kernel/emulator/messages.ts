/** What the emulator's process and the program that started it say to each other: one JSON object a line. */
import type { LinkChoice, LinkOptions, LinkStatistics, NetworkSpec, ScenarioStep } from '../../../src/sim.ts';
import type { LatenessSummary } from './lateness.ts';

/** Which end of the path: the client's packets go up, the server's go down. */
export type Side = 'client' | 'server';

/** Given on the command line of the process. */
export interface EmulatorTask {
  readonly network: NetworkSpec;
  readonly seed: number;
}

/** To the process. Each is answered once, in order. */
export type Request =
  | { readonly do: 'update'; readonly link: LinkChoice; readonly options: LinkOptions }
  | { readonly do: 'blackout'; readonly link: LinkChoice; readonly durationMs: number }
  /** Times count from the moment that the request is read. */
  | { readonly do: 'play'; readonly steps: readonly ScenarioStep[] }
  | { readonly do: 'statistics' }
  /** Forgets the timing errors so far. */
  | { readonly do: 'clear-lateness' };

/** One direction of the path. */
export interface DirectionStatistics {
  /** What the link did; bytes are IP bytes. */
  readonly link: LinkStatistics;
  /** How much later than the link said each packet was handed over, and with it every system call on its way. */
  readonly lateness: LatenessSummary;
  /** Packets that the kernel would not take at the far end. Must be 0. */
  readonly refused: number;
}

/** Everything that the emulator counts. */
export interface EmulatorStatistics {
  readonly up: DirectionStatistics;
  readonly down: DirectionStatistics;
  /** Packets that a device dropped before the emulator could read them: client, server. Must be 0. */
  readonly deviceDrops: readonly [number, number];
  /** Processor time of the emulator itself, seconds since its start. */
  readonly cpuSeconds: number;
}

/** From the process. */
export type Reply =
  /** Once, first: descriptors of the two namespaces in the process `pid`. */
  | { readonly type: 'ready'; readonly pid: number; readonly handles: Readonly<Record<Side, number>> }
  | { readonly type: 'done' }
  | { readonly type: 'statistics'; readonly statistics: EmulatorStatistics }
  | { readonly type: 'refused'; readonly reason: string };
