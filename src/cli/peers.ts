/**
 * Whom a sender serves: every connection gets its own tracks of the same media. In: connections, media frames. Out:
 * tracks that are ended and settled before their connection is closed.
 */
import { TransportError } from '../base/errors.ts';
import {
  BUSY_CODE,
  type Connection,
  createLadder,
  type OutgoingTrack,
  type RenditionEvent,
  type RenditionLadder,
  type TrackOptions,
} from '../index.ts';
import { statsPeer } from './counters.ts';
import type { MediaUnit } from './framing.ts';
import type { RenditionSpec } from './ladder-spec.ts';
import type { StatsPeer, StatsReporter } from './stats.ts';
import { ContinuityCounters } from './ts-units.ts';

/** Names one track of the media: the input it comes from, and its number where a pipe carries several. */
export interface TrackKey {
  readonly input: number;
  readonly track: number;
}

/** What the slowest receiver's path carries of a track. */
export interface PeerBitrate {
  readonly bitsPerSecond: number;
  readonly maxFrameBytes: number;
}

/** What peers are made with beside their tracks. */
export interface PeerHooks {
  /** The input is a ladder of these renditions, lowest first. */
  readonly renditions?: readonly RenditionSpec[] | undefined;
  /** A track's bitrate has changed towards somebody. */
  readonly onBitrate: (key: TrackKey) => void;
  /** A line on stderr. */
  readonly note: (line: string) => void;
}

/** How a receiver is told that it does not get all of the media. */
const INCOMPLETE_CODE = 1;
/** What somebody is told who comes while the others are told good-bye. */
export const MEDIA_IS_OVER = 'the media is over';
/** Live media settles within its latency; this much more is for the path. */
const SETTLE_EXTRA_MS = 2_000;
/** A receiver that stops a file says why when it closes, which follows at once. */
const REASON_WAIT_MS = 1_000;

/** One receiver. */
export class Peer {
  readonly connection: Connection;
  readonly statsPeer: StatsPeer;
  /** Why it cannot be served any longer. */
  failure: TransportError | undefined;
  readonly #options: (key: TrackKey) => TrackOptions;
  readonly #hooks: PeerHooks;
  readonly #tracks: Map<number, OutgoingTrack> = new Map();
  #ladder: RenditionLadder | undefined;
  /** The receiver wants no more of a track. */
  #isStopped = false;

  constructor(connection: Connection, options: (key: TrackKey) => TrackOptions, hooks: PeerHooks) {
    this.#hooks = hooks;
    this.connection = connection;
    this.statsPeer = statsPeer(connection, 'send');
    this.#options = options;
  }

