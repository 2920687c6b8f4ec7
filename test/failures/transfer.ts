/** A stream of so many bytes over a network: the shape of most suite cases. The figure is the time it takes. */
import type { NetworkSpec } from '../../src/sim/network.ts';
import type { ScenarioStep } from '../../src/sim/scenario.ts';
import type { PairOptions } from '../helpers/pair.ts';
import type { FailureCase, Measured } from './case.ts';
import type { Side } from './stage.ts';
import { TcpRun } from './tcp-run.ts';
import { World } from './world.ts';

export interface TransferSpec {
  readonly row: string;
  readonly name: string;
  readonly network: NetworkSpec;
  /** One stream after another of so many bytes, all at once. */
  readonly bytes: readonly number[];
  /** Seconds, the handshake included. */
  readonly most: number;
  /** Default the server: a download, as the suites have it. */
  readonly from?: Side;
  readonly steps?: readonly ScenarioStep[];
  readonly startBitrateBps?: number;
  /** TCP moves as many bytes in one stream. */
  readonly hasTcp?: boolean;
  /** What else must hold in the end; throws if it does not. */
  readonly check?: (world: World) => void;
  readonly arrange?: (world: World) => void;
  /** See WorldOptions, both. */
  readonly pair?: Partial<PairOptions>;
  readonly hasCensus?: boolean;
  /** Called before the first packet; what it returns is asked in the end, like `check`. */
  readonly watch?: (world: World) => () => void;
}

/** Runs it once. Throws when it is not through in time or a byte is wrong. */
export function transfer(spec: TransferSpec, seed: number): Measured {
  const {
    network,
    bytes,
    from = 'server',
    steps = [],
    most,
    startBitrateBps = 1e6,
    hasCensus = false,
    pair = {},
  } = spec;
  const world = new World({ seed, network, steps, startBitrateBps, hasCensus, pair });
  spec.arrange?.(world);
  const checkWatched = spec.watch?.(world);
  world.connect(most * 1e3);
  const streams = bytes.map((size) => world.stream({ bytes: size, from }));
  const left = most * 1e3 - world.now / 1e3;
  if (!world.runUntil(() => streams.every(({ isFinished }) => isFinished), left)) {
    const read = streams.reduce((sum, { readBytes }) => sum + readBytes, 0);
    world.assertOpen();
    throw new Error(`${read} bytes in ${most} s`);
  }
  world.assertOpen();
  spec.check?.(world);
  checkWatched?.();
  const value = world.now / 1e6;
  if (spec.hasTcp !== true) return { value };
  const total = bytes.reduce((sum, size) => sum + size, 0);
  const tcpSpec = { seed, network: turned(network, from), steps, bytes: total, durationMs: most * 1e3 };
  return { value, tcp: () => new TcpRun(tcpSpec).tookMs / 1e3 };
}

/** The TCP model sends up. */
function turned(network: NetworkSpec, from: Side): NetworkSpec {
  return from === 'client' ? network : { up: network.down, down: network.up };
}

/** The case. */
export function transferCase(spec: TransferSpec): FailureCase {
  const { row, name, most, bytes } = spec;
  const total = bytes.reduce((sum, size) => sum + size, 0);
  const figure = `${total} bytes in ${bytes.length === 1 ? 'one stream' : `${bytes.length} streams`}`;
  return { row, name, figure, unit: 's', most, run: (seed) => transfer(spec, seed) };
}
