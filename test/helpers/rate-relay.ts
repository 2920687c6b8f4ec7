/**
 * A UDP relay with a bottleneck: what a caller sends leaves at a rate that a test may change, through a drop-tail queue;
 * what comes back is passed on at once. Real sockets, real time: for programs, where the simulator cannot go.
 */
import { createSocket, type Socket } from 'node:dgram';

const QUEUE_MS = 300;
/** IPv4 and UDP headers. */
const HEADER_BYTES = 28;

export class RateRelay {
  /** Bits per second towards the listener. */
  rateBps: number;
  dropped = 0;
  /** UDP payload bytes that have left towards the listener. */
  passedBytes = 0;
  readonly #front: Socket;
  readonly #back: Socket;
  readonly #queue: Buffer[] = [];
  readonly #timer: NodeJS.Timeout;
  #queuedBytes = 0;
  #creditBytes = 0;
  #filledAtMs: number = performance.now();
  #caller: { readonly port: number; readonly address: string } | undefined;

  private constructor(front: Socket, back: Socket, target: number, rateBps: number) {
    this.#front = front;
    this.#back = back;
    this.rateBps = rateBps;
    front.on('message', (data, caller) => {
      this.#caller = caller;
      if ((this.#queuedBytes * 8000) / this.rateBps > QUEUE_MS) {
        this.dropped++;
        return;
      }
      this.#queue.push(data);
      this.#queuedBytes += data.length + HEADER_BYTES;
      this.#serve(target);
    });
    back.on('message', (data) => {
      if (this.#caller !== undefined) front.send(data, this.#caller.port, this.#caller.address);
    });
    this.#timer = setInterval(() => this.#serve(target), 1);
  }

  /** @param target Port of the listener on this machine. */
  static async open(target: number, rateBps: number): Promise<RateRelay> {
    const sockets = [createSocket('udp4'), createSocket('udp4')] as const;
    for (const socket of sockets) {
      await new Promise<void>((resolve) => {
        socket.bind(0, '127.0.0.1', resolve);
      });
    }
    return new RateRelay(...sockets, target, rateBps);
  }

  /** Where to call. */
  get port(): number {
    return this.#front.address().port;
  }

  #serve(target: number): void {
    const nowMs = performance.now();
    this.#creditBytes += ((nowMs - this.#filledAtMs) * this.rateBps) / 8000;
    this.#filledAtMs = nowMs;
    for (let data = this.#queue[0]; data !== undefined; data = this.#queue[0]) {
      const size = data.length + HEADER_BYTES;
      if (this.#creditBytes < size) return;
      this.#creditBytes -= size;
      this.#queuedBytes -= size;
      this.passedBytes += data.length;
      this.#queue.shift();
      this.#back.send(data, target, '127.0.0.1');
    }
    // An idle link saves nothing up.
    this.#creditBytes = Math.min(this.#creditBytes, this.rateBps / 8000);
  }

  close(): void {
    clearInterval(this.#timer);
    this.#front.close();
    this.#back.close();
  }
}
