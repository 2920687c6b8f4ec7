/**
 * `--stats` and `--stats-json`: what a connection counts, as a line for people and as a line of JSON. The keys of the
 * JSON line are public and frozen by a test; docs/statistics.md says what each means.
 */
import { createWriteStream, writeSync } from 'node:fs';
import { ioError } from './errors.ts';
import type { StatsTarget } from './option-values.ts';
import { printable } from './printable.ts';
import { formatBytes, formatRate } from './units.ts';

/** What a JSON line says beside `tUs`. Both ends count; a receiver's frames are those whose fate is known. */
export interface StatsCounters {
  rttMs: number;
  lossRatio: number;
  burstMean: number;
  targetBps: number;
  sentBytes: number;
  wireBytes: number;
  framesSent: number;
  framesOnTime: number;
  framesFec: number;
  framesResent: number;
  framesLate: number;
  framesLost: number;
  rejected: object;
}

/** The keys of a line, in order. Never rename or remove one. */
export const STATS_KEYS = [
  'tUs',
  'rttMs',
  'lossRatio',
  'burstMean',
  'targetBps',
  'sentBytes',
  'wireBytes',
  'framesSent',
  'framesOnTime',
  'framesFec',
  'framesResent',
  'framesLate',
  'framesLost',
  'rejected',
] as const;

/** Where nothing was ever connected. */
export const NO_COUNTERS: StatsCounters = {
  rttMs: 0,
  lossRatio: 0,
  burstMean: 1,
  targetBps: 0,
  sentBytes: 0,
  wireBytes: 0,
  framesSent: 0,
  framesOnTime: 0,
  framesFec: 0,
  framesResent: 0,
  framesLate: 0,
  framesLost: 0,
  rejected: {},
};

/** One line of JSON, without its newline. `peer` is added when there are several. */
export function jsonLine(tUs: number, counters: StatsCounters, isFinal: boolean, peer?: string): string {
  const line: Record<string, unknown> = { tUs };
  for (const key of STATS_KEYS) if (key !== 'tUs') line[key] = tidy(counters[key]);
  if (peer !== undefined) line.peer = peer;
  if (isFinal) line.final = true;
  return JSON.stringify(line);
}

/** One line for people, without its newline. */
export function humanLine(counters: StatsCounters): string {
  const { framesOnTime, framesFec, framesResent, framesLate, framesLost } = counters;
  return [
    `rtt ${counters.rttMs.toFixed(1)} ms`,
    `loss ${(counters.lossRatio * 100).toFixed(1)} %`,
    // A receiver sends no media: its target would only puzzle.
    ...(counters.sentBytes > 0
      ? [`target ${formatRate(counters.targetBps)}`, `media ${formatBytes(counters.sentBytes)}`]
      : []),
    `wire ${formatBytes(counters.wireBytes)}`,
    `frames ${counters.framesSent}: ${framesOnTime} on time, ${framesFec} fec, ${framesResent} resent, ${framesLate} late, ${framesLost} lost`,
  ].join('  ');
}

/** Somebody whose counters are reported. */
export interface StatsPeer {
  readonly name: string;
  counters(): StatsCounters;
}

/** Reports at an interval, and once more for each peer that leaves. */
export class StatsReporter {
  readonly #stderr: NodeJS.WriteStream;
  readonly #isHuman: boolean;
  readonly #writeJson: ((line: string) => void) | undefined;
  readonly #startedUs: number;
  readonly #peers: Set<StatsPeer> = new Set();
  readonly #timer: NodeJS.Timeout | undefined;
  #closeJson: (() => Promise<void>) | undefined;
  #hasProgress = false;
  #finals = 0;

