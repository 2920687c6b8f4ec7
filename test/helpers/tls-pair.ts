/** Two ends of a TLS handshake in memory, and plain node:tls peers that do what ours never would. */
import { Duplex } from 'node:stream';
import { type ConnectionOptions, connect, createServer, type TLSSocket, type TlsOptions } from 'node:tls';
import { expect } from 'vitest';
import type { Handshake } from '../../src/crypto/handshake.ts';
import { createClientHandshake, createServerHandshake, type TlsCredentials } from '../../src/node/tls.ts';

/** What `pump` needs of an end. */
export interface End {
  receive(bytes: Uint8Array): void;
  read(): Uint8Array | undefined;
}

/** What went over the wire. */
export interface Traffic {
  /** Bytes the client said between two answers, in order. */
  readonly client: number[];
  readonly server: number[];
  /** The same, as bytes. */
  readonly clientBytes: Buffer;
  readonly serverBytes: Buffer;
}

export interface PumpOptions {
  /** Cuts what is carried into pieces of so many bytes. */
  readonly pieceBytes?: number;
  /** May change or swallow what the client says. */
  readonly toServer?: (bytes: Uint8Array) => Uint8Array | undefined;
  readonly toClient?: (bytes: Uint8Array) => Uint8Array | undefined;
}

/** TLS in memory answers within a few turns of the event loop; after so many silent ones it has nothing more to say. */
const QUIET_TURNS = 12;

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Takes everything an end has to say. */
export function drain(end: End): Buffer {
  const parts: Uint8Array[] = [];
  for (let bytes = end.read(); bytes !== undefined; bytes = end.read()) parts.push(bytes);
  return Buffer.concat(parts);
}

function feed(end: End, bytes: Uint8Array, pieceBytes: number): void {
  for (let at = 0; at < bytes.length; at += pieceBytes) end.receive(bytes.subarray(at, at + pieceBytes));
}

/** Waits until TLS has done what it can with what it was given. */
export async function settle(): Promise<void> {
  for (let i = 0; i < QUIET_TURNS; i++) await turn();
}

/** Carries bytes both ways until neither end has anything to say. */
export async function pump(client: End, server: End, options: PumpOptions = {}): Promise<Traffic> {
  const { pieceBytes = 65_536, toServer = (bytes) => bytes, toClient = (bytes) => bytes } = options;
  const said: { client: Buffer[]; server: Buffer[] } = { client: [], server: [] };
  for (let quiet = 0; quiet < QUIET_TURNS; quiet++) {
    await turn();
    for (const [name, from, to, change] of [
      ['client', client, server, toServer],
      ['server', server, client, toClient],
    ] as const) {
      const bytes = drain(from);
      if (bytes.length === 0) continue;
      said[name].push(bytes);
      const carried = change(bytes);
      if (carried !== undefined) feed(to, carried, pieceBytes);
      quiet = 0;
    }
  }
  return {
    client: said.client.map((bytes) => bytes.length),
    server: said.server.map((bytes) => bytes.length),
    clientBytes: Buffer.concat(said.client),
    serverBytes: Buffer.concat(said.server),
  };
}

/** Gives both ends the same exporter context, and carries bytes until they are done. */
export async function shake(
  client: Handshake,
  server: Handshake,
  options: PumpOptions = {},
): Promise<Traffic> {
  const context = new Uint8Array(32).fill(7);
  client.setExporterContext(context);
  server.setExporterContext(context);
  return pump(client, server, options);
}

/** Two ends that have said all they had to say. */
export interface Result {
  readonly client: Handshake;
  readonly server: Handshake;
  readonly traffic: Traffic;
}

/** Makes two ends and carries bytes until they are done. */
export async function handshake(
  ofClient: TlsCredentials,
  ofServer: TlsCredentials,
  pieceBytes?: number,
): Promise<Result> {
  const ends = { client: createClientHandshake(ofClient), server: createServerHandshake(ofServer) };
  const traffic = await shake(ends.client, ends.server, pieceBytes === undefined ? {} : { pieceBytes });
  return { ...ends, traffic };
}

/** Both ends are complete, agree, and are closed. */
export function expectSuccess({ client, server }: Result): void {
  expect([client.error?.message, server.error?.message]).toEqual([undefined, undefined]);
  expect([client.state, server.state]).toEqual(['complete', 'complete']);
  const ours = client.exportSecrets();
  expect(ours).toEqual(server.exportSecrets());
  expect(ours.client).toHaveLength(32);
  expect(ours.server).toHaveLength(32);
  expect(ours.client).not.toEqual(ours.server);
  expect(client.peer.alpn).toBe('millrace/1');
  expect(server.peer.alpn).toBe('millrace/1');
  client.close();
  server.close();
}

/** The message of an error is one line for people. */
export function expectOneLine(end: Handshake): void {
  expect(end.error?.message).not.toContain('\n');
  expect(end.error?.message.length).toBeLessThan(250);
}

/** This end has failed with that error, gives no secrets, and is closed. */
export function expectFailure(end: Handshake, code: string, alert: number, message: RegExp): void {
  expect(end.state).toBe('failed');
  expect(end.error?.message).toMatch(message);
  expect(end.error?.code).toBe(code);
  expect(end.alert).toBe(alert);
  expectOneLine(end);
  expect(() => end.exportSecrets()).toThrow('before the handshake is complete');
  end.close();
}

/** A node:tls socket on a stream in memory. */
export interface RawEnd extends End {
  isSecure: boolean;
  sessions: number;
  error: Error | undefined;
  socket: TLSSocket | undefined;
  close(): void;
}

function rawEnd(pipe: Duplex, output: Uint8Array[]): RawEnd {
  return {
    isSecure: false,
    sessions: 0,
    error: undefined,
    socket: undefined,
    receive: (bytes) => pipe.push(Buffer.from(bytes)),
    read: () => output.shift(),
    close: () => pipe.destroy(),
  };
}

function rawPipe(output: Uint8Array[]): Duplex {
  const pipe = new Duplex({
    read: () => {},
    write: (bytes: Buffer, _encoding, done) => {
      output.push(bytes);
      done();
    },
  });
  return pipe.on('error', () => {});
}

/** A client of node:tls with options of the test's choosing; it trusts everyone. */
export function rawClient(options: ConnectionOptions): RawEnd {
  const output: Uint8Array[] = [];
  const pipe = rawPipe(output);
  const end = rawEnd(pipe, output);
  const socket = connect({
    rejectUnauthorized: false,
    checkServerIdentity: () => undefined,
    ...options,
    socket: pipe,
  });
  end.socket = socket;
  socket.on('secureConnect', () => {
    end.isSecure = true;
  });
  socket.on('session', () => end.sessions++);
  socket.on('error', (error) => {
    end.error = error;
  });
  socket.resume();
  return end;
}

/** A server of node:tls with options of the test's choosing. */
export function rawServer(options: TlsOptions): RawEnd {
  const output: Uint8Array[] = [];
  const pipe = rawPipe(output);
  const end = rawEnd(pipe, output);
  const server = createServer(options);
  server.on('secureConnection', (socket) => {
    end.isSecure = true;
    end.socket = socket;
    socket.on('error', () => {});
    socket.resume();
  });
  server.on('tlsClientError', (error) => {
    end.error = error;
  });
  server.emit('connection', pipe);
  return end;
}
