/**
 * One QUIC connection by Cloudflare's quiche, out of the npm package @matrixai/quic (it brings quiche built; this project
 * does not depend on it): only the engine, since that package's own loop around it carries 25 Mbit/s. In: datagrams, bytes
 * for one stream. Out: datagrams, the stream's bytes. Source: RFC 9000; quiche's own example of a loop.
 */
import { randomBytes } from 'node:crypto';
import type { Socket } from 'node:dgram';
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { pathToFileURL } from 'node:url';

const PACKAGE = '@matrixai/quic';
/** What fits an IPv4 packet of 1500 bytes. */
const DATAGRAM_BYTES_MAX = 1_472;
/** So much that flow control is never what limits. */
const WINDOW_BYTES = 64 << 20;
const IDLE_MS = 60_000;
const CONNECTION_ID_BYTES = 16;
const PIECE_BYTES = 65_536;
/** The client's first unidirectional stream (RFC 9000 §2.1). */
const STREAM_ID = 2;

interface HostPort {
  readonly host: string;
  readonly port: number;
}

/** The part of quiche's connection that is used here; the package has the whole of it. */
interface QuicheConnection {
  recv(data: Uint8Array, info: { from: HostPort; to: HostPort }): number;
  send(data: Uint8Array): [number, { to: HostPort }] | null;
  streamRecv(id: number, data: Uint8Array): [number, boolean] | null;
  streamSend(id: number, data: Uint8Array, fin: boolean): number | null;
  streamReadable(id: number): boolean;
  timeout(): number | null;
  onTimeout(): void;
  isEstablished(): boolean;
}

interface QuicheConfig {
  setMaxIdleTimeout(ms: number): void;
  setMaxRecvUdpPayloadSize(bytes: number): void;
  setMaxSendUdpPayloadSize(bytes: number): void;
  setInitialMaxData(bytes: number): void;
  setInitialMaxStreamDataUni(bytes: number): void;
  setInitialMaxStreamsUni(streams: number): void;
  setMaxConnectionWindow(bytes: number): void;
  setMaxStreamWindow(bytes: number): void;
  setApplicationProtos(names: string[]): void;
  setCcAlgorithmName(name: string): void;
}

interface Quiche {
  Config: {
    withBoringSslCtx(
      verifyPeer: boolean,
      verifyAllowFail: boolean,
      ca: null,
      key: Uint8Array[] | null,
      cert: Uint8Array[] | null,
    ): QuicheConfig;
  };
  Connection: {
    connect(
      name: null,
      id: Uint8Array,
      local: HostPort,
      remote: HostPort,
      config: QuicheConfig,
    ): QuicheConnection;
    accept(
      id: Uint8Array,
      original: null,
      local: HostPort,
      remote: HostPort,
      config: QuicheConfig,
    ): QuicheConnection;
  };
}

/** Why it cannot be measured here; undefined when it can. */
export function quicheAbsence(): string | undefined {
  try {
    createRequire(import.meta.url).resolve(`${PACKAGE}/package.json`);
    return undefined;
  } catch {
    return `the package ${PACKAGE} is not installed (npm install --no-save ${PACKAGE})`;
  }
}

async function loadQuiche(): Promise<Quiche> {
  const own = createRequire(import.meta.url).resolve(`${PACKAGE}/package.json`);
  const module: { quiche: Quiche } = await import(new URL('dist/native/index.js', pathToFileURL(own)).href);
  return module.quiche;
}

/** PEM of test/vectors/certs; nobody checks it. */
function pem(name: string): Uint8Array {
  return readFileSync(new URL(`../../../test/vectors/certs/${name}.pem`, import.meta.url));
}

function configOf(quiche: Quiche, congestion: string, isServer: boolean): QuicheConfig {
  const [key, cert] = isServer ? [[pem('server.key')], [pem('server.cert')]] : [null, null];
  const config = quiche.Config.withBoringSslCtx(false, false, null, key, cert);
  config.setMaxIdleTimeout(IDLE_MS);
  config.setMaxRecvUdpPayloadSize(DATAGRAM_BYTES_MAX);
  config.setMaxSendUdpPayloadSize(DATAGRAM_BYTES_MAX);
  config.setInitialMaxData(WINDOW_BYTES);
  config.setInitialMaxStreamDataUni(WINDOW_BYTES);
  config.setInitialMaxStreamsUni(1);
  config.setMaxConnectionWindow(WINDOW_BYTES);
  config.setMaxStreamWindow(WINDOW_BYTES);
  config.setApplicationProtos(['bench']);
  config.setCcAlgorithmName(congestion);
  return config;
}

