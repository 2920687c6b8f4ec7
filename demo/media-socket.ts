/**
 * The programs' end of the WebSockets that encoders and players connect to. In: an address to serve, `host:port` or
 * `unix:PATH` (a path works across network namespaces). Out: one {@link MediaSocket} for each that connects.
 */
import { rmSync } from 'node:fs';
import { createServer, type IncomingMessage, type RequestListener, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { type RawData, type WebSocket, WebSocketServer } from 'ws';
import {
  type Chunk,
  decodeChunk,
  encodeChunk,
  MEDIA_MESSAGE_BYTES_MAX,
  type MediaMessage,
  parseMessage,
  REPLACED,
} from './media-protocol.ts';

/** A player that reads too slowly loses chunks instead of filling the memory. */
const BACKLOG_BYTES_MAX = 2_097_152;

/** WebSocket close code: the program ends. Source: RFC 6455 §7.4.1. */
const ENDING = 1_001;

/** One encoder or player. */
export class MediaSocket {
  onMessage: (message: MediaMessage) => void = () => {};
  onChunk: (chunk: Chunk) => void = () => {};
  /** Fulfilled when the other side has gone, however. */
  readonly closed: Promise<void>;
  readonly #socket: WebSocket;

  constructor(socket: WebSocket) {
    this.#socket = socket;
    this.closed = new Promise((resolve) => socket.once('close', () => resolve()));
    socket.on('error', () => socket.terminate());
    socket.on('message', (data, isBinary) => this.#take(data, isBinary));
  }

  #take(data: RawData, isBinary: boolean): void {
    if (!isBinary) {
      const message = parseMessage(data.toString());
      if (message !== undefined) this.onMessage(message);
      return;
    }
    const chunk = decodeChunk(data as Buffer);
    if (chunk !== undefined) this.onChunk(chunk);
  }

  send(message: MediaMessage): void {
    if (this.#socket.readyState === this.#socket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  /** False: the chunk was dropped, because the other side does not read. */
  sendChunk(chunk: Chunk): boolean {
    if (this.#socket.readyState !== this.#socket.OPEN) return false;
    if (this.#socket.bufferedAmount > BACKLOG_BYTES_MAX) return false;
    this.#socket.send(encodeChunk(chunk));
    return true;
  }

  /** Another one has taken its place: this one is told so, is not listened to any more, and does not come again. */
  replace(): void {
    this.onMessage = () => {};
    this.onChunk = () => {};
    this.#end(REPLACED);
  }

  close(): void {
    this.#end(ENDING);
  }

  #end(code: number): void {
    this.#socket.close(code);
    // A peer that does not answer is not waited for.
    setTimeout(() => this.#socket.terminate(), 500).unref();
  }
}

/** Takes encoders or players until it is closed. */
export class MediaServer {
  readonly #http: Server;
  readonly #sockets: WebSocketServer;
  readonly #where: string;

  private constructor(http: Server, sockets: WebSocketServer, where: string) {
    this.#http = http;
    this.#sockets = sockets;
    this.#where = where;
  }

  /**
   * @param where `host:port`, or `unix:PATH`.
   * @param take Called with each that connects. Browsers on other sites are turned away.
   * @param onRequest Answers ordinary requests, if the program also serves its page.
   * @throws RangeError when `where` is neither; Error EADDRINUSE and the like, as `net.Server` does.
   */
  static async open(
    where: string,
    take: (socket: MediaSocket) => void,
    onRequest: RequestListener = (_request, response) => response.writeHead(404).end(),
  ): Promise<MediaServer> {
    const at = where.lastIndexOf(':');
    const port = Number(where.slice(at + 1));
    if (unixPath(where) === undefined && !(at > 0 && port >= 0 && port <= 65_535)) {
      throw new RangeError(`${where} is neither HOST:PORT nor unix:PATH`);
    }
    const http = createServer(onRequest);
    const sockets = new WebSocketServer({
      server: http,
      maxPayload: MEDIA_MESSAGE_BYTES_MAX,
      perMessageDeflate: false,
      verifyClient: ({ req }: { req: IncomingMessage }) => isSameOrigin(req),
    });
    sockets.on('connection', (socket) => take(new MediaSocket(socket)));
    await new Promise<void>((resolve, reject) => {
      http.once('error', reject);
      // The WebSocket server repeats every error of the HTTP server.
      sockets.once('error', reject);
      const path = unixPath(where);
      const listening = (): void => resolve();
      if (path !== undefined) {
        rmSync(path, { force: true });
        http.listen(path, listening);
      } else {
        http.listen(port, where.slice(0, at), listening);
      }
    });
    return new MediaServer(http, sockets, where);
  }

  /** Where a browser finds it; undefined on a path. */
  get url(): string | undefined {
    if (unixPath(this.#where) !== undefined) return undefined;
    const { address, port, family } = this.#http.address() as AddressInfo;
    return `http://${family === 'IPv6' ? `[${address}]` : address}:${port}/`;
  }

  async close(): Promise<void> {
    for (const socket of this.#sockets.clients) socket.terminate();
    this.#sockets.close();
    this.#http.closeAllConnections();
    await new Promise((resolve) => this.#http.close(resolve));
  }
}

/** The path of `unix:PATH`; undefined for `host:port`. */
function unixPath(where: string): string | undefined {
  return where.startsWith('unix:') ? where.slice('unix:'.length) : undefined;
}

/** False for a page of another site: any site may open WebSockets to this machine. Programs that are no browser send no origin. */
export function isSameOrigin(request: IncomingMessage): boolean {
  const { origin, host } = request.headers;
  if (origin === undefined) return true;
  return URL.canParse(origin) && new URL(origin).host === host;
}
