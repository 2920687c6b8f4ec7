/** The network between the two ends of the demo, whoever emulates it: what the server asks of it. */
import type { LinkStatistics } from '../../src/sim.ts';
import type { Programs } from '../server/programs.ts';
import type { PathSettings } from './settings.ts';

/** The two things that are compared. */
export type SideName = 'tcp' | 'millrace';
export const SIDES: readonly SideName[] = ['tcp', 'millrace'];

/** Where the ends of a path are, for programs that serve media sockets: `unix:PATH`. */
export interface MediaAddresses {
  readonly sender: string;
  readonly receiver: string;
}

/** What a network is made with. */
export interface NetworkParts {
  readonly settings: PathSettings;
  readonly programs: Programs;
  /** The encoders never go above, bits per second. */
  readonly mostBps: number;
  readonly latencyMs: number;
  /** Where the media sockets of each side are served. */
  readonly addresses: Readonly<Record<SideName, MediaAddresses>>;
}

/** A path for each side, alike, each on its own: neither takes bandwidth from the other. */
export interface DemoNetwork {
  /** For the page: what is real and what is a model. */
  readonly description: string;
  /** From now on, both paths, both directions. Packets on their way keep their delay. */
  apply(settings: PathSettings): void;
  /** Nothing arrives for so long. */
  blackout(durationMs: number): void;
  /** The NAT in front of each sender forgets its flow and gives the next packet another port. */
  rebind(): void;
  /** What the media direction has carried so far. */
  statistics(side: SideName): LinkStatistics;
  /** Ends programs, sockets, devices and whatever else there is. */
  close(): Promise<void>;
}
