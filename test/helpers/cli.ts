/** The command line as child processes: dist/ brought up to date, programs started, their lines waited for. */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { mkdirSync, readdirSync, rmSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { root } from './checkout.ts';

export const MAIN: string = join(root, 'dist', 'cli', 'main.js');
/** Nothing here takes longer on a machine that works, however busy; shorter than a test's timeout, to say what hangs. */
const PATIENCE_MS = 120_000;
const BUILD_LOCK = join(root, '.tmp', 'e2e-build');

function newest(folder: string): number {
  let at = 0;
  for (const entry of readdirSync(folder, { recursive: true, encoding: 'utf8' })) {
    at = Math.max(at, statSync(join(folder, entry)).mtimeMs);
  }
  return at;
}

function isBuilt(): boolean {
  const built = statSync(MAIN, { throwIfNoEntry: false });
  return built !== undefined && built.mtimeMs >= newest(join(root, 'src'));
}

/** Builds dist/ unless it is newer than src/. Test files that run at the same time build it once. */
export async function buildCli(): Promise<void> {
  mkdirSync(join(root, '.tmp'), { recursive: true });
  let giveUpAt = Date.now() + PATIENCE_MS;
  while (!isBuilt()) {
    try {
      mkdirSync(BUILD_LOCK);
    } catch {
      if (Date.now() > giveUpAt) {
        rmSync(BUILD_LOCK, { recursive: true, force: true });
        giveUpAt = Date.now() + PATIENCE_MS;
      }
      await sleep(200);
      continue;
    }
    try {
      const { status, stdout, stderr } = spawnSync(process.execPath, ['scripts/build.mjs'], {
        cwd: root,
        encoding: 'utf8',
      });
      if (status !== 0) throw new Error(`the build failed:\n${stdout}${stderr}`);
    } finally {
      rmSync(BUILD_LOCK, { recursive: true, force: true });
    }
  }
}

export function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}

/** How a program ended. */
export interface Ended {
  readonly code: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stderr: string;
  readonly stdout: Buffer;
}

const running = new Set<Program>();

/** Ends what a failed test left running: for `afterEach`. */
export async function endPrograms(): Promise<void> {
  for (const program of running) program.kill('SIGKILL');
  await Promise.all([...running].map((program) => program.ended));
}

/** One running program. */
export class Program {
  readonly child: ChildProcessWithoutNullStreams;
  readonly ended: Promise<Ended>;
  readonly #what: string;
  readonly #stdout: Buffer[] = [];
  #stderr = '';
  #isOver = false;

  constructor(command: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.#what = [command, ...args].join(' ');
    this.child = spawn(command, args, { env: { ...process.env, ...env } });
    this.child.stdin.on('error', () => {});
    this.child.stdout.on('data', (bytes: Buffer) => this.#stdout.push(bytes));
    this.child.stderr.setEncoding('utf8').on('data', (text: string) => {
      this.#stderr += text;
    });
    running.add(this);
    this.ended = new Promise((resolve) => {
      this.child.on('close', (code, signal) => {
        this.#isOver = true;
        running.delete(this);
        resolve({ code, signal, stderr: this.#stderr, stdout: this.stdout });
      });
    });
  }

  get stdout(): Buffer {
    return Buffer.concat(this.#stdout);
  }

  get stderr(): string {
    return this.#stderr;
  }

  kill(signal: NodeJS.Signals): void {
    this.child.kill(signal);
  }

  /** Waits until stderr matches. Rejects when the program ends without it. */
  async says(pattern: RegExp, patienceMs: number = PATIENCE_MS): Promise<RegExpMatchArray> {
    const found = (): RegExpMatchArray | undefined => this.#stderr.match(pattern) ?? undefined;
    return this.#until(found, `stderr to match ${pattern}`, patienceMs);
  }

  /** Waits for that many bytes on stdout. */
  async writes(bytes: number): Promise<void> {
    await this.#until(() => (this.stdout.length >= bytes ? true : undefined), `${bytes} bytes on stdout`);
  }

  async #until<T>(
    condition: () => T | undefined,
    what: string,
    patienceMs: number = PATIENCE_MS,
  ): Promise<T> {
    const giveUpAt = Date.now() + patienceMs;
    for (;;) {
      const wasOver = this.#isOver;
      const found = condition();
      if (found !== undefined) return found;
      if (wasOver || Date.now() > giveUpAt) {
        throw new Error(
          `waited for ${what} of\n${this.#what}\nwhich ${wasOver ? 'ended' : 'runs'}, stderr:\n${this.#stderr}`,
        );
      }
      await sleep(20);
    }
  }

  /** Waits for the end; kills it when it takes for ever. */
  async end(): Promise<Ended> {
    const timer = setTimeout(() => this.kill('SIGKILL'), PATIENCE_MS);
    const ended = await this.ended;
    clearTimeout(timer);
    return ended;
  }
}

export const PASSPHRASE = 'correct horse battery';

/** A caller's five seconds are for people: the other end may still be starting on a busy machine. */
const CALL_TIMEOUT = ['--timeout', `${PATIENCE_MS}ms`];
const CALLERS: readonly (string | undefined)[] = ['send', 'receive', 'doctor'];

/**
 * Starts `millrace ARGS`, with the tests' passphrase in the environment unless `env` says otherwise, and with the tests'
 * patience unless `args` have a timeout.
 */
export function millrace(
  args: readonly string[],
  env: Readonly<Record<string, string>> = { MILLRACE_PASSPHRASE: PASSPHRASE },
): Program {
  const isPatient = CALLERS.includes(args[0]) && !args.some((arg) => /^--timeout\b|[?&]timeout=/.test(arg));
  return new Program(process.execPath, [MAIN, ...args, ...(isPatient ? CALL_TIMEOUT : [])], env);
}

/** The port of a listener that has started. */
export async function portOf(listener: Program): Promise<number> {
  return Number((await listener.says(/^LISTENING .*:(\d+)$/m))[1]);
}

/** The lines of stderr that tell of an error: exactly what a user would look for. */
export function errorLines(ended: Ended): readonly string[] {
  return ended.stderr.split('\n').filter((line) => line.startsWith('millrace: '));
}
