/**
 * Where media frames come from: stdin, files, UDP, the built-in source. In: a MEDIA URI and the options. Out: media
 * frames, one call each, at the time at which they shall leave. Live input is read without pause: a receiver of media
 * frames that returns a promise holds back only input that can wait (files, reliable tracks).
 */

import { createReadStream } from 'node:fs';
import { stat } from 'node:fs/promises';
import type { Readable } from 'node:stream';
import { ioError, UsageError } from './errors.ts';
import type { FrameParser, MediaUnit } from './framing.ts';
import { RawParser } from './framing-raw.ts';
import { RecordParser } from './framing-record.ts';
import { looksLikeTs, TS_PACKET_BYTES, TsParser } from './framing-ts.ts';
import { U32Parser } from './framing-u32.ts';
import type { InputContext, UnitSink } from './input-context.ts';
import type { CliOptions, Framing } from './option-values.ts';
import { BitrateSchedule, type Clock, ClockSchedule, type DueUnit, type Schedule } from './pace.ts';
import { parseTestSource, testFrame } from './test-media.ts';
import { runUdpInput } from './udp-media.ts';
import type { MediaUri } from './uri.ts';

/** A piece of a media frame waits this long for the rest before it goes alone (live byte streams). */
const FLUSH_MS = 5;
/** How long a live byte stream may take to show what it is. */
const DETECT_MS = 100;
const DETECT_BYTES = 3 * TS_PACKET_BYTES;
const READ_BYTES = 262_144;

/** Throws what is wrong with the combination before anything is opened. */
export async function checkInput(
  uri: MediaUri,
  context: Pick<CliOptions, 'framing' | 'bitrate' | 'pace'>,
): Promise<void> {
  if (uri.kind === 'test') parseTestSource(uri.parameters, context.bitrate);
  if ((uri.kind === 'udp' || uri.kind === 'rtp') && context.pace !== undefined) {
    throw new UsageError(`--pace is for file: and -: ${uri.kind}: input comes at its own time`);
  }
  if (uri.kind !== 'file') return;
  const needsRate = context.framing === 'raw' || context.framing === 'u32';
  if (needsRate && context.pace !== 'off' && context.bitrate === undefined) {
    throw new UsageError(
      `${context.framing} framing has no clock: give --bitrate RATE or --pace off for file:${uri.path}`,
    );
  }
  try {
    if ((await stat(uri.path)).isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' });
  } catch (error) {
    throw ioError(`file:${uri.path}`, error);
  }
}

/** Reads one input to its end. Resolves when the last media frame was handed over, or the signal fired. */
export async function runInput(uri: MediaUri, context: InputContext, sink: UnitSink): Promise<void> {
  const { framing } = context;
  switch (uri.kind) {
    case 'test':
      return runTestInput(uri.parameters, context, sink);
    case 'udp':
    case 'rtp':
      return runUdpInput(
        uri,
        context,
        framing === undefined ? undefined : () => makeParser(framing, context),
        sink,
      );
    case 'file':
      return runBytes(
        createReadStream(uri.path, { highWaterMark: READ_BYTES }),
        `file:${uri.path}`,
        true,
        context,
        sink,
      );
    case 'stdio':
      return runBytes(context.stdin, 'stdin', false, context, sink);
  }
}

async function runBytes(
  stream: Readable,
  name: string,
  isFile: boolean,
  context: InputContext,
  sink: UnitSink,
): Promise<void> {
  const { signal, pace } = context;
  const stop = (): void => void stream.destroy();
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop);
  try {
    const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
    const isLive = !isFile && pace === undefined;
    const { framing, head, pending } = await detect(chunks, context.framing, isLive);
    const parser = makeParser(framing, context);
    const schedule = isLive || pace === 'off' ? undefined : makeSchedule(framing, name, context);
    const out = schedule === undefined ? sink : new Pacer(schedule, context, sink);
    await pump(chunks, head, pending, parser, out, isLive, signal);
  } catch (error) {
    if (!signal.aborted) throw isSystemError(error) ? ioError(name, error) : error;
  } finally {
    signal.removeEventListener('abort', stop);
    stream.destroy();
  }
}

function isSystemError(error: unknown): boolean {
  return typeof (error as NodeJS.ErrnoException)?.syscall === 'string';
}

function makeSchedule(framing: Framing, name: string, context: InputContext): Schedule {
  if (context.bitrate !== undefined) return new BitrateSchedule(context.bitrate);
  if (framing === 'raw' || framing === 'u32') {
    throw new UsageError(`${name} (${framing} framing) has no clock: give --bitrate RATE or --pace off`);
  }
  return new ClockSchedule(name);
}