  /** Bit/s that the tracks together may have; 0 = not known. */
  get targetBps(): number {
    let sum = 0;
    for (const track of this.#tracks.values()) sum += track.targetBitrate;
    return sum;
  }

  /** Announces a track before its first media frame. */
  announce(key: TrackKey): OutgoingTrack {
    const id = idOf(key);
    const known = this.#tracks.get(id);
    if (known !== undefined) return known;
    const { renditions } = this.#hooks;
    const options = this.#options(key);
    const track =
      renditions === undefined
        ? this.connection.createTrack(options)
        : this.#makeLadder(renditions, options).track;
    track.addEventListener('stopped', () => {
      this.#isStopped = true;
    });
    track.addEventListener('bitratechange', () => this.#hooks.onBitrate(key));
    this.#tracks.set(id, track);
    return track;
  }

  #makeLadder(specs: readonly RenditionSpec[], options: TrackOptions): RenditionLadder {
    const counters = new ContinuityCounters();
    const ladder = createLadder(
      this.connection,
      specs.map(({ name, bitsPerSecond }) => ({ name, targetBitrate: bitsPerSecond })),
      { ...options, rewrite: (data) => counters.renumber(data) },
    );
    ladder.addEventListener('renditionchange', (event) =>
      this.#hooks.note(`RENDITION ${(event as RenditionEvent).rendition} ${this.statsPeer.name}`),
    );
    this.#ladder = ladder;
    return ladder;
  }

  /** What fits now on a track; undefined if this peer has none of that number. */
  bitrateOf(key: TrackKey): PeerBitrate | undefined {
    const track = this.#tracks.get(idOf(key));
    return track === undefined || track.latency === Number.POSITIVE_INFINITY
      ? undefined
      : { bitsPerSecond: track.targetBitrate, maxFrameBytes: track.maxFrameBytes };
  }

  /** A promise = a reliable track that wants a pause. */
  send(key: TrackKey, unit: MediaUnit): Promise<void> | undefined {
    const renditions = this.#hooks.renditions;
    if (renditions !== undefined) {
      this.announce({ input: key.input, track: 0 });
      const { name } = renditions[key.track] as RenditionSpec;
      const { data, keyFrame } = unit;
      this.#ladder?.send(name, data, { timestamp: unit.timestampUs ?? 0, keyFrame });
      return undefined;
    }
    const track = this.announce(key);
    track.send(unit.data, {
      timestamp: unit.timestampUs ?? 0,
      keyFrame: unit.keyFrame,
      discardable: unit.discardable,
    });
    return track.latency === Number.POSITIVE_INFINITY ? track.ready : undefined;
  }

  /** Ends every track, waits until everything has settled, closes. */
  async finish(isInterrupted: boolean, latencyMs: number): Promise<void> {
    const { connection } = this;
    const isReliable = latencyMs === Number.POSITIVE_INFINITY;
    if (isInterrupted && isReliable) {
      // Half a file must not look like a whole one.
      await connection.close({ closeCode: INCOMPLETE_CODE, reason: 'the sender was interrupted' });
      return;
    }
    if (this.#isStopped && isReliable) await this.#failStopped();
    const settled = Promise.all([...this.#tracks.values()].map((track) => track.end()));
    const over = connection.closed.catch(() => {});
    await Promise.race([settled, over, ...(isReliable ? [] : [delay(latencyMs + SETTLE_EXTRA_MS)])]);
    if (this.#isStopped && isReliable) await this.#failStopped();
    await connection.close({ closeCode: 0, reason: 'end of media' });
  }

  /** A file was not taken to its end. Rejects with the receiver's reason, or without one if it gives none. */
  async #failStopped(): Promise<never> {
    const { connection } = this;
    await Promise.race([connection.closed, delay(REASON_WAIT_MS)]);
    await connection.close({ closeCode: INCOMPLETE_CODE, reason: 'the receiver stopped' });
    throw new TransportError(
      'ERR_MILLRACE_STREAM_STOPPED',
      'the receiver stopped before the end of the media; see what it says',
    );
  }
}

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms).unref());
}

function idOf(key: TrackKey): number {
  return key.input * 256 + key.track;
}

/** All receivers of one sender. */
export class Peers {
  readonly #peers: Set<Peer> = new Set();
  readonly #reporter: StatsReporter;
  readonly #options: (key: TrackKey) => TrackOptions;
  readonly #announced: TrackKey[];
  readonly #latencyMs: number;
  readonly #hooks: PeerHooks;
  #firstReady: () => void = () => {};
  /** Fulfilled when somebody is there. */
  readonly first: Promise<void> = new Promise((resolve) => {
    this.#firstReady = resolve;
  });
  #hasServed = false;
  #isFinishing = false;

  /** @param announced Tracks that every peer gets at once, before there is media. */
  constructor(
    reporter: StatsReporter,
    options: (key: TrackKey) => TrackOptions,
    announced: readonly TrackKey[],
    latencyMs: number,
    hooks: PeerHooks,
  ) {
    this.#hooks = hooks;
    this.#reporter = reporter;
    this.#options = options;
    this.#announced = [...announced];
    this.#latencyMs = latencyMs;
  }

  get count(): number {
    return this.#peers.size;
  }

  /** The media is over: nobody is served any more. */
  get isFinishing(): boolean {
    return this.#isFinishing;
  }

  /** Somebody was there for the media. */
  get hasServed(): boolean {
    return this.#hasServed;
  }

