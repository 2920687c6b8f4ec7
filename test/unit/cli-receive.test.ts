/** `millrace receive` in this process, and callers that mean it no good. */
import { afterEach, expect, it, vi } from 'vitest';
import { Endpoint } from '../../src/endpoint.ts';
import { type Connection, connect } from '../../src/index.ts';
import { PASSPHRASE, type RunHere, runHere } from '../helpers/run-here.ts';

let receiver: RunHere;
afterEach(async () => {
  vi.restoreAllMocks();
  receiver.signal();
  await receiver.code;
});

/** Calls the receiver; with the core below the connection, to break the rules with. */
async function call(): Promise<{ connection: Connection; core: ReturnType<Endpoint['dial']> }> {
  const dial = vi.spyOn(Endpoint.prototype, 'dial');
  const port = Number(receiver.said().match(/LISTENING .*:(\d+)/)?.[1]);
  const connection = await connect({ host: '127.0.0.1', port }, { passphrase: PASSPHRASE });
  return { connection, core: dial.mock.results.at(-1)?.value };
}

async function listening(): Promise<void> {
  receiver = runHere(['receive', 'millrace://127.0.0.1:0?mode=listen', 'udp://127.0.0.1:9']);
  await expect.poll(receiver.said).toContain('LISTENING');
}

it('is free for the next caller after one whose reliable track was no media', async () => {
  await listening();
  const { connection, core } = await call();
  const stream = core.streams.open('track');
  core.tracks.openReliable({ kind: 'data', streamId: stream?.id ?? -1, metadata: new Uint8Array() });
  stream?.write(new Uint8Array(64).fill(0xff));
  connection.datagrams.send(new Uint8Array(1));
  await expect(connection.closed).rejects.toThrow('no media frame');
  await expect.poll(receiver.said).toContain('ERR_MILLRACE_PROTOCOL');
  const next = await call();
  await next.connection.close();
});

it('writes nothing to the terminal that a caller could steer it with', async () => {
  await listening();
  const { connection } = await call();
  connection.createTrack().send(new Uint8Array(5));
  const label = '\x1b]0;owned\x07\x9b2J\r\nREADY \u202eall is well';
  connection.createTrack({ metadata: { label } }).send(new Uint8Array(5));
  await expect.poll(receiver.said).toMatch(/^track '.*owned.*all is well' is not written/m);
  expect(receiver.said().replaceAll('\n', '')).not.toMatch(/[\p{Cc}\u202e]/u);
  await connection.close();
});
