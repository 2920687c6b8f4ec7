/**
 * The programs of one run at the two ends of an emulated path: started in order, watched, ended together. In: a plan.
 * Out: the stdin and stdout that carry frames, what was said, what it cost.
 */
import type { ChildProcess } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { Readable, type Writable } from 'node:stream';
import type { Plan, Program } from './adapters/adapter.ts';
import type { Emulator } from './emulator/emulator.ts';
import type { Side } from './emulator/messages.ts';
import { makePunctual } from './native.ts';

/** A loaded machine may take long to start Node; a hundred round trips lie in it as well. */
const READY_MS_MAX = 30_000;
const ENCODER_FD = 3;
const STDERR_CHARACTERS_MAX = 100_000;
/** USER_HZ, which Linux has had at this value for all programs since 2.6. */
const TICKS_PER_SECOND = 100;

/** Processor seconds, user and system, of both ends. */
export type Cost = Readonly<Record<Side, number>>;

/** Seconds of processor time that a process has used with all of its threads; 0 when it is gone. */
function processorSeconds(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'latin1')
      .replace(/^.*\) /, '')
      .split(' ');
    return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
  } catch {
    return 0;
  }
}

/** One running program. */
export class Running {
  /** Real-time priority of every program once it is ready; 0: the usual one. */
  static priority = 0;
  readonly program: Program;
  readonly child: ChildProcess;
  /** Called for every line on stderr. */
  onLine: (line: string) => void = () => {};
  /** Called for every line to an encoder. */
  onNews: (line: string) => void = () => {};
  /** How it ended, undefined while it runs. */
  ending: string | undefined;
  #stderr = '';
  #line = '';
  #check: () => void = () => {};

  constructor(emulator: Emulator, program: Program) {
    const { side, command, parameters, env = {}, tellsEncoder = false } = program;
    this.program = program;
    this.child = emulator.spawn(side, command, parameters, {
      stdio: ['pipe', 'pipe', 'pipe', ...(tellsEncoder ? (['pipe'] as const) : [])],
      env: { ...process.env, ...env },
    });
    this.child.stdin?.on('error', () => {});
    this.child.stderr?.setEncoding('utf8').on('data', (text: string) => this.#onStderr(text));
    const news = this.child.stdio[ENCODER_FD];
    if (news instanceof Readable) createInterface(news).on('line', (line) => this.onNews(line));
    this.child.on('error', (error) => this.#onEnd(error.message));
    this.child.on('exit', (code, signal) => this.#onEnd(signal ?? `exit code ${code}`));
  }

  get name(): string {
    const { command, parameters } = this.program;
    return parameters.find((parameter) => /\.ts$/.test(parameter))?.replace(/^.*\//, '') ?? command;
  }

  /** What it said last, for messages. */
  get lastWords(): string {
    return this.#stderr.trim().split('\n').slice(-3).join(' | ');
  }

  /** Waits for its ready line, which it gives back; '' when it has none. */
  async ready(): Promise<string> {
    const line = await this.#ready();
    if (Running.priority > 0) makePunctual(this.child.pid ?? -1, Running.priority);
    return line;
  }

  async #ready(): Promise<string> {
    const { ready } = this.program;
    if (typeof ready === 'number') {
      await new Promise((resolve) => setTimeout(resolve, ready));
      return '';
    }
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        reject(new Error(`${this.name} is not ready after ${READY_MS_MAX / 1e3} s: ${this.lastWords}`));
      }, READY_MS_MAX);
      this.#check = () => {
        const line = this.#stderr.match(ready)?.[0];
        if (line === undefined && this.ending === undefined) return;
        clearTimeout(timer);
        this.#check = () => {};
        if (line === undefined) reject(new Error(`${this.name} ended (${this.ending}): ${this.lastWords}`));
        else resolve(line);
      };
      this.#check();
    });
  }

  #onStderr(text: string): void {
    this.#stderr = (this.#stderr + text).slice(-STDERR_CHARACTERS_MAX);
    const lines = (this.#line + text).split('\n');
    this.#line = lines.pop() ?? '';
    for (const line of lines) this.onLine(line);
    this.#check();
  }

  #onEnd(how: string): void {
    this.ending ??= how;
    this.#check();
  }
}

/** All programs of a run. */
export class Programs {
  readonly receiver: Running;
  readonly sender: Running;
  readonly #all: readonly Running[];

  private constructor(all: readonly Running[]) {
    this.#all = all;
    this.receiver = all[0] as Running;
    this.sender = all.at(-1) as Running;
  }

  /**
   * Starts a plan's programs one after the other, each when the one before is ready.
   * @param watch Sees each program before it can have said anything.
   * @throws Error when one does not get ready, or the sender is not what was planned.
   */
  static async start(emulator: Emulator, plan: Plan, watch: (program: Running) => void): Promise<Programs> {
    const all: Running[] = [];
    let line = '';
    for (const program of [plan.receiver, ...plan.gateways, plan.sender]) {
      const running = new Running(emulator, program);
      watch(running);
      all.push(running);
      line = await running.ready();
    }
    const difference = plan.confirm?.(line);
    if (difference !== undefined) throw new Error(difference);
    return new Programs(all);
  }

  get input(): Writable {
    return this.sender.child.stdin as Writable;
  }

  get output(): Readable {
    return this.receiver.child.stdout as Readable;
  }

  /** Processor time of the transport's programs so far. */
  cost(): Cost {
    const sum = (side: Side): number =>
      this.#all
        .filter(({ program }) => program.isTransport && program.side === side)
        .reduce((total, { child }) => total + processorSeconds(child.pid ?? -1), 0);
    return { client: sum('client'), server: sum('server') };
  }

  /** What has ended although nobody asked it to, one sentence each. */
  faults(): string[] {
    return this.#all
      .filter((running) => running.ending !== undefined)
      .map((running) => `${running.name} ended (${running.ending}): ${running.lastWords}`);
  }

  kill(): void {
    for (const { child } of this.#all) child.kill('SIGKILL');
  }
}