  /** Bytes of a media frame that fit one source symbol towards everybody, or `byDefault`. */
  symbolBytes(byDefault: number): number {
    let least = Number.POSITIVE_INFINITY;
    for (const { connection } of this.#peers) least = Math.min(least, connection.maxSymbolBytes);
    return Number.isFinite(least) ? least : byDefault;
  }

  /** What the slowest receiver's path carries, bit/s; 0 = not known. */
  get targetBps(): number {
    let least = Number.POSITIVE_INFINITY;
    for (const peer of this.#peers) least = Math.min(least, peer.targetBps);
    return Number.isFinite(least) ? least : 0;
  }

  /** What the slowest receiver's path carries of a track; undefined while nobody has it. */
  bitrateOf(key: TrackKey): PeerBitrate | undefined {
    let least: PeerBitrate | undefined;
    for (const peer of this.#peers) {
      const own = peer.bitrateOf(key);
      if (own === undefined) continue;
      least = {
        bitsPerSecond: Math.min(own.bitsPerSecond, least?.bitsPerSecond ?? own.bitsPerSecond),
        maxFrameBytes: Math.min(own.maxFrameBytes, least?.maxFrameBytes ?? own.maxFrameBytes),
      };
    }
    return least;
  }

  /**
   * Serves one receiver until its connection ends. Rejects if that failed, if the receiver does not take what is sent, or
   * if it left a file before its end; whoever leaves a live call has seen enough.
   */
  async serve(connection: Connection): Promise<void> {
    if (this.#isFinishing) {
      // `finish` has said good-bye to those who were there: nobody would end this one.
      await connection.close({ closeCode: BUSY_CODE, reason: MEDIA_IS_OVER });
      return;
    }
    const peer = new Peer(connection, this.#options, this.#hooks);
    try {
      for (const key of this.#announced) peer.announce(key);
    } catch (error) {
      await turnAway(connection, error);
      throw error;
    }
    this.#peers.add(peer);
    this.#reporter.add(peer.statsPeer);
    refuseTracks(connection);
    this.#hasServed = true;
    this.#firstReady();
    try {
      await connection.closed;
      if (peer.failure !== undefined) throw peer.failure;
      if (!this.#isFinishing && this.#latencyMs === Number.POSITIVE_INFINITY) {
        throw new TransportError(
          'ERR_MILLRACE_PEER_CLOSED',
          'the receiver closed before the end of the media',
        );
      }
    } finally {
      this.#peers.delete(peer);
      this.#reporter.remove(peer.statsPeer, `sent to ${peer.statsPeer.name}:`);
    }
  }

  /** Sends one media frame to everybody. A promise = a reliable track that wants a pause. */
  send(key: TrackKey, unit: MediaUnit): Promise<void> | undefined {
    let wait: Promise<void> | undefined;
    for (const peer of this.#peers) {
      try {
        const ready = peer.send(key, unit);
        if (ready !== undefined)
          wait = wait === undefined ? ready : Promise.all([wait, ready]).then(() => {});
      } catch (error) {
        if (!(error instanceof TransportError)) throw error;
        // A connection that ended in this very moment; `serve` learns why.
        if (error.code === 'ERR_MILLRACE_CLOSED') continue;
        // What one receiver does not take is no reason to keep it from the others.
        peer.failure = error;
        this.#peers.delete(peer);
        void turnAway(peer.connection, error);
      }
    }
    return wait;
  }

  /** The media ended: everything settles, then every connection is closed. */
  async finish(isInterrupted: boolean): Promise<void> {
    this.#isFinishing = true;
    await Promise.all([...this.#peers].map((peer) => peer.finish(isInterrupted, this.#latencyMs)));
  }
}

/** Ends the connection of a receiver that cannot be served. */
function turnAway(connection: Connection, error: unknown): Promise<void> {
  const reason = `the sender cannot serve this receiver: ${(error as Error).message}`;
  return connection.close({ closeCode: INCOMPLETE_CODE, reason });
}

/** A sender takes no media: two senders that call one another learn it at once. */
function refuseTracks(connection: Connection): void {
  void (async () => {
    for await (const track of connection.incomingTracks) track.stop(0);
  })().catch(() => {});
}
