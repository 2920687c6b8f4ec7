/**
 * One end of the throughput bench, a process of its own: `end.ts receive|send OPTIONS-AS-JSON`. Speaks to its parent in
 * messages: the listener's port, progress, and at the end what it cost.
 */
import process from 'node:process';
import { connect, listen } from '../../src/index.ts';
import { Content, Fingerprint, PIECE_BYTES } from './content.ts';

/** What the parent asks for. */
export interface Task {
  readonly aead: 'auto' | 'node';
  readonly bytes: number;
  readonly seed: number;
  /** Where the sender finds the receiver. */
  readonly port?: number;
}

/** What an end says about itself. */
export interface Cost {
  readonly type: 'done';
  readonly seconds: number;
  readonly cpuSeconds: number;
  /** Highest resident set during the transfer, less that at its first byte. */
  readonly rssGrowthBytes: number;
  readonly hash: string;
  readonly bytes: number;
}

export type Message =
  | Cost
  | { readonly type: 'listening'; readonly port: number }
  | { readonly type: 'progress'; readonly bytes: number };

const PASSPHRASE = 'throughput bench';
const SAMPLE_MS = 50;

function tell(message: Message): void {
  process.send?.(message);
}

/** Samples time, processor time and memory from its making on. */
class Meter {
  readonly #startedAt = performance.now();
  readonly #cpu = process.cpuUsage();
  readonly #rss = process.memoryUsage.rss();
  readonly #timer: NodeJS.Timeout;
  #peak = 0;
  bytes = 0;

  constructor() {
    let ticks = 0;
    this.#timer = setInterval(() => {
      this.#peak = Math.max(this.#peak, process.memoryUsage.rss());
      if (++ticks % 10 === 0) tell({ type: 'progress', bytes: this.bytes });
    }, SAMPLE_MS);
  }

  finish(hash: string): void {
    clearInterval(this.#timer);
    const { user, system } = process.cpuUsage(this.#cpu);
    this.#peak = Math.max(this.#peak, process.memoryUsage.rss());
    tell({
      type: 'done',
      seconds: (performance.now() - this.#startedAt) / 1000,
      cpuSeconds: (user + system) / 1e6,
      rssGrowthBytes: this.#peak - this.#rss,
      hash,
      bytes: this.bytes,
    });
  }
}

async function receive(task: Task): Promise<void> {
  const listener = await listen({ host: '127.0.0.1', port: 0, passphrase: PASSPHRASE, aead: task.aead });
  tell({ type: 'listening', port: listener.address.port });
  for await (const connection of listener) {
    for await (const readable of connection.incomingUnidirectionalStreams) {
      const meter = new Meter();
      const fingerprint = new Fingerprint();
      for await (const bytes of readable) {
        fingerprint.update(bytes);
        meter.bytes = fingerprint.bytes;
      }
      meter.finish(fingerprint.digest());
    }
    break;
  }
  await listener.close();
}

async function send(task: Task): Promise<void> {
  const connection = await connect(
    { host: '127.0.0.1', port: task.port as number },
    { passphrase: PASSPHRASE, aead: task.aead, startBitrate: 100e6 },
  );
  const writer = (await connection.createUnidirectionalStream()).getWriter();
  const content = new Content(task.seed);
  const meter = new Meter();
  for (let index = 0; meter.bytes < task.bytes; index++) {
    const piece = content.piece(index);
    const size = Math.min(PIECE_BYTES, task.bytes - meter.bytes);
    await writer.write(size === PIECE_BYTES ? piece : piece.subarray(0, size));
    meter.bytes += size;
  }
  await writer.close();
  meter.finish('');
  if (process.env.BENCH_STATS !== undefined) console.error(await connection.getStats());
  await connection.close();
}

const [role, task] = process.argv.slice(2);
await (role === 'send' ? send : receive)(JSON.parse(task as string) as Task);
process.disconnect?.();
