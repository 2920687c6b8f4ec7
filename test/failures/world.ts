/**
 * Two ends of a connection on a simulated path, the media, streams and datagrams that go over it, and every invariant
 * checked after every step. In: a network, a seed, what the applications do. Out: what became of each frame and byte.
 */
import { MILLISECOND, type Micros } from '../../src/base/protocol.ts';
import type { Connection } from '../../src/connection/connection.ts';
import type { NetworkSpec } from '../../src/sim/network.ts';
import { runScenario, type ScenarioActions, type ScenarioStep } from '../../src/sim/scenario.ts';
import { type End, makePair, type Pair, type PairOptions } from '../helpers/pair.ts';
import { Census } from './census.ts';
import { checkInvariants, numberedCrypto, type Opened } from './invariants.ts';
import type { Listener, Side, Stage } from './stage.ts';
import { StreamRun, type StreamSpec } from './stream-run.ts';
import { TrackRun, type TrackSpec } from './track-run.ts';

export interface WorldOptions {
  readonly seed: number;
  readonly network: NetworkSpec;
  readonly startBitrateBps?: number;
  readonly steps?: readonly ScenarioStep[];
  readonly actions?: ScenarioActions;
  /** Every packet is compared with what the ends count. */
  readonly hasCensus?: boolean;
  /** Further options of the pair. */
  readonly pair?: Partial<PairOptions>;
}

function isUp(connection: Connection): boolean {
  return connection.isOpen && !connection.isHandshaking;
}

export class World implements Stage {
  readonly pair: Pair;
  readonly opened: Opened = { trackIds: new Set(), streamIds: new Set() };
  readonly tracks: TrackRun[] = [];
  readonly streams: StreamRun[] = [];
  readonly #census: Census = new Census();
  readonly #listeners: Readonly<Record<Side, Set<Listener>>> = { client: new Set(), server: new Set() };

  constructor(options: WorldOptions) {
    const { seed, network, startBitrateBps = 4_000_000, hasCensus = false } = options;
    const crypto = numberedCrypto(undefined, hasCensus ? this.#census.onSealed : undefined);
    this.pair = makePair({
      startBitrateBps,
      ...options.pair,
      client: { crypto, ...options.pair?.client },
      server: { crypto, ...options.pair?.server },
      seed,
      ...network,
    });
    for (const side of ['client', 'server'] as const) {
      const end = this.pair[side];
      const before = end.onEvent;
      end.onEvent = (event, now) => {
        before(event, now);
        for (const listener of this.#listeners[side]) listener(event, now);
      };
    }
    if (hasCensus) this.#census.watch([this.pair.client, this.pair.server]);
    checkInvariants(this.pair, this.opened);
    const { sim, network: links } = this.pair;
    const scenario = { name: '', seed, durationMs: 0, network, steps: options.steps ?? [] };
    runScenario(scenario, { sim, network: links }, options.actions);
  }

  /** Of a world that has one. */
  get census(): Census {
    return this.#census;
  }

  get now(): Micros {
    return this.pair.sim.now;
  }

  end(side: Side): End {
    return this.pair[side];
  }

  /** Calls `listener` with every event of one end. */
  onEvent(side: Side, listener: Listener): () => void {
    this.#listeners[side].add(listener);
    return () => this.#listeners[side].delete(listener);
  }

  /** A track or stream that is over is let go: in hours of them, they would add up. */
  forget(run: TrackRun | StreamRun): void {
    run.forget();
    this.opened.trackIds.delete(run.id);
    this.opened.streamIds.delete(run.id);
    if (run instanceof TrackRun) this.tracks.splice(this.tracks.indexOf(run), 1);
    else this.streams.splice(this.streams.indexOf(run), 1);
  }

  get isConnected(): boolean {
    const { client, server } = this.pair;
    return isUp(client.connection) && isUp(server.connection);
  }

  /** Runs until both ends have their keys. Returns the milliseconds it took; throws after `limitMs`. */
  connect(limitMs = 10_000): number {
    if (!this.runUntil(() => this.isConnected, limitMs)) throw new Error(`no connection after ${limitMs} ms`);
    return this.now / MILLISECOND;
  }

  run(ms: number): void {
    this.pair.run(ms);
  }

  /** Runs until `isMet`, for `limitMs` from now at the most. True if it was met. */
  runUntil(isMet: () => boolean, limitMs: number): boolean {
    return this.pair.sim.runWhile(() => !isMet(), this.now + limitMs * MILLISECOND);
  }

  /** Sends live media from now on. The connection must stand. */
  track(spec: TrackSpec): TrackRun {
    const run = new TrackRun(this, spec);
    this.tracks.push(run);
    return run;
  }

  /** Writes a stream from now on, and reads it at the other end. */
  stream(spec: StreamSpec): StreamRun {
    const run = new StreamRun(this, spec);
    this.streams.push(run);
    return run;
  }

  /** Throws unless both ends are open. */
  assertOpen(): void {
    for (const { connection, host, events } of [this.pair.client, this.pair.server]) {
      if (connection.isOpen) continue;
      const last = events.at(-1);
      const why = last?.type === 'closed' ? `${last.closing.errorCode} ${last.closing.reason}` : 'unknown';
      throw new Error(`the connection ended at the ${host.name}: ${why}`);
    }
  }

  /** Bytes of IP packets in the client's direction. */
  get upBytes(): number {
    return this.pair.network.up.statistics.offeredBytes;
  }
}
