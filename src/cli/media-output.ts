/**
 * Where media frames go: stdout, files, UDP, the checking sink. A file is written as NAME.part and gets its name only
 * when the peer closed cleanly and everything arrived. Data goes to stdout, everything else to stderr.
 */
import { createWriteStream } from 'node:fs';
import { open, rename, stat } from 'node:fs/promises';
import type { Writable } from 'node:stream';
import { ioError, isBrokenPipe } from './errors.ts';
import { type FrameWriter, framingError, type OutgoingUnit } from './framing.ts';
import { writeRaw } from './framing-raw.ts';
import { writeRecord } from './framing-record.ts';
import { writeU32 } from './framing-u32.ts';
import type { Framing } from './option-values.ts';
import { checkTestFrame } from './test-media.ts';
import { UdpSender } from './udp-media.ts';
import type { MediaUri } from './uri.ts';

export interface MediaOutput {
  /** Writes one media frame; a promise means: wait before the next. Rejects when the output fails. */
  write(unit: OutgoingUnit): void | Promise<void>;
  /**
   * The sender is gone.
   * @param isComplete True when it closed cleanly and nothing is missing.
   */
  finish(isComplete: boolean): Promise<void>;
}

export interface OutputContext {
  readonly framing: Framing | undefined;
  readonly stdout: Writable;
  /** A line on stderr. */
  readonly note: (line: string) => void;
}

/** Opens an output. For files and sockets this may fail, before anything is received. */
export async function openOutput(uri: MediaUri, context: OutputContext): Promise<MediaOutput> {
  const writer = writerOf(context.framing);
  switch (uri.kind) {
    case 'stdio':
      return new StreamOutput(context.stdout, 'stdout', writer);
    case 'file':
      return openFile(uri.path, writer, context.note);
    case 'test':
      return new TestOutput();
    case 'udp':
    case 'rtp': {
      const sender = await UdpSender.open(uri, context.note);
      return { write: ({ data }) => sender.send(data), finish: () => sender.close() };
    }
  }
}

function writerOf(framing: Framing | undefined): FrameWriter {
  if (framing === 'u32') return writeU32;
  return framing === 'record' ? writeRecord : writeRaw;
}

/** A byte stream. */
class StreamOutput implements MediaOutput {
  readonly #stream: Writable;
  readonly #name: string;
  readonly #writer: FrameWriter;
  #failure: unknown;
  #wake: (() => void) | undefined;

  constructor(stream: Writable, name: string, writer: FrameWriter) {
    this.#stream = stream;
    this.#name = name;
    this.#writer = writer;
    stream.on('error', (error) => {
      this.#failure ??= isBrokenPipe(error) ? error : ioError(name, error);
      this.#wake?.();
    });
    stream.on('drain', () => this.#wake?.());
  }

  write(unit: OutgoingUnit): void | Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    let hasRoom = true;
    for (const piece of this.#writer(unit)) hasRoom = this.#stream.write(piece);
    return hasRoom ? undefined : this.#drained();
  }

  async finish(): Promise<void> {
    if (this.#failure !== undefined) return;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      this.#stream.write('', () => resolve());
    });
    if (this.#failure !== undefined && !isBrokenPipe(this.#failure)) throw this.#failure;
  }

  /** Ends the stream and waits until everything is with the kernel. */
  async end(): Promise<void> {
    await this.finish();
    if (this.#failure !== undefined) throw this.#failure;
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
      this.#stream.end(resolve);
    });
    if (this.#failure !== undefined) throw this.#failure;
  }

  get name(): string {
    return this.#name;
  }

  async #drained(): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#wake = resolve;
    });
    this.#wake = undefined;
    if (this.#failure !== undefined) throw this.#failure;
  }
}

async function openFile(
  path: string,
  writer: FrameWriter,
  note: (line: string) => void,
): Promise<MediaOutput> {
  // A device or a named pipe is written in place: it must not be replaced, and has no name to earn.
  const isInPlace = await stat(path).then(
    (entry) => !entry.isFile(),
    () => false,
  );
  const part = isInPlace ? path : `${path}.part`;
  let handle: Awaited<ReturnType<typeof open>>;
  try {
    handle = await open(part, 'w');
  } catch (error) {
    throw ioError(`file:${path}`, error);
  }
  const stream = createWriteStream(part, { fd: handle, highWaterMark: 1_048_576 });
  const output = new StreamOutput(stream, `file:${path}`, writer);
  return {
    write: (unit) => output.write(unit),
    finish: async (isComplete) => {
      await output.end();
      if (isInPlace) return;
      if (!isComplete) {
        note(`incomplete: what arrived is in ${part}`);
        return;
      }
      try {
        await rename(part, path);
      } catch (error) {
        throw ioError(`file:${path}`, error);
      }
    },
  };
}

/** Checks what a `test:` source made. */
class TestOutput implements MediaOutput {
  #wrong = 0;

  write(unit: OutgoingUnit): void {
    if (!checkTestFrame(unit)) this.#wrong++;
  }

  async finish(): Promise<void> {
    if (this.#wrong > 0)
      throw framingError(`${this.#wrong} media frames did not come from test:, or were damaged`);
  }
}
