/**
 * A WebSocket to a sender or receiver program that comes back when it breaks. In: an address. Out: messages and chunks
 * of the program; `onOpen` each time that it can be spoken to. When another window has taken its place, it stays away.
 */
import {
  type Chunk,
  decodeChunk,
  encodeChunk,
  type MediaMessage,
  parseMessage,
  REPLACED,
} from '../media-protocol.ts';

const RETRY_MS = 500;
const TAKEN_OVER = 'another window has taken over; load this page again to take it back';
/** The program does not read: better to leave a chunk out than to send it late. */
const BACKLOG_BYTES_MAX = 2_097_152;

export class MediaLink {
  onOpen: () => void = () => {};
  onMessage: (message: MediaMessage) => void = () => {};
  onChunk: (chunk: Chunk) => void = () => {};
  readonly #address: string;
  #socket: WebSocket | undefined;
  #isClosed = false;

  constructor(address: string) {
    this.#address = address;
    this.#connect();
  }

  get isOpen(): boolean {
    return this.#socket?.readyState === WebSocket.OPEN;
  }

  #connect(): void {
    const socket = new WebSocket(this.#address);
    socket.binaryType = 'arraybuffer';
    this.#socket = socket;
    socket.onopen = () => this.onOpen();
    socket.onmessage = ({ data }) => {
      if (typeof data === 'string') {
        const message = parseMessage(data);
        if (message !== undefined) this.onMessage(message);
      } else {
        const chunk = decodeChunk(new Uint8Array(data));
        if (chunk !== undefined) this.onChunk(chunk);
      }
    };
    socket.onclose = ({ code }) => {
      if (this.#isClosed || socket !== this.#socket) return;
      // Two windows that call again and again would take it from one another for ever.
      if (code === REPLACED) this.onMessage({ type: 'status', text: TAKEN_OVER });
      else setTimeout(() => this.#connect(), RETRY_MS);
    };
  }

  send(message: MediaMessage): void {
    if (this.isOpen) this.#socket?.send(JSON.stringify(message));
  }

  sendChunk(chunk: Chunk): void {
    const socket = this.#socket;
    if (socket === undefined || !this.isOpen || socket.bufferedAmount > BACKLOG_BYTES_MAX) return;
    socket.send(encodeChunk(chunk));
  }

  close(): void {
    this.#isClosed = true;
    this.#socket?.close();
  }
}
