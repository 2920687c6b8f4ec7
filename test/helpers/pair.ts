/**
 * Two core connections in virtual time, joined by a simulated network: the harness of test/sim. Real state machines,
 * stand-in keys and TLS (no security, same flights), so a minute of media costs about a second.
 */
import { MILLISECOND, type Micros } from '../../src/base/protocol.ts';
import {
  createPair,
  type End,
  joinPair,
  type PairOptions as LabPairOptions,
  listenTo,
} from '../../src/lab/pair.ts';
import type { LinkOptions } from '../../src/sim/link-options.ts';
import type { NatSpec } from '../../src/sim/nat.ts';
import { Network } from '../../src/sim/network.ts';
import { Simulator } from '../../src/sim/simulator.ts';
import type { ReceivedFrame } from '../../src/track/types.ts';

export interface PairOptions extends LabPairOptions {
  readonly seed: number;
  readonly up: LinkOptions;
  readonly down: LinkOptions;
  /** In front of the client. */
  readonly nat?: NatSpec;
}

export type { End };

export interface Pair {
  readonly sim: Simulator;
  readonly network: Network;
  readonly client: End;
  readonly server: End;
  /** Runs for so many milliseconds. */
  run(ms: number): void;
}

/** Makes both ends and starts them. The server answers the caller at once. */
export function makePair(options: PairOptions): Pair {
  const sim = new Simulator({ seed: options.seed });
  const { client, server } = createPair(sim, options);
  const { up, down, nat } = options;
  const network = new Network(sim, { up, down, ...(nat === undefined ? {} : { nat }) });
  joinPair(client, server, network);
  client.host.start();
  return { sim, network, client, server, run: (ms) => sim.run(sim.now + ms * MILLISECOND) };
}

/** Keeps every media frame that `end` receives, with the instant at which it could be read. */
export function collectFrames(
  pair: Pair,
  end: End,
): { readonly frame: ReceivedFrame; readonly atUs: Micros }[] {
  const frames: { frame: ReceivedFrame; atUs: Micros }[] = [];
  listenTo(end, (event) => {
    if (event.type !== 'track-readable') return;
    const receiver = end.connection.tracks.receiver(event.trackId);
    for (let frame = receiver?.poll(); frame !== undefined; frame = receiver?.poll()) {
      frames.push({ frame, atUs: pair.sim.now });
    }
  });
  return frames;
}
