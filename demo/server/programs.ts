/**
 * The sender and receiver programs as children of the demo: started, watched, and ended with it, however it ends.
 * In: what to start. Out: when it is ready, and a line when one ends that should not.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { setPriority } from 'node:os';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** Ends the program when its stdin ends: that is, with us. */
const WITH_PARENT = new URL('./with-parent.mjs', import.meta.url).href;
/** A program on a machine that works has started by then, however busy. */
const START_MS_MAX = 30_000;
const END_MS_MAX = 2_000;

/** A step below what only the system itself uses. */
const PRIORITY = -10;

/**
 * On a real path sender, network and receiver are machines of their own. Here they share one with a browser that encodes
 * and decodes four pictures at once: where we may, they go before it, or its work would look like a queue on the path.
 * What such a process starts later is ordinary again.
 */
export function goFirst(pid: number): void {
  try {
    setPriority(pid, PRIORITY);
  } catch {
    // Only root may.
    return;
  }
  // A turn in real time, as routers and interrupt handlers have it. Not on every system; the priority holds all the same.
  if (process.platform === 'linux') {
    spawn('chrt', ['--reset-on-fork', '--rr', '--pid', '1', `${pid}`], { stdio: 'ignore' }).on(
      'error',
      () => {},
    );
  }
}

export interface SenderOptions {
  /** Where it serves its media socket. */
  readonly serve: string;
  readonly latencyMs: number;
  readonly mostBps: number;
}

/** The command line that runs a command elsewhere, such as in a namespace. */
export type Place = (command: string, parameters: readonly string[]) => readonly [string, readonly string[]];

const HERE: Place = (command, parameters) => [command, parameters];

/** A program that is ready. */
export interface Started {
  readonly child: ChildProcess;
  /** What it said. */
  readonly match: RegExpMatchArray;
}

interface Running {
  readonly child: ChildProcess;
  readonly ended: Promise<void>;
}

export class Programs {
  /** Told what happened, in one line, when a program ends by itself. */
  onProblem: (text: string) => void = () => {};
  readonly #passphrase: string;
  readonly #running: Running[] = [];
  #isClosing = false;

  constructor(passphrase: string) {
    this.#passphrase = passphrase;
  }

  /** @returns The UDP port that it listens on. */
  async startReceiver(host: string, serve: string, place: Place = HERE): Promise<number> {
    const args = ['--host', host, '--port', '0', '--serve', serve];
    const { match } = await this.start('demo/receiver.ts', args, /^LISTENING .*:(\d+)$/m, place);
    return Number(match[1]);
  }

  /** Returns when it has connected. */
  async startSender(target: string, options: SenderOptions, place: Place = HERE): Promise<void> {
    const { serve, latencyMs, mostBps } = options;
    const args = [target, '--serve', serve, '--latency', `${latencyMs}`, '--max-bitrate', `${mostBps}`];
    await this.start('demo/sender.ts', args, /^connected to /m, place);
  }

  /**
   * Starts a script of this demo.
   *
   * @param ready What its stderr says once it can be used.
   * @param place Where it runs.
   */
  async start(script: string, args: readonly string[], ready: RegExp, place: Place = HERE): Promise<Started> {
    const parameters = ['--import', 'tsx', '--import', WITH_PARENT, script, ...args];
    const [command, all] = place(process.execPath, parameters);
    const child = spawn(command, all, {
      cwd: ROOT,
      stdio: ['pipe', 'ignore', 'pipe'],
      env: { ...process.env, MILLRACE_PASSPHRASE: this.#passphrase },
    });
    child.stdin?.on('error', () => {});
    let lines = '';
    const ended = new Promise<void>((resolve) => {
      child.once('error', () => resolve());
      child.once('close', () => resolve());
    });
    this.#running.push({ child, ended });
    return await new Promise((resolve, reject) => {
      const fail = (why: string): void =>
        reject(new Error(`${script} ${why}: ${lines.trim() || 'no message'}`));
      const timer = setTimeout(() => fail(`has not started in ${START_MS_MAX / 1_000} s`), START_MS_MAX);
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        // Only the end matters: a program that talks for days fills no memory.
        lines = (lines + text).slice(-2_000);
        const match = lines.match(ready);
        if (match === null) return;
        clearTimeout(timer);
        // Not before: it starts no faster for the cost of everybody else.
        if (child.pid !== undefined) goFirst(child.pid);
        resolve({ child, match });
      });
      void ended.then(() => {
        clearTimeout(timer);
        fail('has ended');
        const last = lines.trim().split('\n').at(-1) ?? '';
        if (!this.#isClosing) this.onProblem(`${script} has ended: ${last}`);
      });
    });
  }

  /** Asks every program to end, and makes sure that it has. */
  async close(): Promise<void> {
    this.#isClosing = true;
    for (const { child } of this.#running) child.kill('SIGTERM');
    const timer = setTimeout(() => {
      for (const { child } of this.#running) child.kill('SIGKILL');
    }, END_MS_MAX);
    await Promise.all(this.#running.map(({ ended }) => ended));
    clearTimeout(timer);
  }
}
