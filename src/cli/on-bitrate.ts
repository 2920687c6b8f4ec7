/**
 * `--on-bitrate`: tells an encoder what fits. In: targets per track. Out: one JSON line per change, to a program's stdin,
 * to a file descriptor, or as an HTTP POST. Whoever listens slowly gets the newest line of each track, never a backlog.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { createWriteStream, writeSync } from 'node:fs';
import type { Writable } from 'node:stream';
import { ioError } from './errors.ts';
import type { BitrateTarget } from './option-values.ts';

/** One change, as it is written. */
export interface BitrateNews {
  /** Label of the track, else its number. */
  readonly track: string;
  readonly bitsPerSecond: number;
  readonly maxFrameBytes: number;
}

/** Takes changes. Never throws, never waits. */
export interface BitrateListener {
  tell(news: BitrateNews): void;
  /** The media is over. Fulfilled when the listener is gone. */
  close(): Promise<void>;
}

/** Bytes that may wait for a slow reader before newer lines replace older ones. */
const WAITING_BYTES_MAX = 4096;
const POST_TIMEOUT_MS = 2_000;
/** A program whose stdin has ended gets this long, and again as long after SIGTERM. */
const END_MS = 1_000;

/** Opens what `--on-bitrate` names. @param note A line on stderr. */
export function openBitrateListener(target: BitrateTarget, note: (line: string) => void): BitrateListener {
  switch (target.kind) {
    case 'fd':
      return openFd(target.fd, note);
    case 'http':
      return new Poster(target.url, note);
    case 'command':
      return new Command(target.command, note);
  }
}

/** A rise below this is not worth a line; every fall is. */
const RISE_MIN = 1.03;

/** Follows the bitrate of every track towards the slowest receiver, and tells what has changed. */
export class BitrateWatch<Key> {
  readonly #listener: BitrateListener;
  readonly #nameOf: (key: Key) => string;
  readonly #bitrateOf: (key: Key) => Omit<BitrateNews, 'track'> | undefined;
  readonly #told: Map<string, number> = new Map();

  constructor(
    listener: BitrateListener,
    nameOf: (key: Key) => string,
    bitrateOf: (key: Key) => Omit<BitrateNews, 'track'> | undefined,
  ) {
    this.#listener = listener;
    this.#nameOf = nameOf;
    this.#bitrateOf = bitrateOf;
  }

  /** The bitrate of this track may have changed. */
  look(key: Key): void {
    const track = this.#nameOf(key);
    const now = this.#bitrateOf(key);
    const told = this.#told.get(track) ?? 0;
    if (now === undefined || now.bitsPerSecond === told) return;
    if (now.bitsPerSecond > told && now.bitsPerSecond < RISE_MIN * told) return;
    this.#told.set(track, now.bitsPerSecond);
    this.#listener.tell({ track, ...now });
  }
}

/** Lines to a stream. What a full stream does not take waits here, one line per track. */
class LatestLines {
  readonly #stream: Writable;
  readonly #waiting: Map<string, BitrateNews> = new Map();
  #isOver = false;

