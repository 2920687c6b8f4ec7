/**
 * `millrace receive MILLRACE MEDIA`: one sender's media to stdout, a file or UDP, from the listener that is called or
 * from the sender that calls. Source: docs/cli.md.
 */

import { BUSY_CODE, type Connection, type IncomingTrack, TransportError } from '../index.ts';
import { statsPeer } from './counters.ts';
import { readCredentials } from './credentials.ts';
import { describeError, isBrokenPipe, UsageError } from './errors.ts';
import type { CliIo } from './io.ts';
import { type MediaOutput, openOutput } from './media-output.ts';
import type { CliOptions } from './option-values.ts';
import { applyUriParameters, parseOptions } from './options.ts';
import { hasResource, NO_RESOURCE, runSession } from './session.ts';
import { StatsReporter } from './stats.ts';
import { isMillraceUri, type MediaUri, type MillraceUri, parseMediaUri, parseMillraceUri } from './uri.ts';

/** What the arguments ask for. */
interface ReceivePlan {
  readonly uri: MillraceUri;
  readonly media: MediaUri;
  readonly options: CliOptions;
}

/** Reads the arguments after `receive`. */
export function parseReceive(args: readonly string[]): ReceivePlan {
  const { options, positionals } = parseOptions('receive', args);
  const [source, sink] = positionals;
  if (positionals.length !== 2 || source === undefined || sink === undefined) {
    throw new UsageError(
      'receive needs MILLRACE and one MEDIA: millrace receive millrace://:9000/live file:out.mpegts',
    );
  }
  if (!isMillraceUri(source)) {
    throw new UsageError(
      'the first argument of receive is whom to receive from: write millrace receive millrace://:PORT MEDIA',
    );
  }
  const uri = parseMillraceUri(source);
  return { uri, media: parseMediaUri(sink), options: applyUriParameters(options, uri.parameters) };
}

/** Runs the command. Resolves when the sender is done; rejects with what ended it. */
export async function runReceive(args: readonly string[], io: CliIo): Promise<void> {
  const plan = parseReceive(args);
  const { uri, media, options } = plan;
  const credentials = readCredentials(uri, options, io.env);
  const reporter = new StatsReporter(io.stderr, options.stats, options.statsJson);
  const session = new AbortController();
  io.onSignal(() => session.abort());
  const note = (line: string): void => reporter.note(line);
  let isBusy = false;
  try {
    await runSession(
      {
        uri,
        options,
        credentials,
        startBitrate: options.startBitrate,
        delivery: deliveryOf(plan),
        admit: (request) => {
          if (!hasResource(uri, request)) return NO_RESOURCE;
          return isBusy ? { reject: { code: BUSY_CODE, reason: 'there is a publisher already' } } : true;
        },
        note,
        signal: session.signal,
      },
      async (connection) => {
        if (isBusy) {
          await connection.close({ closeCode: BUSY_CODE, reason: 'there is a publisher already' });
          return false;
        }
        isBusy = true;
        try {
          // Waits for the reader of a named pipe, if that is what it is.
          const output = await openOutput(media, {
            framing: options.framing,
            stdout: io.stdout,
            note,
            signal: session.signal,
          });
          await new Reception(plan, connection, output, reporter).run(session.signal);
        } catch (error) {
          if ((error as Error).name === 'AbortError') {
            await connection.close();
            return true;
          }
          await connection.close({ closeCode: 1, reason: 'the receiver failed' });
          if (uri.mode === 'call' || !staysOpen(plan) || !isSendersFault(error)) throw error;
          note(describeError(error, false));
          return false;
        } finally {
          isBusy = false;
        }
        return !staysOpen(plan);
      },
    );
  } catch (error) {
    if (!isBrokenPipe(error)) throw error;
  } finally {
    await reporter.close();
  }
}

/** UDP has no end: a listener that writes to it waits for the next sender, and `--reconnect` calls again. */
function staysOpen({ media }: ReceivePlan): boolean {
  return media.kind === 'udp' || media.kind === 'rtp';
}

/** True when it was not our output that failed: the next sender may do better. */
function isSendersFault(error: unknown): boolean {
  return error instanceof TransportError && error.code !== 'ERR_MILLRACE_IO';
}