/** A parser for one byte stream. */
export function makeParser(framing: Framing, context: Pick<InputContext, 'frameBytes'>): FrameParser {
  switch (framing) {
    case 'ts':
      return new TsParser(context.frameBytes);
    case 'u32':
      return new U32Parser();
    case 'record':
      return new RecordParser();
    case 'raw':
      return new RawParser(context.frameBytes);
  }
}

type NextChunk = Promise<IteratorResult<Uint8Array>>;

/** Looks at the first bytes unless the framing was given; a live stream that stays silent is raw. */
async function detect(
  chunks: AsyncIterator<Uint8Array>,
  framing: Framing | undefined,
  isLive: boolean,
): Promise<{ framing: Framing; head: Uint8Array[]; pending: NextChunk | undefined }> {
  if (framing !== undefined) return { framing, head: [], pending: undefined };
  const head: Uint8Array[] = [];
  let size = 0;
  let pending: NextChunk | undefined;
  while (size < DETECT_BYTES) {
    pending ??= chunks.next();
    // The first bytes may take as long as they like.
    const next = isLive && size > 0 ? await orTimeout(pending, DETECT_MS) : await pending;
    if (next === undefined) break;
    pending = undefined;
    if (next.done) {
      pending = Promise.resolve(next);
      break;
    }
    head.push(next.value);
    size += next.value.length;
  }
  return { framing: looksLikeTs(Buffer.concat(head)) ? 'ts' : 'raw', head, pending };
}

function orTimeout<Value>(promise: Promise<Value>, ms: number): Promise<Value | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const timeout = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  return Promise.race([promise, timeout]).finally(() => clearTimeout(timer));
}

async function pump(
  chunks: AsyncIterator<Uint8Array>,
  head: readonly Uint8Array[],
  pending: NextChunk | undefined,
  parser: FrameParser,
  out: UnitSink | Pacer,
  isLive: boolean,
  signal: AbortSignal,
): Promise<void> {
  const sink: UnitSink = out instanceof Pacer ? (unit) => out.push(unit) : out;
  let units: MediaUnit[] = [];
  const collect = (unit: MediaUnit): void => void units.push(unit);
  const deliver = async (): Promise<void> => {
    const ready = units;
    units = [];
    for (const unit of ready) {
      const wait = sink(unit);
      if (wait !== undefined) await wait;
      if (signal.aborted) return;
    }
  };
  const flush = (): void => parser.flush((unit) => void sink(unit));
  for (const chunk of head) parser.push(chunk, collect);
  await deliver();
  let first = pending;
  while (!signal.aborted) {
    const next = first ?? chunks.next();
    first = undefined;
    const timer = isLive ? setTimeout(flush, FLUSH_MS) : undefined;
    // An input that is stopped fails here, and nobody waits any more for what a flush would send.
    const result = await next.finally(() => clearTimeout(timer));
    if (result.done) break;
    parser.push(result.value, collect);
    await deliver();
  }
  if (signal.aborted) return;
  parser.end(collect);
  await deliver();
  if (out instanceof Pacer) await out.end();
}

/** Hands media frames over when they are due. */
class Pacer {
  readonly #schedule: Schedule;
  readonly #clock: Clock;
  readonly #signal: AbortSignal;
  readonly #sink: UnitSink;
  #startUs: number | undefined;

  constructor(schedule: Schedule, context: InputContext, sink: UnitSink) {
    this.#schedule = schedule;
    this.#clock = context.clock;
    this.#signal = context.signal;
    this.#sink = sink;
  }

  async push(unit: MediaUnit): Promise<void> {
    const due: DueUnit[] = [];
    this.#schedule.push(unit, (item) => due.push(item));
    await this.#deliver(due);
  }

  async end(): Promise<void> {
    const due: DueUnit[] = [];
    this.#schedule.end((item) => due.push(item));
    await this.#deliver(due);
  }

  async #deliver(due: readonly DueUnit[]): Promise<void> {
    for (const { unit, dueUs } of due) {
      this.#startUs ??= this.#clock.nowUs();
      await this.#clock.waitUntil(this.#startUs + dueUs, this.#signal);
      if (this.#signal.aborted) return;
      const wait = this.#sink(unit);
      if (wait !== undefined) await wait;
    }
  }
}

async function runTestInput(
  parameters: ReadonlyMap<string, string>,
  context: InputContext,
  sink: UnitSink,
): Promise<void> {
  const options = parseTestSource(parameters, context.bitrate);
  const { clock, signal } = context;
  const frames =
    options.durationMs === undefined ? Number.POSITIVE_INFINITY : (options.durationMs * options.fps) / 1000;
  const startUs = clock.nowUs();
  for (let index = 0; index < frames && !signal.aborted; index++) {
    if (context.pace !== 'off') await clock.waitUntil(startUs + (index * 1e6) / options.fps, signal);
    if (signal.aborted) return;
    const wait = sink(testFrame(options, index, context.targetBps()));
    if (wait !== undefined) await wait;
  }
}
