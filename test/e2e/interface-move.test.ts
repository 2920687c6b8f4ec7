/**
 * A call outlives the interface that it began on: its cable is pulled, another network comes up, and the call goes on from
 * there by itself. Two network namespaces joined by two cables (veth pairs); Linux and root, and otherwise not run.
 */
import { type ChildProcessByStdio, spawn, spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { afterEach, describe, expect, test } from 'vitest';

const END = fileURLToPath(new URL('../helpers/moving-end.ts', import.meta.url));
const TSX = pathToFileURL(createRequire(import.meta.url).resolve('tsx')).href;
/** The listener's address, that of no cable: it can be reached over either. */
const LISTENER = '10.77.0.1';
/** In a namespace of its own every port is free. */
const PORT = 9000;

function obstacle(): string | undefined {
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

const why = obstacle();
const NAME = why === undefined ? 'a call' : `a call (not here: ${why})`;

type Program = ChildProcessByStdio<Writable, Readable, null>;

/** A program in a namespace of its own, and what it has said. */
class End {
  readonly program: Program;
  readonly said: Record<string, unknown>[] = [];

  constructor(role: 'listen' | 'call') {
    const parameters = ['--net', process.execPath, '--import', TSX, END, role];
    this.program = spawn('unshare', parameters, { stdio: ['pipe', 'pipe', 'inherit'] });
    createInterface({ input: this.program.stdout }).on('line', (line) => this.said.push(JSON.parse(line)));
  }

  /** Runs `ip` in its namespace. */
  ip(line: string): void {
    const parameters = ['--net', `--target=${this.program.pid}`, 'ip', ...line.split(' ')];
    const { status, stderr } = spawnSync('nsenter', parameters, { encoding: 'utf8' });
    if (status !== 0) throw new Error(`ip ${line}: ${stderr}`);
  }

  /** The newest that it said of `key`. */
  last(key: string): unknown {
    return this.said.findLast((record) => key in record)?.[key];
  }
}

const open: End[] = [];
afterEach(() => {
  for (const { program } of open.splice(0)) program.kill('SIGKILL');
});

function start(role: 'listen' | 'call'): End {
  const end = new End(role);
  open.push(end);
  return end;
}

/** A cable between both: network 10.77.`net`.0, the caller 1, the listener 2. */
function plug(caller: End, listener: End, net: number): void {
  const name = `cable${net}`;
  caller.ip(`link add ${name} type veth peer name ${name} netns ${listener.program.pid}`);
  for (const [end, host] of [
    [caller, 1],
    [listener, 2],
  ] as const) {
    end.ip(`addr add 10.77.${net}.${host}/24 dev ${name}`);
    end.ip(`link set ${name} up`);
  }
  caller.ip(`route add ${LISTENER} via 10.77.${net}.2`);
}

/** A call over the first cable, with a stream under way. */
async function makeCall(): Promise<{ caller: End; listener: End }> {
  const listener = start('listen');
  const caller = start('call');
  for (const end of [listener, caller]) await expect.poll(() => end.last('waiting')).toBe(true);
  listener.ip('link set lo up');
  listener.ip(`addr add ${LISTENER}/32 dev lo`);
  plug(caller, listener, 1);
  listener.program.stdin.write(`${LISTENER} ${PORT}\n`);
  await expect.poll(() => listener.last('listening')).toBe(PORT);
  caller.program.stdin.write(`${LISTENER} ${PORT}\n`);
  await expect.poll(() => listener.last('bytes')).toBeGreaterThan(1_000);
  return { caller, listener };
}

describe.skipIf(why !== undefined)(NAME, () => {
  test('goes on over another interface when the address of its own is gone, and a stream loses nothing', async () => {
    const { caller, listener } = await makeCall();
    expect(listener.last('connected')).toBe('10.77.1.1');

    caller.ip('link delete cable1');
    const before = Number(listener.last('bytes'));
    plug(caller, listener, 2);
    await expect.poll(() => listener.last('moved')).toBe('10.77.2.1');
    await expect.poll(() => listener.last('bytes')).toBeGreaterThan(before + 1_000);
    expect(caller.last('moved')).toBe(LISTENER);
  });

  test('goes on when its interface is given another address', async () => {
    const { caller, listener } = await makeCall();

    caller.ip('addr delete 10.77.1.1/24 dev cable1');
    caller.ip('addr add 10.77.1.9/24 dev cable1');
    caller.ip(`route replace ${LISTENER} via 10.77.1.2`);
    const before = Number(listener.last('bytes'));
    await expect.poll(() => listener.last('moved')).toBe('10.77.1.9');
    await expect.poll(() => listener.last('bytes')).toBeGreaterThan(before + 1_000);
  });
});
