/**
 * Live video and audio over millrace, the sending half: a complete program, written as an application would be. Chunks
 * come in over a WebSocket from an encoder (the page that this program serves, or the page of `npm run demo`), and leave
 * as media frames on tracks; what the transport wishes of the encoder goes back the same way.
 *
 * What to look at, in this order: `call` connects and connects again; `announce` makes a track; `forward` sends.
 */
import process from 'node:process';
import { setTimeout as sleep } from 'node:timers/promises';
import { parseArgs } from 'node:util';
// In your program: from 'millrace'.
import { type Connection, connect, type OutgoingTrack, TransportError } from '../src/index.ts';
import { explainErrors, numberOption, readPassphrase, refuse } from './command-line.ts';
import { senderFigures } from './figures.ts';
import type { Chunk, MediaMessage } from './media-protocol.ts';
import { MediaServer, type MediaSocket } from './media-socket.ts';
import { pageFor } from './server/page-files.ts';

const HELP = `Sends the camera, or a test picture, of a browser on this machine to a millrace receiver.

  there:  npx tsx demo/receiver.ts --port 9000 --passphrase-file key.txt
  here:   npx tsx demo/sender.ts millrace://there:9000/live --passphrase-file key.txt

and open the page that each of them prints. 'millrace keygen > key.txt' makes the passphrase; copy the file.

  --passphrase-file PATH  or MILLRACE_PASSPHRASE in the environment
  --latency MS            recovery budget on top of the one-way delay (default 120)
  --max-bitrate BPS       the encoder never goes above (default 2500000)
  --serve HOST:PORT       where the page is (default 127.0.0.1:8081), or unix:PATH for programs
  --help`;

explainErrors();
const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    'passphrase-file': { type: 'string' },
    latency: { type: 'string', default: '120' },
    'max-bitrate': { type: 'string', default: '2500000' },
    serve: { type: 'string', default: '127.0.0.1:8081' },
    help: { type: 'boolean', default: false },
  },
});
const [target] = positionals;
if (values.help || target === undefined) {
  console.log(HELP);
  process.exit(values.help ? 0 : 2);
}
/** More than any voice needs. */
const AUDIO_BITRATE = 128_000;
/**
 * Media frames that may miss their deadline. A picture that others build on stops the video until a key frame has come, a
 * third of a second: at the library's 0.001 that could be a freeze or two a minute. Repair for less costs a few per cent.
 */
const VIDEO_TARGET = 0.0002;
const latency = numberOption('latency', values.latency, 1, 60_000);
const maxBitrate = numberOption('max-bitrate', values['max-bitrate'], 100_000, 1e9);
const passphrase = readPassphrase(values['passphrase-file']);

const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());

/** Joins the encoder and the connection there are; both may go and come again. */
class Broadcast {
  #encoder: MediaSocket | undefined;
  #connection: Connection | undefined;
  /** What the encoder makes, so that a new connection can be told of it. */
  readonly #announced: Map<number, MediaMessage & { type: 'track' }> = new Map();
  readonly #tracks: Map<number, OutgoingTrack> = new Map();

  /** A new encoder takes the place of the one before. */
  useEncoder(encoder: MediaSocket): void {
    this.#encoder?.replace();
    this.#endTracks();
    this.#announced.clear();
    this.#encoder = encoder;
    encoder.onMessage = (message) => {
      if (message.type !== 'track') return;
      this.#announced.set(message.track, message);
      this.announce(message);
    };
    encoder.onChunk = (chunk) => this.forward(chunk);
    void encoder.closed.then(() => {
      if (this.#encoder !== encoder) return;
      this.#encoder = undefined;
      this.#announced.clear();
      this.#endTracks();
    });
  }

  useConnection(connection: Connection | undefined): void {
    this.#connection = connection;
    this.#tracks.clear();
    for (const message of this.#announced.values()) this.announce(message);
  }

  /** One track of media, with whatever its decoder needs to know. */
  announce({ track: number, kind, metadata }: MediaMessage & { type: 'track' }): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    void this.#tracks.get(number)?.end();
    // Audio goes first when the path has little room: by default its sendOrder is 10, that of video 0.
    const track = connection.createTrack({
      kind,
      latency,
      maxBitrate: kind === 'audio' ? AUDIO_BITRATE : maxBitrate,
      metadata,
      ...(kind === 'video' ? { target: VIDEO_TARGET } : {}),
    });
    this.#tracks.set(number, track);
    // The transport knows what the path carries; the encoder follows it, and no queue builds up.
    const follow = (bitsPerSecond: number, maxFrameBytes: number): void => {
      this.#encoder?.send({ type: 'bitrate', track: number, bitsPerSecond, maxFrameBytes });
    };
    follow(track.targetBitrate, track.maxFrameBytes);
    track.addEventListener('bitratechange', () => follow(track.targetBitrate, track.maxFrameBytes));
    // The receiver lost a picture that others build on: only a key frame helps it.
    const keyFrame = (): void => this.#encoder?.send({ type: 'keyframe', track: number });
    track.addEventListener('keyframerequest', keyFrame);
    if (kind === 'video') keyFrame();
  }

  /** One encoded chunk. `send` never blocks: what does not fit the path in time is dropped, the least important first. */
  forward(chunk: Chunk): void {
    const { data, timestampUs, durationUs, keyFrame, discardable } = chunk;
    const track = this.#tracks.get(chunk.track);
    track?.send(data, { timestamp: timestampUs, duration: durationUs, keyFrame, discardable });
  }

  /** Tells the encoder how things are. */
  report(status: string | undefined): void {
    if (this.#connection !== undefined) {
      const figures = senderFigures(this.#connection.stats());
      this.#encoder?.send({ type: 'figures', figures });
    }
    if (status !== undefined) this.#encoder?.send({ type: 'status', text: status });
  }

  #endTracks(): void {
    for (const track of this.#tracks.values()) void track.end();
    this.#tracks.clear();
  }

  close(): void {
    this.#encoder?.close();
  }
}

/** Keeps a connection up until the program ends. An outage shorter than the idle timeout does not even get here. */
async function call(uri: string, broadcast: Broadcast): Promise<void> {
  while (!stopping.signal.aborted) {
    try {
      const connection = await connect(uri, {
        ...(passphrase === undefined ? {} : { passphrase }),
        latency,
        // Where the rate begins before the path is known. Too much is cut within a round trip.
        startBitrate: 1_500_000,
        signal: stopping.signal,
      });
      console.error(`connected to ${connection.remoteAddress.host}:${connection.remoteAddress.port}`);
      broadcast.useConnection(connection);
      broadcast.report('');
      const stop = (): void => void connection.close({ reason: 'the sender ends' });
      stopping.signal.addEventListener('abort', stop, { once: true });
      await connection.closed.finally(() => stopping.signal.removeEventListener('abort', stop));
    } catch (error) {
      if (stopping.signal.aborted) return;
      // Anything else is a wrong command line, and calling again would not make it right.
      if (!(error instanceof TransportError)) refuse(error);
      console.error(error.message);
      broadcast.report(error.message);
    }
    broadcast.useConnection(undefined);
    await sleep(500, undefined, { signal: stopping.signal }).catch(() => {});
  }
}

const broadcast = new Broadcast();
const media = await MediaServer.open(
  values.serve,
  (encoder) => broadcast.useEncoder(encoder),
  pageFor('send'),
).catch(refuse);
if (media.url !== undefined) console.log(media.url);
const reporting = setInterval(() => broadcast.report(undefined), 500);
await call(target, broadcast);
clearInterval(reporting);
broadcast.close();
await media.close();
