/** One reliable stream of a world: an endless writer, a reader that may be slow, every byte compared with its place. */
import { MILLISECOND, type Micros, NEVER } from '../../src/base/protocol.ts';
import { SeededRandom } from '../../src/base/random.ts';
import type { SendStream } from '../../src/stream/send.ts';
import { opposite, type Side, type Stage } from './stage.ts';

const PIECE_BYTES = 16_384;
/** Repeats every so many bytes: long enough that a byte out of place shows, short enough to be made once. */
const PERIOD = 65_521;
const PATTERN: Buffer = makePattern();

function makePattern(): Buffer {
  const bytes = Buffer.alloc(PERIOD + PIECE_BYTES);
  new SeededRandom(1).fill(bytes.subarray(0, PERIOD));
  bytes.copyWithin(PERIOD, 0, PIECE_BYTES);
  return bytes;
}

/** The bytes that belong at `offset`. */
export function patternAt(offset: number, length: number): Uint8Array {
  const at = offset % PERIOD;
  return PATTERN.subarray(at, at + length);
}

export interface StreamSpec {
  readonly bytes: number;
  /** Default the client. */
  readonly from?: Side;
  /** The reader takes so many bytes at a time, */
  readonly readBytes?: number;
  /** so often; default at once and everything. */
  readonly readEveryMs?: number;
  /** Default 'unidirectional'. */
  readonly kind?: 'unidirectional' | 'bidirectional';
  /** Where in the pattern its bytes begin: tells two streams apart. */
  readonly salt?: number;
  /** Write on a stream that stands already, the answering half of a bidirectional one. */
  readonly on?: number;
}

export class StreamRun {
  readonly id: number;
  /** Hears no more events. */
  readonly forget: () => void;
  readonly startedUs: Micros;
  readBytes = 0;
  finishedUs: Micros = NEVER;
  /** When something was read last. */
  lastReadUs: Micros;
  /** The longest time between two reads that gave something. */
  longestWaitUs = 0;
  /** False: the reader takes nothing. */
  isReading = true;
  readonly #world: Stage;
  readonly #spec: StreamSpec;
  readonly #reader: Side;
  readonly #send: SendStream;
  #written = 0;
  #isEnded = false;
  #allowed: number;

  constructor(world: Stage, spec: StreamSpec) {
    this.#world = world;
    this.#spec = spec;
    this.startedUs = world.now;
    this.lastReadUs = world.now;
    const writer = spec.from ?? 'client';
    this.#reader = opposite(writer);
    const { connection, host } = world.end(writer);
    const { streams } = connection;
    const send =
      spec.on === undefined ? streams.open(spec.kind ?? 'unidirectional') : streams.get(spec.on)?.send;
    if (send === undefined) throw new Error('no stream could be opened');
    this.#send = send;
    this.id = send.id;
    world.opened.streamIds.add(send.id);
    this.#allowed = spec.readEveryMs === undefined ? NEVER : 0;
    const ends = [
      world.onEvent(writer, (event) => {
        if (event.type === 'stream-writable' && event.streamId === this.id) this.#write();
      }),
      world.onEvent(this.#reader, (event) => {
        if (event.type === 'stream-readable' && event.streamId === this.id) this.read();
      }),
    ];
    this.forget = () => {
      for (const end of ends) end();
    };
    host.call(() => this.#write());
    if (spec.readEveryMs !== undefined) this.#tick(spec.readEveryMs);
  }

  get isFinished(): boolean {
    return this.finishedUs !== NEVER;
  }

  get send(): SendStream {
    return this.#send;
  }

  /** From the first write to the last read. */
  get tookMs(): number {
    return (this.finishedUs - this.startedUs) / MILLISECOND;
  }

  /** The reader is slow no more. */
  hurry(): void {
    this.#allowed = NEVER;
    this.#world.end(this.#reader).host.call(() => this.read());
  }

  #tick(everyMs: number): void {
    const { sim } = this.#world.pair;
    sim.schedule(sim.now + everyMs * MILLISECOND, () => {
      if (this.#allowed === NEVER) return;
      this.#allowed = this.readBytes + (this.#spec.readBytes ?? PIECE_BYTES);
      this.#world.end(this.#reader).host.call(() => this.read());
      if (!this.isFinished) this.#tick(everyMs);
    });
  }

  #write(): void {
    const { bytes, salt = 0 } = this.#spec;
    while (this.#written < bytes) {
      const piece = patternAt(salt + this.#written, Math.min(PIECE_BYTES, bytes - this.#written));
      const taken = this.#send.write(piece);
      if (taken === 0) return;
      this.#written += taken;
    }
    if (this.#isEnded) return;
    this.#isEnded = true;
    this.#send.finish();
  }

  /** Takes what is there, as the reader's habits allow. */
  read(): void {
    if (!this.isReading) return;
    const receive = this.#world.end(this.#reader).connection.streams.get(this.id)?.receive;
    const now = this.#world.now;
    while (receive !== undefined && this.readBytes < this.#allowed) {
      const piece = receive.read();
      if (piece === undefined) break;
      this.#compare(piece);
      this.longestWaitUs = Math.max(this.longestWaitUs, now - this.lastReadUs);
      this.lastReadUs = now;
      this.readBytes += piece.length;
    }
    if (receive?.isFinished !== true || this.isFinished) return;
    if (this.readBytes !== this.#spec.bytes)
      throw new Error(`the stream ended after ${this.readBytes} bytes`);
    this.finishedUs = now;
  }

  #compare(piece: Uint8Array): void {
    const { salt = 0 } = this.#spec;
    for (let at = 0; at < piece.length; at += PIECE_BYTES) {
      const length = Math.min(PIECE_BYTES, piece.length - at);
      const from = (salt + this.readBytes + at) % PERIOD;
      if (PATTERN.compare(piece, at, at + length, from, from + length) === 0) continue;
      throw new Error(`stream ${this.id} differs after byte ${this.readBytes + at}`);
    }
  }
}
