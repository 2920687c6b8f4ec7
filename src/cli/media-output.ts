/**
 * Where media frames go: stdout, files, UDP, the checking sink. A file is written as NAME.part and gets its name only
 * when the peer closed cleanly and everything arrived. Data goes to stdout, everything else to stderr.
 */
import { constants, createWriteStream, openSync, type Stats } from 'node:fs';
import { open, rename, stat } from 'node:fs/promises';
import { Socket } from 'node:net';
import type { Writable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { ioError, isBrokenPipe } from './errors.ts';
import { type FrameWriter, framingError, type OutgoingUnit } from './framing.ts';
import { writeRaw } from './framing-raw.ts';
import { writeRecord } from './framing-record.ts';
import { writeU32 } from './framing-u32.ts';
import type { Framing } from './option-values.ts';
import { checkTestFrame } from './test-media.ts';
import { UdpSender } from './udp-media.ts';
import type { MediaUri } from './uri.ts';

/** How often a named pipe is looked at that nobody has opened for reading. */
const PIPE_RETRY_MS = 100;

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
  /** Ends the wait for whoever is to read a named pipe. */
  readonly signal: AbortSignal;
}

/** Opens an output. For files and sockets this may fail, before anything is received. */
export async function openOutput(uri: MediaUri, context: OutputContext): Promise<MediaOutput> {
  const writer = writerOf(context.framing);
  switch (uri.kind) {
    case 'stdio':
      return new StreamOutput(context.stdout, 'stdout', writer);
    case 'file':
      return openFile(uri.path, writer, context);
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

/** A byte stream. Several tracks may wait for it at a time. */
class StreamOutput implements MediaOutput {
  readonly #stream: Writable;
  readonly #writer: FrameWriter;
  #failure: unknown;
  readonly #waiting: (() => void)[] = [];
  readonly #onError: (error: unknown) => void;
  readonly #onDrain: () => void;

  constructor(stream: Writable, name: string, writer: FrameWriter) {
    this.#stream = stream;
    this.#writer = writer;
    this.#onDrain = () => {
      for (const wake of this.#waiting.splice(0)) wake();
    };
    this.#onError = (error) => {
      this.#failure ??= isBrokenPipe(error) ? error : ioError(name, error);
      this.#onDrain();
    };
    stream.on('error', this.#onError);
    stream.on('drain', this.#onDrain);
  }

  write(unit: OutgoingUnit): void | Promise<void> {
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    let hasRoom = true;
    for (const piece of this.#writer(unit)) hasRoom = this.#stream.write(piece);
    return hasRoom ? undefined : this.#drained();
  }

  /** Waits until everything is with the kernel. The stream stays open: stdout serves the next connection too. */
  async finish(): Promise<void> {
    if (this.#failure === undefined) {
      await this.#settled((done) => void this.#stream.write('', done));
    }
    this.#stream.off('drain', this.#onDrain);
    if (this.#failure === undefined) this.#stream.off('error', this.#onError);
    else if (!isBrokenPipe(this.#failure)) throw this.#failure;
  }

  /** Ends the stream and waits until everything is with the kernel. */
  async end(): Promise<void> {
    if (this.#failure === undefined) await this.#settled((done) => void this.#stream.end(done));
    if (this.#failure !== undefined) throw this.#failure;
  }

  async #drained(): Promise<void> {
    await this.#settled(() => {});
    if (this.#failure !== undefined) throw this.#failure;
  }

  /** Until `begin` calls back, the stream has drained, or it has failed. */
  async #settled(begin: (done: () => void) => void): Promise<void> {
    await new Promise<void>((resolve) => {
      this.#waiting.push(resolve);
      begin(resolve);
    });
  }
}

async function openFile(path: string, writer: FrameWriter, context: OutputContext): Promise<MediaOutput> {
  // A device or a named pipe is written in place: it must not be replaced, and has no name to earn.
  const before = await stat(path).catch(() => undefined);
  const isInPlace = before !== undefined && !before.isFile();
  const part = isInPlace ? path : `${path}.part`;
  let stream: Writable;
  try {
    stream = await openStream(part, before, context.signal);
  } catch (error) {
    throw context.signal.aborted ? error : ioError(`file:${path}`, error);
  }
  const output = new StreamOutput(stream, `file:${path}`, writer);
  return {
    write: (unit) => output.write(unit),
    finish: async (isComplete) => {
      await output.end();
      if (isInPlace) return;
      if (!isComplete) {
        context.note(`incomplete: what arrived is in ${part}`);
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

/**
 * A named pipe is opened without blocking, and written as a socket is: a thread that waits for its reader could not be
 * called back, and would keep the process from ending.
 */
async function openStream(path: string, before: Stats | undefined, signal: AbortSignal): Promise<Writable> {
  if (before?.isFIFO() !== true) {
    return createWriteStream(path, { fd: await open(path, 'w'), highWaterMark: 1_048_576 });
  }
  for (;;) {
    try {
      const fd = openSync(path, constants.O_WRONLY | constants.O_NONBLOCK);
      return new Socket({ fd, readable: false, writable: true });
    } catch (error) {
      // Nobody reads it yet.
      if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error;
    }
    await sleep(PIPE_RETRY_MS, undefined, { signal });
  }
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
