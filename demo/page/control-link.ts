/** The page's WebSocket to the server of the demo. In: messages of the server. Out: settings and events of the page. */
import type { FromPage, ToPage } from '../control-protocol.ts';

const RETRY_MS = 1_000;

export class ControlLink {
  onMessage: (message: ToPage) => void = () => {};
  /** The server has gone (true) or is back (false). */
  onGone: (isGone: boolean) => void = () => {};
  readonly #address: string;
  #socket: WebSocket | undefined;
  #takesOver = false;
  #isClosed = false;

  constructor(address: string) {
    this.#address = address;
  }

  connect(): void {
    const socket = new WebSocket(this.#address);
    this.#socket = socket;
    socket.onopen = () => {
      this.onGone(false);
      this.send({ type: 'open', takesOver: this.#takesOver });
    };
    // It comes from our own server: no one else can answer on this origin.
    socket.onmessage = ({ data }) => this.onMessage(JSON.parse(String(data)) as ToPage);
    socket.onclose = () => {
      if (this.#isClosed) return;
      this.onGone(true);
      setTimeout(() => this.connect(), RETRY_MS);
    };
  }

  /** Ends the page that has the demo now. */
  takeOver(): void {
    this.#takesOver = true;
    this.send({ type: 'open', takesOver: true });
  }

  send(message: FromPage): void {
    if (this.#socket?.readyState === WebSocket.OPEN) this.#socket.send(JSON.stringify(message));
  }

  close(): void {
    this.#isClosed = true;
    this.#socket?.close();
  }
}