/** One end. */
export class QuicEnd {
  /** Called for every piece of the stream. */
  onBytes: (bytes: Buffer) => void = () => {};
  /** Called once, when the handshake is complete. */
  onEstablished: () => void = () => {};
  /** Called whenever everything that was written has been taken. */
  onDrain: () => void = () => {};
  readonly #socket: Socket;
  readonly #local: HostPort;
  readonly #open: (remote: HostPort) => QuicheConnection;
  readonly #out = Buffer.alloc(DATAGRAM_BYTES_MAX);
  readonly #piece = Buffer.alloc(PIECE_BYTES);
  readonly #waiting: Buffer[] = [];
  #connection: QuicheConnection | undefined;
  #isEstablished = false;
  #timer: NodeJS.Timeout | undefined;

  private constructor(socket: Socket, open: (local: HostPort, remote: HostPort) => QuicheConnection) {
    const { address, port } = socket.address();
    this.#socket = socket;
    this.#local = { host: address, port };
    this.#open = (remote) => open(this.#local, remote);
    socket.on('message', (datagram, { address: host, port: from }) =>
      this.#onDatagram(datagram, { host, port: from }),
    );
  }

  /** An end on a bound socket that waits for a caller. */
  static async listen(socket: Socket, congestion: string): Promise<QuicEnd> {
    const quiche = await loadQuiche();
    const config = configOf(quiche, congestion, true);
    return new QuicEnd(socket, (local, remote) =>
      quiche.Connection.accept(randomBytes(CONNECTION_ID_BYTES), null, local, remote, config),
    );
  }

  /** An end on a bound socket that calls. */
  static async connect(socket: Socket, remote: HostPort, congestion: string): Promise<QuicEnd> {
    const quiche = await loadQuiche();
    const config = configOf(quiche, congestion, false);
    const end = new QuicEnd(socket, (local, to) =>
      quiche.Connection.connect(null, randomBytes(CONNECTION_ID_BYTES), local, to, config),
    );
    end.#connection = end.#open(remote);
    end.#flush();
    return end;
  }

  /** Puts bytes on the stream; what does not go yet waits. Returns whether all went. */
  write(bytes: Buffer): boolean {
    this.#waiting.push(bytes);
    this.#flush();
    return this.#waiting.length === 0;
  }

  #onDatagram(datagram: Buffer, from: HostPort): void {
    this.#connection ??= this.#open(from);
    try {
      this.#connection.recv(datagram, { from, to: this.#local });
    } catch {
      // A datagram that is not for this connection.
    }
    if (!this.#isEstablished && this.#connection.isEstablished()) {
      this.#isEstablished = true;
      this.onEstablished();
    }
    this.#read(this.#connection);
    this.#flush();
  }

  #read(connection: QuicheConnection): void {
    while (connection.streamReadable(STREAM_ID)) {
      const read = connection.streamRecv(STREAM_ID, this.#piece);
      if (read === null || read[0] === 0) return;
      this.onBytes(Buffer.from(this.#piece.subarray(0, read[0])));
    }
  }

  /** Hands waiting bytes to the stream. */
  #fill(connection: QuicheConnection): void {
    if (!this.#isEstablished) return;
    for (let first = this.#waiting[0]; first !== undefined; first = this.#waiting[0]) {
      const taken = connection.streamSend(STREAM_ID, first, false) ?? 0;
      if (taken < first.length) {
        this.#waiting[0] = first.subarray(taken);
        return;
      }
      this.#waiting.shift();
      if (this.#waiting.length === 0) this.onDrain();
    }
  }

  #flush(): void {
    const connection = this.#connection;
    if (connection === undefined) return;
    this.#fill(connection);
    for (;;) {
      const sent = connection.send(this.#out);
      if (sent === null) break;
      this.#socket.send(Buffer.from(this.#out.subarray(0, sent[0])), sent[1].to.port, sent[1].to.host);
    }
    clearTimeout(this.#timer);
    const waitMs = connection.timeout();
    if (waitMs === null) return;
    this.#timer = setTimeout(() => {
      connection.onTimeout();
      this.#flush();
    }, waitMs + 1);
  }
}
