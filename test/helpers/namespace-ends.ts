/**
 * Two ends of a call in network namespaces of their own, joined by cables (veth pairs) that a test pulls. Linux and root.
 * In: roles, `ip` commands. Out: programs (`moving-end.ts`), and what they said.
 */
import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { expect } from 'vitest';

const END = fileURLToPath(new URL('./moving-end.ts', import.meta.url));
const TSX = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
/** In a namespace of its own every port is free. */
export const PORT = 9000;

/** Why no such test can run here, if none can. */
export function obstacleToNamespaces(): string | undefined {
  if (process.platform !== 'linux') return 'Linux only';
  if (process.getuid?.() !== 0) return 'root only';
  const { status } = spawnSync('unshare', [
    '--net',
    'ip',
    'link',
    'add',
    'one',
    'type',
    'veth',
    'peer',
    'two',
  ]);
  return status === 0 ? undefined : 'no namespaces or no veth devices here';
}

type Program = ChildProcessByStdio<Writable, Readable, Readable>;

/** A program in a namespace of its own, and what it has said. */
export class End {
  readonly program: Program;
  readonly said: Record<string, unknown>[] = [];
  /** How often it found no socket to be had. */
  withoutSocket = 0;
  #stderr = '';

  constructor(role: 'listen' | 'call') {
    const parameters = ['--net', process.execPath, '--import', TSX, END, role];
    const env = { ...process.env, NODE_DEBUG: 'millrace' };
    this.program = spawn('unshare', parameters, { stdio: ['pipe', 'pipe', 'pipe'], env });
    createInterface({ input: this.program.stdout }).on('line', (line) => this.said.push(JSON.parse(line)));
    createInterface({ input: this.program.stderr }).on('line', (line) => {
      if (line.includes('no second socket')) this.withoutSocket++;
      else this.#stderr += `${line}\n`;
    });
  }

  /** Runs `ip` in its namespace. */
  ip(line: string): void {
    const parameters = ['--net', `--target=${this.program.pid}`, 'ip', ...line.split(' ')];
    const { status, stderr } = spawnSync('nsenter', parameters, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`ip ${line}: ${stderr}`);
  }

  /** The newest that it said of `key`. @throws if it has ended. */
  last(key: string): unknown {
    const { exitCode, signalCode } = this.program;
    if (exitCode !== null || signalCode !== null)
      throw new Error(`it ended with ${exitCode ?? signalCode}:\n${this.#stderr}`);
    return this.said.findLast((record) => key in record)?.[key];
  }
}

const open: End[] = [];

/** For `afterEach`. */
export function endEnds(): void {
  for (const { program } of open.splice(0)) program.kill('SIGKILL');
}

/** Both ends, waiting to be told where the listener is. */
export async function startEnds(): Promise<{ caller: End; listener: End }> {
  const listener = new End('listen');
  const caller = new End('call');
  open.push(listener, caller);
  for (const end of [listener, caller]) await expect.poll(() => end.last('waiting')).toBe(true);
  listener.ip('link set lo up');
  return { caller, listener };
}

/** A call to `host`, with media and a stream under way in both directions. */
export async function call(caller: End, listener: End, host: string): Promise<void> {
  listener.program.stdin.write(`${host} ${PORT}\n`);
  await expect.poll(() => listener.last('listening')).toBe(PORT);
  caller.program.stdin.write(`${host} ${PORT}\n`);
  for (const end of [caller, listener]) {
    await expect.poll(() => end.last('bytes')).toBeGreaterThan(1_000);
    await expect.poll(() => end.last('seen')).toBeGreaterThan(1);
  }
}
