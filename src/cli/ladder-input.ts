/**
 * Runs the ffmpeg that encodes one input into the renditions of a ladder. In: the input, the renditions. Out: media
 * frames of every rendition as its encoder makes them, one picture each; `track` is the rendition's number.
 */
import { type ChildProcess, spawn, spawnSync } from 'node:child_process';
import type { Readable } from 'node:stream';
import { ioError } from './errors.ts';
import { framingError } from './framing.ts';
import type { UnitSink } from './input-context.ts';
import { FIRST_PIPE, ffmpegArguments, type RenditionSpec, readsStdin, VIDEO_PID } from './ladder-spec.ts';
import { TsUnitParser } from './ts-units.ts';

/** A picture is written at once: after so long a pause all of it is there. */
const FLUSH_MS = 4;
/** After SIGINT ffmpeg gets this long to write what it has. */
const STOP_MS = 2_000;
const STDERR_BYTES_MAX = 8_192;

/** @throws TransportError ERR_MILLRACE_IO if there is no ffmpeg. */
export function checkFfmpeg(): void {
  const { error } = spawnSync('ffmpeg', ['-version'], { stdio: 'ignore' });
  if (error !== undefined) throw framingError('--ladder needs ffmpeg, which is not installed; install it');
}

/** Runs to the end of the input, or until the signal fires. Rejects when ffmpeg fails. */
export async function runLadderInput(
  input: string,
  renditions: readonly RenditionSpec[],
  sink: UnitSink,
  signal: AbortSignal,
): Promise<void> {
  if (signal.aborted) return;
  const pipes = renditions.map(() => 'pipe' as const);
  const child = spawn('ffmpeg', ffmpegArguments(input, renditions), {
    stdio: [readsStdin(input) ? 'inherit' : 'ignore', 'ignore', 'pipe', ...pipes],
    // A group of its own: Ctrl-C in a terminal is for us, who end it gracefully.
    detached: true,
  });
  const said = collectTail(child.stderr as Readable);
  const stop = (): void => stopChild(child);
  signal.addEventListener('abort', stop, { once: true });
  const outputs = renditions.map((_, rendition) =>
    readRendition(child.stdio[FIRST_PIPE + rendition] as Readable, rendition, sink),
  );
  try {
    const code = await new Promise<number | null>((resolve, reject) => {
      child.on('error', (error) => reject(ioError('ffmpeg', error)));
      child.on('close', (exitCode) => resolve(exitCode));
    });
    await Promise.all(outputs);
    if (code !== 0 && !signal.aborted) {
      throw framingError(`ffmpeg could not encode ${input}: ${said() || `it ended with code ${code}`}`);
    }
  } finally {
    signal.removeEventListener('abort', stop);
  }
}

function stopChild(child: ChildProcess): void {
  child.kill('SIGINT');
  const timer = setTimeout(() => child.kill('SIGKILL'), STOP_MS);
  child.on('close', () => clearTimeout(timer));
}

/** Gives the last line that was written. */
function collectTail(stream: Readable): () => string {
  let text = '';
  stream.setEncoding('utf8').on('data', (part: string) => {
    text = (text + part).slice(-STDERR_BYTES_MAX);
  });
  return () => text.trim().split('\n').at(-1)?.trim() ?? '';
}

async function readRendition(stream: Readable, rendition: number, sink: UnitSink): Promise<void> {
  const parser = new TsUnitParser(VIDEO_PID);
  const emit = (unit: Parameters<UnitSink>[0]): void => void sink({ ...unit, track: rendition });
  let timer: NodeJS.Timeout | undefined;
  await new Promise<void>((resolve) => {
    stream.on('data', (chunk: Buffer) => {
      clearTimeout(timer);
      parser.push(chunk, emit);
      timer = setTimeout(() => parser.flush(emit), FLUSH_MS);
    });
    stream.on('error', () => {});
    stream.on('close', resolve);
  });
  clearTimeout(timer);
  parser.end(emit);
}
