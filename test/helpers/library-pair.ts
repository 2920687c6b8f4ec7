/**
 * Streams and tracks as applications see them above two core connections in virtual time: promises move between runs of
 * the simulation. No sockets.
 */
import { TransportError } from '../../src/base/errors.ts';
import type { Micros } from '../../src/base/protocol.ts';
import { listenTo } from '../../src/lab/pair.ts';
import { Streams } from '../../src/node/streams.ts';
import { Tracks } from '../../src/node/tracks.ts';
import { connectPair } from './calls.ts';
import { type End, makePair, type Pair } from './pair.ts';

/** What the library's connection is made of, without its socket. */
export class LibraryEnd {
  readonly end: End;
  readonly streams: Streams;
  readonly tracks: Tracks;
  #isWoken = false;

  constructor(end: End, now: () => Micros) {
    this.end = end;
    const wake = (): void => {
      this.#isWoken = true;
    };
    this.streams = new Streams(end.connection, wake);
    this.tracks = new Tracks(end.connection, wake, 120, now);
    listenTo(end, (event) => {
      // An application has no use for a record of all that happened, and a test of memory none either.
      end.events.length = 0;
      if (event.type === 'closed') {
        this.tracks.onClosed(event.closing.error);
        this.streams.onClosed(event.closing.error ?? new TransportError('ERR_MILLRACE_CLOSED', 'closed'));
      } else if (!event.type.includes('stream')) this.tracks.onEvent(event);
      else if (!this.tracks.onStreamEvent(event)) this.streams.onEvent(event);
    });
  }

  /** Polls the core if the application did something. */
  pump(): void {
    if (!this.#isWoken) return;
    this.#isWoken = false;
    this.end.host.pump();
  }
}

export interface LibraryPair {
  readonly pair: Pair;
  readonly client: LibraryEnd;
  readonly server: LibraryEnd;
  /** Runs for so many milliseconds, and lets promises move after each. */
  run(ms: number): Promise<void>;
}

/** Two ends that are connected, 5 ms apart, over 50 Mbit/s. */
export function libraryPair(seed: number): LibraryPair {
  const link = { delayMs: 5, rateBps: 50e6 };
  const pair = makePair({ seed, up: link, down: link, startBitrateBps: 20_000_000 });
  connectPair(pair);
  const now = (): Micros => pair.sim.now;
  const client = new LibraryEnd(pair.client, now);
  const server = new LibraryEnd(pair.server, now);
  const run = async (ms: number): Promise<void> => {
    for (let i = 0; i < ms; i++) {
      await new Promise(setImmediate);
      client.pump();
      server.pump();
      pair.run(1);
    }
  };
  return { pair, client, server, run };
}
