/**
 * Media frames in pipes: written at their times to a sender's stdin, read from a receiver's stdout. In: the sources of a
 * workload. Out: the log of every frame, with the instants of this process's clock at both ends.
 */
import type { Readable, Writable } from 'node:stream';
import { RecordParser, writeRecord } from '../../src/cli/framing-record.ts';
import { U32Parser, writeU32 } from '../../src/cli/framing-u32.ts';
import { FrameLog } from '../../src/lab/frames.ts';
import { followedBytes, type Source } from '../../src/lab/workload.ts';
import { monotonicUs } from './emulator/real-time.ts';
import { makeFrame, readFrame } from './frame-bytes.ts';

/** What fits one source now. */
interface Asked {
  readonly bitsPerSecond: number;
  readonly maxFrameBytes: number;
}

/** Frames of all sources of a run, as they are offered and as they arrive. */
export class FrameRun {
  readonly sources: readonly Source[];
  readonly logs: readonly FrameLog[];
  /** Output that is no frame of this run: framing out of step, or damaged. */
  damaged = 0;
  /** What the transport asks the encoder of each source for; nothing while it asks for nothing. */
  readonly asked: (Asked | undefined)[] = [];
  readonly #framing: 'u32' | 'record';
  #startUs = 0;

  constructor(sources: readonly Source[], framing: 'u32' | 'record') {
    this.sources = sources;
    this.logs = sources.map(() => new FrameLog());
    this.#framing = framing;
  }

  /** Writes every frame of `durationUs` at its time, from now on. Resolves with the instant at which it began. */
  async feed(input: Writable, durationUs: number): Promise<void> {
    const startUs = monotonicUs();
    this.#startUs = startUs;
    const next = this.sources.map(() => 0);
    for (;;) {
      let chosen = -1;
      let atUs = durationUs;
      this.sources.forEach((source, i) => {
        const dueUs = source.atUs(next[i] as number);
        if (dueUs >= atUs) return;
        atUs = dueUs;
        chosen = i;
      });
      if (chosen < 0) return;
      const waitMs = (startUs + atUs - monotonicUs()) / 1_000;
      if (waitMs > 0) await new Promise((resolve) => setTimeout(resolve, waitMs));
      this.#offer(input, chosen, next[chosen] as number);
      next[chosen] = (next[chosen] as number) + 1;
    }
  }

  #offer(input: Writable, sourceIndex: number, index: number): void {
    const source = this.sources[sourceIndex] as Source;
    const { bitsPerSecond = source.bitrateBps, maxFrameBytes } = this.asked[sourceIndex] ?? {};
    const sizeBytes = followedBytes(source, index, bitsPerSecond, maxFrameBytes);
    const isKeyFrame = source.isKeyFrame(index);
    const now = monotonicUs();
    this.logs[sourceIndex]?.offer(sizeBytes, isKeyFrame, now);
    const write = this.#framing === 'record' ? writeRecord : writeU32;
    const data = makeFrame(sourceIndex, index, sizeBytes);
    // Media time begins with the run: by this process's clock a cell measured late would have longer headers.
    const timestampUs = now - this.#startUs;
    const unit = { data, timestampUs, keyFrame: isKeyFrame, discardable: false, track: sourceIndex };
    input.write(Buffer.concat(write({ ...unit, sequence: index })));
  }

  /** Notes every frame that comes out. */
  collect(output: Readable): void {
    const parser = this.#framing === 'record' ? new RecordParser() : new U32Parser();
    output.on('data', (chunk: Buffer) => {
      const now = monotonicUs();
      try {
        parser.push(chunk, ({ data }) => this.#onFrame(data, now));
      } catch {
        this.damaged++;
        output.destroy();
      }
    });
  }

  #onFrame(data: Uint8Array, nowUs: number): void {
    const frame = readFrame(data);
    const log = frame === undefined ? undefined : this.logs[frame.source];
    if (frame === undefined || log?.frames[frame.index]?.sizeBytes !== data.length) this.damaged++;
    else log.deliver(frame.index, undefined, nowUs);
  }

  /** Takes what a sender says on stderr: frames it skipped. */
  onLine(line: string): void {
    const skipped = line.match(/^SKIPPED (\d+) (\d+)$/);
    if (skipped === null) return;
    const frame = this.logs[Number(skipped[1])]?.frames[Number(skipped[2])];
    if (frame !== undefined) frame.isSkipped = true;
  }

  /** Takes what a sender tells an encoder: rate and largest frame of one track. */
  onNews(line: string): void {
    const { track, ...asked } = JSON.parse(line) as Asked & { readonly track: string };
    this.asked[this.sources.findIndex(({ name }) => name === track.replace(/\/\d+$/, ''))] = asked;
  }
}

/** Writes noise as fast as it is taken, until `stop` is called. */
export function feedBulk(input: Writable): () => void {
  const piece = makeFrame(0, 0, 65_536);
  let isStopped = false;
  const fill = (): void => {
    while (!isStopped && input.write(piece));
    if (!isStopped) input.once('drain', fill);
  };
  fill();
  return () => {
    isStopped = true;
  };
}
