/**
 * One end of a call in a network namespace of its own, for tests of networks that go and come: `moving-end.ts listen` or
 * `moving-end.ts call`. In: a line on stdin, the address to listen at, or to call, and the port; ends when stdin does.
 * Out: a JSON line for each thing that happens: `waiting` (for the line), `listening`, `connected`, `bytes` (of the peer's
 * stream, in order, so far), `sent` and `seen` (the newest media frame, its own and the peer's), `moved`.
 */
import { once } from 'node:events';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { type Connection, connect, listen } from '../../src/index.ts';

const passphrase = 'correct horse battery';
/** The stream's byte at every offset, so that what is missing or twice shows. */
const PERIOD = 251;
const STEP_BYTES = 100;
const STEP_MS = 10;

function say(what: object): void {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}

/** Reads the peer's stream for ever, and tells after each piece how much of it was in order. */
async function followStream(connection: Connection): Promise<void> {
  for await (const stream of connection.incomingUnidirectionalStreams) {
    let bytes = 0;
    for await (const piece of stream) {
      for (const byte of piece)
        if (byte !== bytes++ % PERIOD) throw new Error(`byte ${bytes - 1} is ${byte}`);
      say({ bytes });
    }
  }
}

async function followMedia(connection: Connection): Promise<void> {
  for await (const track of connection.incomingTracks) {
    for await (const { data } of track) say({ seen: Buffer.from(data).readUInt32BE() });
  }
}

/** A stream, and a numbered media frame beside each piece of it. */
async function send(connection: Connection): Promise<void> {
  const track = connection.createTrack({ kind: 'data' });
  const writer = (await connection.createUnidirectionalStream()).getWriter();
  let at = 0;
  for (let number = 0; ; number++) {
    const data = Buffer.alloc(STEP_BYTES);
    data.writeUInt32BE(number);
    track.send(data);
    say({ sent: number });
    // A full stream must not stop the media.
    if ((writer.desiredSize ?? 0) > 0) {
      void writer.write(Uint8Array.from({ length: STEP_BYTES }, (_, i) => (at + i) % PERIOD));
      at += STEP_BYTES;
    }
    await new Promise((resolve) => setTimeout(resolve, STEP_MS));
  }
}

async function run(connection: Connection): Promise<void> {
  connection.addEventListener('pathchange', () => say({ moved: connection.remoteAddress.host }));
  say({ connected: connection.remoteAddress.host });
  await Promise.all([followStream(connection), followMedia(connection), send(connection), connection.closed]);
}

const lines = createInterface({ input: process.stdin });
lines.on('close', () => process.exit());
say({ waiting: true });
const [line] = (await once(lines, 'line')) as [string];
const [host = '', text] = line.split(' ');
const port = Number(text);
if (process.argv[2] === 'listen') {
  const listener = await listen({ host, port, passphrase });
  say({ listening: port });
  for await (const connection of listener) await run(connection);
} else {
  await run(await connect({ host, port, resource: '' }, { passphrase, timeout: 60_000 }));
}
