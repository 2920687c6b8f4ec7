/**
 * An emulated path between two network namespaces of this machine, for real sockets of any program: the links of
 * `millrace/sim`, in real time. Linux, root and the optional package koffi. In: a `NetworkSpec` and a seed. Out: two ends
 * that programs are started in, links that can be changed while they carry, counters.
 *
 * Use:
 *   const obstacle = await emulatorObstacle();            // one line that says why not, or undefined
 *   const emulator = await startEmulator({ network: symmetric({ rateBps: 20e6, queue: { ms: 100 }, delayMs: 30 }) });
 *   const server = emulator.spawn('server', 'iperf3', ['-s']);
 *   const client = emulator.spawn('client', 'iperf3', ['-c', SERVER_ADDRESS]);
 *   await emulator.update('up', { loss: { kind: 'iid', ratio: 0.05 } });
 *   const { up } = await emulator.statistics();
 *   await emulator.close();
 * Packets that the client's end sends go `up`. However this program ends, the emulator ends with it, and with the
 * emulator its namespaces, devices and the programs inside them.
 */
import { type ChildProcess, type SpawnOptions, spawn } from 'node:child_process';
import { createRequire } from 'node:module';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath, pathToFileURL } from 'node:url';
import {
  type LinkChoice,
  type LinkOptions,
  type NetworkSpec,
  type ScenarioStep,
  symmetric,
} from '../../../src/sim.ts';
import { loadLibC } from '../native.ts';
import type { EmulatorStatistics, EmulatorTask, Reply, Request, Side } from './messages.ts';

const PROCESS = fileURLToPath(new URL('./process.ts', import.meta.url));
/** Node's arguments that let it run the TypeScript of this repository, from any folder. */
export const TYPESCRIPT: readonly string[] = [
  '--import',
  pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href,
];
/** Collecting garbage with helper threads would wait for those, which have no real-time priority. */
const PUNCTUAL_GC: readonly string[] = ['--single-threaded-gc'];
/** A machine too busy for this has more than a slow start to worry about. */
const START_MS_MAX = 30_000;

export interface EmulatorOptions {
  /** The two links; a NAT is not possible here. An own `LossModel` is not either: options travel as JSON. */
  readonly network: NetworkSpec;
  /** Default 1. Equal seeds lose the same packets as long as the same packets come. */
  readonly seed?: number;
}

/** A running path. */
export interface Emulator {
  /** The emulator's own process. */
  readonly pid: number;
  /** Rejects with what went wrong when the emulator ends without having been asked to. */
  readonly closed: Promise<void>;
  /** The command line that runs `command` at one end. */
  command(side: Side, command: string, parameters: readonly string[]): [string, string[]];
  /** Runs a program at one end; it is killed when this process ends, and when the emulator does. */
  spawn(side: Side, command: string, parameters: readonly string[], options?: SpawnOptions): ChildProcess;
  /** Changes the options named, at once. Rejects with a `RangeError` when they make no sense. */
  update(link: LinkChoice, options: LinkOptions): Promise<void>;
  /** Loses everything that enters from now on for so long. */
  blackout(link: LinkChoice, durationMs: number): Promise<void>;
  /** Lets steps happen; their times count from now. NAT steps and calls are refused. */
  play(steps: readonly ScenarioStep[]): Promise<void>;
  statistics(): Promise<EmulatorStatistics>;
  /** Forgets the timing errors so far, so that a start-up does not count. */
  clearLateness(): Promise<void>;
  close(): Promise<void>;
}

/** JSON has no Infinity: a link without a limit says so by leaving the option out. */
function refuseWhatJsonLoses(value: unknown, where: string): void {
  if (typeof value === 'number' && !Number.isFinite(value)) throw new RangeError(`${where} must be finite`);
  if (typeof value === 'function') throw new TypeError(`${where}: functions cannot be sent to the emulator`);
  if (typeof value !== 'object' || value === null) return;
  for (const [key, inner] of Object.entries(value)) refuseWhatJsonLoses(inner, `${where}.${key}`);
  if ('isLost' in value) throw new TypeError(`${where}: own loss models cannot be sent to the emulator`);
}

class EmulatorProcess implements Emulator {
  readonly closed: Promise<void>;
  readonly #child: ChildProcess;
  readonly #waiting: ((reply: Reply) => void)[] = [];
  readonly #programs = new Set<ChildProcess>();
  #handles: Readonly<Record<Side, number>> = { client: -1, server: -1 };
  #isClosing = false;
  #isOver = false;
  #stderr = '';

