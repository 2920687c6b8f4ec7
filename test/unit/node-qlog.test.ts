import { subscribe, unsubscribe } from 'node:diagnostics_channel';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Connection, connect, listen } from '../../src/index.ts';

const passphrase = 'only for a test';
let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-qlog-'));
});
afterEach(() => {
  delete process.env.QLOGDIR;
  rmSync(folder, { recursive: true });
});

/** A call in which ten media frames are sent. */
async function call(): Promise<Connection> {
  const listener = await listen({ host: '127.0.0.1', passphrase });
  void (async () => {
    for await (const peer of listener) {
      void (async () => {
        for await (const track of peer.incomingTracks) for await (const _ of track);
      })().catch(() => {});
    }
  })();
  const connection = await connect({ host: '127.0.0.1', port: listener.address.port }, { passphrase });
  const track = connection.createTrack({ latency: 60_000 });
  for (let i = 0; i < 10; i++) track.send(new Uint8Array(3000));
  await track.end();
  await connection.close({ closeCode: 5, reason: 'enough' });
  await listener.close();
  return connection;
}

type QlogRecord = { time: number; name: string; data: Record<string, unknown>; [key: string]: unknown };

function recordsOf(name: string): QlogRecord[] {
  const texts = readFileSync(join(folder, name), 'utf8').split('\x1e');
  expect(texts.shift()).toBe('');
  return texts.map((text) => {
    expect(text.endsWith('\n')).toBe(true);
    return JSON.parse(text);
  });
}

/** The packet number in the header of an event. */
function numberOf(data: Record<string, unknown>): number {
  return (data.header as { packet_number: number }).packet_number;
}

describe('QLOGDIR', () => {
  it('names the folder that gets one JSON-SEQ file per connection and end', async () => {
    process.env.QLOGDIR = folder;
    await call();
    await expect.poll(() => readdirSync(folder).length).toBe(2);
    const names = readdirSync(folder).sort();
    expect(names[0]).toMatch(/^[0-9a-f]{16}_client\.sqlog$/);
    expect(names[1]).toBe((names[0] as string).replace('client', 'server'));
    await expect
      .poll(() => readFileSync(join(folder, names[0] as string), 'utf8'))
      .toContain('quic:connection_closed');
    const [header, ...events] = recordsOf(names[0] as string);
    expect(header).toMatchObject({
      file_schema: 'urn:ietf:params:qlog:file:sequential',
      serialization_format: 'application/qlog+json-seq',
      trace: { vantage_point: { type: 'client' } },
    });
    const seen = new Set(events.map(({ name }) => name));
    for (const name of [
      'quic:packet_sent',
      'quic:packets_acked',
      'quic:recovery_metrics_updated',
      'quic:connection_state_updated',
      'millrace:frame_settled',
    ]) {
      expect(seen).toContain(name);
    }
    expect(events.filter(({ name }) => name === 'millrace:frame_settled').length).toBe(10);
    expect(events.at(-1)).toMatchObject({
      name: 'quic:connection_closed',
      data: { closeCode: 5, reason: 'enough' },
    });
    for (const { time } of events) expect(time).toBeGreaterThan(0);
    const sent = events.filter(({ name }) => name === 'quic:packet_sent').map(({ data }) => numberOf(data));
    expect(sent).toEqual([...new Set(sent)].sort((a, b) => a - b));
    const acked = events.filter(({ name }) => name === 'quic:packets_acked').map(({ data }) => data);
    expect(acked.length).toBeGreaterThan(0);
    for (const { packet_numbers } of acked)
      for (const number of packet_numbers as number[]) expect(sent).toContain(number);
  });

  it('costs nothing, and writes nothing, where it is not set', async () => {
    await call();
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('diagnostics_channel', () => {
  it('tells of connections, targets and media frames', async () => {
    const messages: [string, Record<string, unknown>][] = [];
    const identities: string[] = [];
    const listener = (message: unknown, name: string | symbol): void => {
      messages.push([String(name), message as Record<string, unknown>]);
      if (name === 'millrace:connection:ready')
        identities.push((message as { connection: Connection }).connection.identity);
    };
    const names = ['connection:ready', 'connection:closed', 'track:bitrate', 'frame:settled'].map(
      (name) => `millrace:${name}`,
    );
    for (const name of names) subscribe(name, listener);
    const connection = await call();
    for (const name of names) unsubscribe(name, listener);
    const own = messages.filter(([, message]) => message.connection === connection);
    const count = (name: string): number => own.filter(([from]) => from === `millrace:${name}`).length;
    expect(count('connection:ready')).toBe(1);
    // At both ends, in this one process: who the peer is; a listener with a passphrase has no name.
    expect(identities.sort()).toEqual(['', 'millrace']);
    expect(count('connection:closed')).toBe(1);
    expect(count('frame:settled')).toBe(10);
    expect(own.at(-1)?.[1]).toMatchObject({ closeCode: 5, reason: 'enough' });
  });
});
