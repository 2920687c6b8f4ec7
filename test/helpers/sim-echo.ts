/**
 * The smallest protocols that use all five methods: a client that sends numbered datagrams on a schedule and repeats
 * unanswered ones, and a server that echoes. For tests of the simulator, not of a transport.
 */
import { type Micros, NEVER, type PathId, type Protocol } from '../../src/base/protocol.ts';

/** An answer came back: which number, how long after it was sent first. */
export interface EchoEvent {
  readonly number: number;
  readonly roundTripUs: Micros;
  readonly path: PathId;
}

/** Sends `count` datagrams of `sizeBytes`, one per `intervalUs`; one without an answer is repeated every `repeatUs`. */
export class EchoClient implements Protocol<EchoEvent> {
  readonly #events: EchoEvent[] = [];
  readonly #sentAtUs: Map<number, Micros> = new Map();
  readonly #repeatAtUs: Map<number, Micros> = new Map();
  readonly #options: { count: number; sizeBytes: number; intervalUs: Micros; repeatUs: Micros };
  readonly #ready: number[] = [];
  #next = 0;

  constructor(options: { count: number; sizeBytes: number; intervalUs: Micros; repeatUs?: Micros }) {
    this.#options = { repeatUs: NEVER, ...options };
  }

  get unanswered(): number {
    return this.#options.count - this.#next + this.#sentAtUs.size;
  }

  handleDatagram(datagram: Uint8Array, path: PathId, now: Micros): void {
    const number = new DataView(datagram.buffer, datagram.byteOffset).getUint32(0);
    const sentAtUs = this.#sentAtUs.get(number);
    if (sentAtUs === undefined) return;
    this.#sentAtUs.delete(number);
    this.#repeatAtUs.delete(number);
    this.#events.push({ number, roundTripUs: now - sentAtUs, path });
  }

  handleTimeout(now: Micros): void {
    const { count, intervalUs, repeatUs } = this.#options;
    while (this.#next < count && this.#next * intervalUs <= now) {
      this.#sentAtUs.set(this.#next, now);
      this.#repeatAtUs.set(this.#next, now + repeatUs);
      this.#ready.push(this.#next++);
    }
    for (const [number, atUs] of this.#repeatAtUs) {
      if (atUs > now) continue;
      this.#repeatAtUs.set(number, now + repeatUs);
      this.#ready.push(number);
    }
  }

  pollTransmit(out: Uint8Array): number {
    const number = this.#ready.shift();
    if (number === undefined) return 0;
    // The rest of the slab keeps what it had: a host that does not copy would be found out.
    out.fill(number & 255, 0, this.#options.sizeBytes);
    new DataView(out.buffer, out.byteOffset).setUint32(0, number);
    return this.#options.sizeBytes;
  }

  pollTimeout(): Micros {
    let deadlineUs = this.#next < this.#options.count ? this.#next * this.#options.intervalUs : NEVER;
    for (const atUs of this.#repeatAtUs.values()) deadlineUs = Math.min(deadlineUs, atUs);
    return deadlineUs;
  }

  pollEvent(): EchoEvent | undefined {
    return this.#events.shift();
  }
}

/** Sends every datagram back on the path it came on. Events: the path of each datagram. */
export class EchoServer implements Protocol<PathId> {
  readonly #answers: Uint8Array[] = [];
  readonly #events: PathId[] = [];

  handleDatagram(datagram: Uint8Array, path: PathId): void {
    this.#answers.push(datagram);
    this.#events.push(path);
  }

  handleTimeout(): void {}

  pollTransmit(out: Uint8Array): number {
    const answer = this.#answers.shift();
    if (answer === undefined) return 0;
    out.set(answer);
    return answer.length;
  }

  pollTimeout(): Micros {
    return NEVER;
  }

  pollEvent(): PathId | undefined {
    return this.#events.shift();
  }
}
