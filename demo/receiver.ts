/**
 * Live video and audio over millrace, the receiving half: a complete program, written as an application would be. Media
 * frames of incoming tracks leave over a WebSocket to a player (the page that this program serves, or the page of `npm
 * run demo`), which decodes and shows them, and asks for a key frame when it cannot go on.
 *
 * What to look at, in this order: the loop at the end takes callers; `watch` takes their tracks; `play` their frames.
 */
import process from 'node:process';
import { parseArgs } from 'node:util';
// In your program: from 'millrace'.
import { type Connection, type IncomingTrack, listen } from '../src/index.ts';
import { explainErrors, numberOption, readPassphrase, refuse } from './command-line.ts';
import type { MediaMessage } from './media-protocol.ts';
import { MediaServer, type MediaSocket } from './media-socket.ts';
import { pageFor } from './server/page-files.ts';

const HELP = `Receives live video and audio over millrace and shows it in a browser on this machine.

  here:   npx tsx demo/receiver.ts --port 9000 --passphrase-file key.txt
  there:  npx tsx demo/sender.ts millrace://here:9000/live --passphrase-file key.txt

and open the page that each of them prints. 'millrace keygen > key.txt' makes the passphrase; copy the file.

  --port PORT             UDP port to listen on (default 9000; 0: any, which the LISTENING line tells)
  --host ADDRESS          local address (default all)
  --passphrase-file PATH  or MILLRACE_PASSPHRASE in the environment
  --serve HOST:PORT       where the page is (default 127.0.0.1:8082), or unix:PATH for programs
  --help`;

explainErrors();
const { values } = parseArgs({
  options: {
    port: { type: 'string', default: '9000' },
    host: { type: 'string' },
    'passphrase-file': { type: 'string' },
    serve: { type: 'string', default: '127.0.0.1:8082' },
    help: { type: 'boolean', default: false },
  },
});
if (values.help) {
  console.log(HELP);
  process.exit(0);
}
const port = numberOption('port', values.port, 0, 65_535);
const passphrase = readPassphrase(values['passphrase-file']);

const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());

/** Joins the player and the tracks there are; both may go and come again. */
class Cinema {
  #player: MediaSocket | undefined;
  /** Tracks under way, by the number that the player knows them by. */
  readonly #tracks: Map<number, IncomingTrack> = new Map();
  #nextNumber = 0;

  /** A new player takes the place of the one before. It needs to know what there is, and a key frame to begin with. */
  usePlayer(player: MediaSocket): void {
    this.#player?.replace();
    this.#player = player;
    for (const [number, track] of this.#tracks) this.#announce(number, track);
    player.onMessage = (message) => {
      // Asking as often as the player wishes is fine: one request a round trip leaves.
      if (message.type === 'keyframe') this.#tracks.get(message.track)?.requestKeyFrame();
    };
  }

  #announce(number: number, track: IncomingTrack): void {
    const kind = track.kind === 'audio' ? 'audio' : 'video';
    const message: MediaMessage = { type: 'track', track: number, kind, metadata: track.metadata };
    this.#player?.send(message);
    if (kind === 'video') track.requestKeyFrame();
  }

  /** Every track that one sender announces, for as long as the connection lasts. */
  async watch(connection: Connection): Promise<void> {
    const playing: Promise<void>[] = [];
    for await (const track of connection.incomingTracks) playing.push(this.play(track));
    await Promise.all(playing);
  }

  /** The frames of one track: each as soon as it is complete, in order, and never one that is too late. */
  async play(track: IncomingTrack): Promise<void> {
    const number = this.#nextNumber;
    this.#nextNumber = (this.#nextNumber + 1) % 256;
    this.#tracks.set(number, track);
    this.#announce(number, track);
    // What the player has no time for counts as missing, like what the path lost.
    let skipped = 0;
    try {
      for await (const frame of track) {
        skipped += frame.skipped;
        const { data, timestamp, duration, keyFrame, discardable } = frame;
        const chunk = { track: number, keyFrame, discardable, skipped, data };
        const times = { timestampUs: timestamp, durationUs: duration ?? 0 };
        const isSent = this.#player?.sendChunk({ ...chunk, ...times }) ?? false;
        skipped = isSent ? 0 : skipped + 1;
      }
    } finally {
      this.#tracks.delete(number);
    }
  }

  tell(text: string): void {
    console.error(text);
    this.#player?.send({ type: 'status', text });
  }

  close(): void {
    this.#player?.close();
  }
}

const cinema = new Cinema();
const media = await MediaServer.open(
  values.serve,
  (player) => cinema.usePlayer(player),
  pageFor('receive'),
).catch(refuse);
if (media.url !== undefined) console.log(media.url);
const listener = await listen({
  ...(passphrase === undefined ? {} : { passphrase }),
  ...(values.host === undefined ? {} : { host: values.host }),
  port,
  signal: stopping.signal,
  // Somebody with another passphrase, for example. Everything else goes on.
  onCallerFailed: (error, address) => console.error(`${address.host}:${address.port}: ${error.message}`),
}).catch(refuse);
console.error(`LISTENING ${listener.address.host}:${listener.address.port}`);

let current: Connection | undefined;
try {
  for await (const connection of listener) {
    // The newest sender is shown: after an outage it is the same one, calling again.
    void current?.close({ reason: 'another sender has called' });
    current = connection;
    cinema.tell('');
    cinema.watch(connection).catch((error: Error) => cinema.tell(error.message));
  }
} catch (error) {
  // The aborted signal ends the loop this way.
  if (!stopping.signal.aborted) throw error;
}
cinema.close();
await media.close();