  /** @param intervalMs From `--stats`; undefined = no line for people. */
  constructor(stderr: NodeJS.WriteStream, intervalMs: number | undefined, target: StatsTarget | undefined) {
    this.#stderr = stderr;
    this.#isHuman = intervalMs !== undefined;
    this.#startedUs = nowUs();
    this.#writeJson = this.#openJson(target);
    if (this.#isHuman || this.#writeJson !== undefined) {
      this.#timer = setInterval(() => this.#report(), intervalMs ?? 1000);
      this.#timer.unref();
    }
  }

  add(peer: StatsPeer): void {
    this.#peers.add(peer);
  }

  /** The peer's last line. `summary` says what it did, for people; it is printed whatever the options are. */
  remove(peer: StatsPeer, summary?: string): void {
    if (!this.#peers.has(peer)) return;
    const name = this.#nameOf(peer);
    this.#peers.delete(peer);
    const counters = peer.counters();
    this.#finals++;
    this.#writeJson?.(jsonLine(nowUs() - this.#startedUs, counters, true, name));
    if (summary !== undefined) this.note(`${summary}  ${humanLine(counters)}`);
  }

  /** A line on stderr that does not run into the progress line. What a peer said in it steers no terminal. */
  note(line: string): void {
    if (this.#hasProgress) this.#stderr.write('\r\x1b[K');
    this.#hasProgress = false;
    this.#stderr.write(`${printable(line)}\n`);
  }

  /** Every output of statistics is complete when it resolves. */
  async close(): Promise<void> {
    clearInterval(this.#timer);
    for (const peer of [...this.#peers]) this.remove(peer);
    if (this.#finals === 0) this.#writeJson?.(jsonLine(nowUs() - this.#startedUs, NO_COUNTERS, true));
    if (this.#hasProgress) this.#stderr.write('\n');
    this.#hasProgress = false;
    await this.#closeJson?.();
  }

  #report(): void {
    const tUs = nowUs() - this.#startedUs;
    for (const peer of this.#peers) {
      const counters = peer.counters();
      const name = this.#nameOf(peer);
      this.#writeJson?.(jsonLine(tUs, counters, false, name));
      if (!this.#isHuman) continue;
      const line = `${name === undefined ? '' : `${name}  `}${humanLine(counters)}`;
      if (this.#stderr.isTTY && this.#peers.size === 1) {
        this.#stderr.write(`\r\x1b[K${line.slice(0, Math.max(20, (this.#stderr.columns ?? 80) - 1))}`);
        this.#hasProgress = true;
      } else this.note(line);
    }
  }

  #nameOf(peer: StatsPeer): string | undefined {
    return this.#peers.size > 1 || this.#finals > 0 ? peer.name : undefined;
  }

  #openJson(target: StatsTarget | undefined): ((line: string) => void) | undefined {
    if (target === undefined) return undefined;
    if (target.kind === 'stderr') return (line) => this.note(line);
    if (target.kind === 'fd') {
      try {
        writeSync(target.fd, '');
      } catch (error) {
        throw ioError(`--stats-json fd:${target.fd}`, error);
      }
      return (line) => writeLine(target.fd, line);
    }
    const stream = createWriteStream(target.path);
    let failure: unknown;
    stream.on('error', (error) => {
      // Statistics never stop the media: said once, then none are written.
      if (failure === undefined) this.note(ioError(`--stats-json file:${target.path}`, error).message);
      failure = error;
    });
    this.#closeJson = () =>
      new Promise((resolve) => (failure === undefined ? stream.end(resolve) : resolve()));
    return (line) => {
      if (failure === undefined) stream.write(`${line}\n`);
    };
  }
}

function writeLine(fd: number, line: string): void {
  try {
    writeSync(fd, `${line}\n`);
  } catch {
    // A reader that went away, or a full pipe: statistics never stop the media.
  }
}

function tidy(value: unknown): unknown {
  if (typeof value !== 'number') return value;
  return Number.isFinite(value) ? Math.round(value * 1e4) / 1e4 : 0;
}

function nowUs(): number {
  return Math.round(performance.now() * 1000);
}