/** One sender's media on its way to one output. */
class Reception {
  readonly #plan: ReceivePlan;
  readonly #connection: Connection;
  readonly #output: MediaOutput;
  readonly #reporter: StatsReporter;
  readonly #tracks: Promise<void>[] = [];
  #trackCount = 0;
  #skipped = 0;
  #written = 0;
  #isWhole = true;
  #failure: unknown;

  constructor(plan: ReceivePlan, connection: Connection, output: MediaOutput, reporter: StatsReporter) {
    this.#plan = plan;
    this.#connection = connection;
    this.#output = output;
    this.#reporter = reporter;
  }

  /** Resolves after a clean end; rejects when the connection or the output failed. The output is finished either way. */
  async run(signal: AbortSignal): Promise<void> {
    const connection = this.#connection;
    const peer = statsPeer(connection, 'receive');
    this.#reporter.add(peer);
    const close = (): void => void connection.close({ closeCode: 0, reason: 'the receiver was stopped' });
    signal.addEventListener('abort', close, { once: true });
    if (signal.aborted) close();
    let isClean = false;
    try {
      const accepting = this.#accept();
      await connection.closed;
      await accepting;
      isClean = !signal.aborted;
    } catch (error) {
      this.#failure ??= error;
    } finally {
      signal.removeEventListener('abort', close);
    }
    await Promise.all(this.#tracks);
    this.#reporter.remove(peer, `received from ${peer.name}:`);
    await this.#finish(isClean, connection.stats().framesReceived);
  }

  async #finish(isClean: boolean, frames: { readonly late: number; readonly lost: number }): Promise<void> {
    const isComplete =
      isClean &&
      this.#failure === undefined &&
      this.#isWhole &&
      this.#skipped === 0 &&
      frames.late + frames.lost === 0 &&
      this.#written > 0;
    try {
      await this.#output.finish(isComplete);
    } catch (error) {
      this.#failure ??= error;
    }
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #accept(): Promise<void> {
    for await (const track of this.#connection.incomingTracks) {
      if (!this.#isWanted(track)) {
        this.#reporter.note(
          `track ${nameOf(track)} is not written: choose with --track, or take all with --framing record`,
        );
        track.stop(0);
        continue;
      }
      const number = this.#trackCount++;
      this.#tracks.push(this.#copy(track, numberOf(track, number)));
    }
  }

  #isWanted(track: IncomingTrack): boolean {
    const { options } = this.#plan;
    const wanted = options.track;
    if (wanted !== undefined)
      return track.metadata.label === wanted && (options.framing === 'record' || this.#trackCount === 0);
    return options.framing === 'record' ? this.#trackCount < 256 : this.#trackCount === 0;
  }

  async #copy(track: IncomingTrack, number: number): Promise<void> {
    try {
      for await (const frame of track) {
        this.#skipped += frame.skipped;
        const wait = this.#output.write({
          data: frame.data,
          timestampUs: frame.timestamp,
          keyFrame: frame.keyFrame,
          discardable: frame.discardable,
          track: number,
          sequence: frame.frameId,
        });
        this.#written++;
        if (wait !== undefined) await wait;
      }
      if (!track.isComplete) this.#isWhole = false;
    } catch (error) {
      // The connection's own failure is told by `closed`; an output that failed ends the connection.
      this.#isWhole = false;
      this.#failure ??= error;
      const reason = isSendersFault(error) ? (error as Error).message : 'the receiver could not write';
      await this.#connection.close({ closeCode: 1, reason });
    }
  }
}

/** Smooth output where it is asked for or natural. Otherwise what the sender wishes. */
function deliveryOf({ media, options }: ReceivePlan): 'asap' | 'timed' | undefined {
  return options.delivery ?? (media.kind === 'udp' || media.kind === 'rtp' ? 'timed' : undefined);
}

/** The number in a record header: the sender's own where it sends records, else the order of arrival. */
function numberOf(track: IncomingTrack, byDefault: number): number {
  const own = track.metadata.record;
  return typeof own === 'number' && Number.isInteger(own) && own >= 0 && own < 256 ? own : byDefault;
}

function nameOf(track: IncomingTrack): string {
  const { label } = track.metadata;
  return typeof label === 'string' ? `'${label}'` : `${track.id} (${track.kind})`;
}
