/**
 * One end of a call in a network namespace of its own, for the test of an interface that goes: `moving-end.ts listen` or
 * `moving-end.ts call`. In: a line on stdin, the address to listen at, or to call, and the port; ends when stdin does. Out: a JSON line
 * for each thing that happens: `waiting` (for the line), `listening`, `connected`, `bytes` (of the caller's stream, in order, so far), `moved`.
 */
import { once } from 'node:events';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { type Connection, connect, listen } from '../../src/index.ts';

const passphrase = 'correct horse battery';
/** The stream's byte at every offset, so that what is missing or twice shows. */
const PERIOD = 251;

function say(what: object): void {
  process.stdout.write(`${JSON.stringify(what)}\n`);
}

/** Reads the caller's stream for ever, and tells after each piece how much of it was in order. */
async function follow(connection: Connection): Promise<void> {
  connection.addEventListener('pathchange', () => say({ moved: connection.remoteAddress.host }));
  say({ connected: connection.remoteAddress.host });
  for await (const stream of connection.incomingUnidirectionalStreams) {
    let bytes = 0;
    for await (const piece of stream) {
      for (const byte of piece)
        if (byte !== bytes++ % PERIOD) throw new Error(`byte ${bytes - 1} is ${byte}`);
      say({ bytes });
    }
  }
}

async function runListener(host: string, port: number): Promise<void> {
  const listener = await listen({ host, port, passphrase });
  say({ listening: port });
  for await (const connection of listener) await follow(connection);
}

async function runCaller(host: string, port: number): Promise<void> {
  const connection = await connect({ host, port, resource: '' }, { passphrase, timeout: 60_000 });
  connection.addEventListener('pathchange', () => say({ moved: host }));
  say({ connected: host });
  const writer = (await connection.createUnidirectionalStream()).getWriter();
  for (let at = 0; ; at += 100) {
    await writer.write(Uint8Array.from({ length: 100 }, (_, i) => (at + i) % PERIOD));
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}

const lines = createInterface({ input: process.stdin });
lines.on('close', () => process.exit());
say({ waiting: true });
const [line] = (await once(lines, 'line')) as [string];
const [host = '', port] = line.split(' ');
const run = process.argv[2] === 'listen' ? runListener : runCaller;
await run(host, Number(port));