  constructor(task: EmulatorTask) {
    refuseWhatJsonLoses(task.network, 'network');
    const child = spawn(process.execPath, [...PUNCTUAL_GC, ...TYPESCRIPT, PROCESS, JSON.stringify(task)], {
      stdio: ['pipe', 'pipe', 'pipe'],
    });
    this.#child = child;
    child.stdin.on('error', () => {});
    child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr = (this.#stderr + text).slice(-4_000);
    });
    createInterface({ input: child.stdout }).on('line', (line) => {
      this.#waiting.shift()?.(JSON.parse(line) as Reply);
    });
    this.closed = new Promise((resolve, reject) => {
      child.on('error', reject);
      child.on('close', (code, signal) => {
        this.#isOver = true;
        for (const program of this.#programs) program.kill('SIGKILL');
        for (const settle of this.#waiting.splice(0))
          settle({ type: 'refused', reason: 'the emulator has ended' });
        if (this.#isClosing) resolve();
        else reject(new Error(`the emulator ended (${signal ?? code}): ${this.#stderr.trim()}`));
      });
    });
    this.closed.catch(() => {});
  }

  get pid(): number {
    return this.#child.pid ?? -1;
  }

  /** Waits for the process's first words. */
  async start(): Promise<void> {
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), START_MS_MAX);
    const reply = await this.#next();
    clearTimeout(timer);
    if (reply.type === 'ready') {
      this.#handles = reply.handles;
      return;
    }
    this.#isClosing = true;
    throw new Error(reply.type === 'refused' ? reply.reason : 'the emulator does not start');
  }

  command(side: Side, command: string, parameters: readonly string[]): [string, string[]] {
    const namespace = `--net=/proc/${this.pid}/fd/${this.#handles[side]}`;
    return ['setpriv', ['--pdeathsig', 'KILL', 'nsenter', namespace, command, ...parameters]];
  }

  spawn(
    side: Side,
    command: string,
    parameters: readonly string[],
    options: SpawnOptions = {},
  ): ChildProcess {
    const program = spawn(...this.command(side, command, parameters), options);
    this.#programs.add(program);
    program.on('exit', () => this.#programs.delete(program));
    return program;
  }

  async update(link: LinkChoice, options: LinkOptions): Promise<void> {
    await this.#ask({ do: 'update', link, options });
  }

  async blackout(link: LinkChoice, durationMs: number): Promise<void> {
    await this.#ask({ do: 'blackout', link, durationMs });
  }

  async play(steps: readonly ScenarioStep[]): Promise<void> {
    await this.#ask({ do: 'play', steps });
  }

  async statistics(): Promise<EmulatorStatistics> {
    const reply = await this.#ask({ do: 'statistics' });
    if (reply.type !== 'statistics') throw new Error(`the emulator answers ${reply.type}`);
    return reply.statistics;
  }

  async clearLateness(): Promise<void> {
    await this.#ask({ do: 'clear-lateness' });
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    this.#child.stdin?.end();
    await this.closed.catch(() => {});
  }

  #next(): Promise<Reply> {
    return new Promise((resolve) => {
      if (this.#isOver) resolve({ type: 'refused', reason: 'the emulator has ended' });
      else this.#waiting.push(resolve);
    });
  }

  async #ask(request: Request): Promise<Reply> {
    refuseWhatJsonLoses(request, request.do);
    const answer = this.#next();
    this.#child.stdin?.write(`${JSON.stringify(request)}\n`);
    const reply = await answer;
    if (reply.type === 'refused') throw new RangeError(reply.reason);
    return reply;
  }
}

/** Starts a path. Rejects with an Error that says in one line why it cannot. */
export async function startEmulator(options: EmulatorOptions): Promise<Emulator> {
  const libc = loadLibC();
  if (typeof libc === 'string') throw new Error(libc);
  const emulator = new EmulatorProcess({ network: options.network, seed: options.seed ?? 1 });
  await emulator.start();
  return emulator;
}

/** Why no path can be emulated here, in one line; undefined when one can. Tries it. */
export async function emulatorObstacle(): Promise<string | undefined> {
  try {
    const emulator = await startEmulator({ network: symmetric({}) });
    await emulator.close();
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}
