import { type ChildProcess, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { STATS_KEYS } from '../../src/cli/stats.ts';

const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
const CLIP = fileURLToPath(new URL('../../demo/media/clip.mpegts', import.meta.url));

/** The program, run as people run it. */
class Program {
  readonly process: ChildProcess;
  readonly stdout: Buffer[] = [];
  stderr = '';
  readonly exit: Promise<number | null>;

  constructor(args: readonly string[], env: Record<string, string> = {}) {
    this.process = spawn(process.execPath, ['--import', 'tsx', MAIN, ...args], {
      env: { ...process.env, MILLRACE_PASSPHRASE: 'correct-horse-battery', ...env },
    });
    this.process.stdout?.on('data', (data: Buffer) => this.stdout.push(data));
    this.process.stderr?.on('data', (data: Buffer) => {
      this.stderr += data.toString();
    });
    this.process.stdin?.on('error', () => {});
    this.exit = new Promise((resolve) => this.process.on('close', (code) => resolve(code)));
    running.add(this);
  }

  async line(pattern: RegExp): Promise<string> {
    await expect.poll(() => pattern.test(this.stderr)).toBe(true);
    return pattern.exec(this.stderr)?.[1] ?? '';
  }

  get output(): Buffer {
    return Buffer.concat(this.stdout);
  }
}

const running = new Set<Program>();
let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-e2e-'));
});
afterEach(() => {
  for (const program of running) program.process.kill('SIGKILL');
  running.clear();
  rmSync(folder, { recursive: true });
});

async function listenFor(args: readonly string[]): Promise<{ program: Program; port: string }> {
  const program = new Program(args);
  return { program, port: await program.line(/LISTENING 127\.0\.0\.1:(\d+)/) };
}

const HERE = 'millrace://127.0.0.1:0/x?mode=listen';

describe('the command line', () => {
  test('carries a file whole through 3 % loss with --pace off, from a caller to a listener', async () => {
    const bytes = randomBytes(2_000_000);
    writeFileSync(join(folder, 'in.bin'), bytes);
    const out = join(folder, 'out.bin');
    const receiver = await listenFor(['receive', HERE, `file:${out}`, '--inject', 'loss=3%,seed=1']);
    const sender = new Program([
      'send',
      `file:${join(folder, 'in.bin')}`,
      `millrace://127.0.0.1:${receiver.port}/x`,
      '--framing',
      'raw',
      '--pace',
      'off',
      '--inject',
      'loss=3%,reorder=1%,duplicate=1%,seed=2',
    ]);
    expect([await sender.exit, await receiver.program.exit], sender.stderr + receiver.program.stderr).toEqual(
      [0, 0],
    );
    expect(readFileSync(out).equals(bytes)).toBe(true);
    expect(existsSync(`${out}.part`)).toBe(false);
  });

  test('carries a clip from a listening sender to stdout of a caller, and keeps the statistics promised', async () => {
    const stats = join(folder, 'stats.jsonl');
    const sender = await listenFor([
      'send',
      `file:${CLIP}`,
      HERE,
      '--pace',
      'off',
      '--stats',
      '100ms',
      '--stats-json',
      `file:${stats}`,
    ]);
    const receiver = new Program(['receive', `millrace://127.0.0.1:${sender.port}/x`, '-']);
    expect([await receiver.exit, await sender.program.exit], receiver.stderr + sender.program.stderr).toEqual(
      [0, 0],
    );
    expect(receiver.output.equals(readFileSync(CLIP))).toBe(true);
    expect(receiver.stderr).toContain(`READY 127.0.0.1:${sender.port}`);
    const lines = readFileSync(stats, 'utf8')
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(Object.keys(lines[0]).slice(0, STATS_KEYS.length)).toEqual([...STATS_KEYS]);
    expect(lines.map((line) => line.final === true)).toEqual(lines.map((_, i) => i === lines.length - 1));
  });

  test('keeps u32 frames apart, empty ones too, from stdin to stdout', async () => {
    const receiver = await listenFor(['receive', HERE, '-', '--framing', 'u32']);
    const sender = new Program([
      'send',
      '-',
      `millrace://127.0.0.1:${receiver.port}/x`,
      '--framing',
      'u32',
      '--pace',
      'off',
    ]);
    const frames = [0, 1, 1000, 70_000, 0, 5].map((size, i) => {
      const frame = Buffer.alloc(4 + size, i);
      frame.writeUInt32BE(size);
      return frame;
    });
    sender.process.stdin?.end(Buffer.concat(frames));
    expect([await sender.exit, await receiver.program.exit], sender.stderr + receiver.program.stderr).toEqual(
      [0, 0],
    );
    expect(receiver.program.output.equals(Buffer.concat(frames))).toBe(true);
  });

  test('refuses a second publisher as busy, and ends both ends with 0 on SIGINT', async () => {
    const receiver = await listenFor(['receive', HERE, 'test:']);
    const target = `millrace://127.0.0.1:${receiver.port}/x`;
    const first = new Program(['send', 'test:?bitrate=500k', target]);
    await first.line(/READY/);
    await receiver.program.line(/READY/);
    const second = new Program(['send', 'test:', target]);
    expect(await second.exit).toBe(1);
    expect(second.stderr).toMatch(/^millrace: ERR_MILLRACE_BUSY: .+\n$/);
    first.process.kill('SIGINT');
    expect(await first.exit).toBe(0);
    expect(await receiver.program.exit).toBe(0);
  });

  test('says in one line what went wrong, with its exit code', async () => {
    const receiver = await listenFor(['receive', HERE, 'udp://127.0.0.1:9']);
    const target = `millrace://127.0.0.1:${receiver.port}/x`;
    const cases: [Program, number, RegExp][] = [
      [
        new Program(['send', 'test:', target], { MILLRACE_PASSPHRASE: 'another-one-altogether' }),
        1,
        /ERR_MILLRACE_PASSPHRASE/,
      ],
      [new Program(['send', 'test:', target.replace('/x', '/y')]), 1, /ERR_MILLRACE_REJECTED/],
      [new Program(['send', `file:${folder}/none.ts`, target]), 1, /ERR_MILLRACE_IO: .*no such file/],
      [new Program(['send', 'test:', 'millrace://127.0.0.1:9/x']), 1, /ERR_MILLRACE_(REFUSED|TIMEOUT)/],
      [new Program(['receive', 'millrace://:0', '-'], { MILLRACE_PASSPHRASE: '' }), 2, /--passphrase-file/],
      [new Program(['send', 'test:', target, '--bitrate', 'fast']), 2, /4M/],
    ];
    for (const [program, code, says] of cases) {
      expect(await program.exit, program.stderr).toBe(code);
      expect(program.stderr).toMatch(says);
      expect(program.stderr.trim().split('\n')).toHaveLength(1);
    }
    receiver.program.process.kill('SIGTERM');
    expect(await receiver.program.exit).toBe(0);
  });
});