  constructor(stream: Writable, onFailure: (error: Error) => void) {
    this.#stream = stream;
    stream.on('drain', () => this.#flush());
    stream.on('error', (error) => {
      this.#isOver = true;
      onFailure(error);
    });
  }

  tell(news: BitrateNews): void {
    if (this.#isOver) return;
    this.#waiting.set(news.track, news);
    if (this.#stream.writableLength < WAITING_BYTES_MAX) this.#flush();
  }

  #flush(): void {
    for (const news of this.#waiting.values()) this.#stream.write(`${JSON.stringify(news)}\n`);
    this.#waiting.clear();
  }

  end(): void {
    if (!this.#isOver) this.#flush();
    this.#isOver = true;
    this.#stream.end();
  }
}

/** @throws TransportError ERR_MILLRACE_IO if there is no such descriptor. */
function openFd(fd: number, note: (line: string) => void): BitrateListener {
  const name = `--on-bitrate fd:${fd}`;
  try {
    writeSync(fd, '');
  } catch (error) {
    throw ioError(name, error);
  }
  // A stream, not writeSync: a pipe that nobody reads must not stop the media.
  const lines = new LatestLines(createWriteStream('', { fd, autoClose: false }), (error) =>
    note(ioError(name, error).message),
  );
  return {
    tell: (news) => lines.tell(news),
    close: async () => lines.end(),
  };
}

/** A program, started once: its stdin gets the lines, what it prints goes to stderr. */
class Command implements BitrateListener {
  readonly #child: ChildProcess;
  readonly #lines: LatestLines;
  readonly #ended: Promise<void>;
  #isClosing = false;

  constructor(command: string, note: (line: string) => void) {
    // A group of its own, so that what a shell has started ends with it.
    this.#child = spawn(command, { shell: true, detached: true, stdio: ['pipe', 2, 2] });
    this.#ended = new Promise((resolve) => {
      const end = (how: string): void => {
        if (!this.#isClosing) note(`--on-bitrate: the program ${how}; nobody hears of the bitrate any more`);
        resolve();
      };
      this.#child.on('error', (error) => end(`could not be started (${error.message})`));
      this.#child.on('exit', (code, signal) => end(`ended with ${code === null ? signal : `code ${code}`}`));
    });
    this.#lines = new LatestLines(this.#child.stdin as Writable, () => {});
  }

  tell(news: BitrateNews): void {
    this.#lines.tell(news);
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    this.#lines.end();
    for (const signal of ['SIGTERM', 'SIGKILL'] as const) {
      const timer = setTimeout(() => this.#kill(signal), END_MS);
      await Promise.race([this.#ended, new Promise((resolve) => setTimeout(resolve, END_MS + 50))]);
      clearTimeout(timer);
    }
  }

  #kill(signal: NodeJS.Signals): void {
    const { pid, exitCode, signalCode } = this.#child;
    if (pid === undefined || exitCode !== null || signalCode !== null) return;
    try {
      process.kill(-pid, signal);
    } catch {
      // It has just ended.
    }
  }
}

/** One POST at a time; meanwhile the newest line of each track waits. */
class Poster implements BitrateListener {
  readonly #url: URL;
  /** The address as it is printed: no credentials, and no query, where people put tokens. */
  readonly #name: string;
  readonly #headers: Readonly<Record<string, string>>;
  readonly #note: (line: string) => void;
  readonly #waiting: Map<string, BitrateNews> = new Map();
  #isPosting = false;
  #hasFailed = false;
  #posted: Promise<void> = Promise.resolve();

  constructor(url: string, note: (line: string) => void) {
    this.#url = new URL(url);
    this.#name = this.#url.origin + this.#url.pathname;
    this.#headers = { 'content-type': 'application/json', ...takeCredentials(this.#url) };
    this.#note = note;
  }

  tell(news: BitrateNews): void {
    this.#waiting.set(news.track, news);
    if (!this.#isPosting) this.#posted = this.#post();
  }

  close(): Promise<void> {
    return this.#posted;
  }

  async #post(): Promise<void> {
    this.#isPosting = true;
    for (let news = this.#next(); news !== undefined; news = this.#next()) {
      try {
        const response = await fetch(this.#url, {
          method: 'POST',
          headers: this.#headers,
          body: `${JSON.stringify(news)}\n`,
          signal: AbortSignal.timeout(POST_TIMEOUT_MS),
        });
        await response.arrayBuffer();
        if (!response.ok) throw new Error(`status ${response.status}`);
        this.#hasFailed = false;
      } catch (error) {
        // Said once per outage: the next change tries again.
        if (!this.#hasFailed) this.#note(`--on-bitrate ${this.#name}: ${reasonOf(error)}`);
        this.#hasFailed = true;
      }
    }
    this.#isPosting = false;
  }

  #next(): BitrateNews | undefined {
    const [first] = this.#waiting.values();
    if (first !== undefined) this.#waiting.delete(first.track);
    return first;
  }
}

/** Moves user and password from the address, where `fetch` takes none, into a header. Source: RFC 7617 §2. */
function takeCredentials(url: URL): { authorization?: string } {
  if (url.username === '' && url.password === '') return {};
  const credentials = `${decoded(url.username)}:${decoded(url.password)}`;
  url.username = '';
  url.password = '';
  return { authorization: `Basic ${Buffer.from(credentials).toString('base64')}` };
}

function decoded(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    // A percent sign that stands for itself.
    return part;
  }
}

/** `fetch` says only that it failed, with the whole address at times; why is in the cause. */
function reasonOf(error: unknown): string {
  const { message, cause } = error as Error;
  if (cause instanceof Error && cause.message !== '') return cause.message;
  return error instanceof TypeError ? 'the request could not be made' : message;
}
