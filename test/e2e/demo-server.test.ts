/** The demo's server without a browser: what it says when it cannot start, whom it turns away, and what it leaves. */
import { readdirSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { WebSocket } from 'ws';
import { root } from '../helpers/checkout.ts';
import { endPrograms, Program } from '../helpers/cli.ts';

afterEach(endPrograms);

function demo(...args: readonly string[]): Program {
  return new Program(process.execPath, [
    '--import',
    'tsx',
    join(root, 'demo/server.ts'),
    '--no-open',
    ...args,
  ]);
}

/** What the demo has in the folder for temporary files. */
function folders(): readonly string[] {
  return readdirSync(tmpdir()).filter((name) => name.startsWith('millrace-demo-'));
}

/** Programs whose parent is this one; none where there is no /proc. */
function childrenOf(pid: number): readonly number[] {
  if (process.platform !== 'linux') return [];
  return readdirSync('/proc').flatMap((entry) => {
    if (!/^\d+$/.test(entry)) return [];
    try {
      const status = readFileSync(`/proc/${entry}/status`, 'utf8');
      return new RegExp(`^PPid:\\t${pid}$`, 'm').test(status) ? [Number(entry)] : [];
    } catch {
      return [];
    }
  });
}

it('a port in use is one line that says what to do', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => {
    other.listen(0, '127.0.0.1', resolve);
  });
  const { port } = other.address() as AddressInfo;
  const { code, stderr } = await demo('--port', `${port}`).end();
  other.close();
  expect(code).toBe(1);
  expect(stderr.trim()).toBe(
    `port ${port} is in use by another program; choose one with --port, or any with --port 0`,
  );
});

it.each([
  [['--port', 'x'], /--port is from 0 to 65535/],
  [['--network', 'carrier-pigeon'], /--network is auto, kernel, model/],
  [['--no-such-option'], /--no-such-option/],
])('%j is wrong usage', async (args, message) => {
  const { code, stderr } = await demo(...args).end();
  expect(code).toBe(2);
  expect(stderr).toMatch(message);
  expect(stderr).not.toMatch(/^ {4}at /m);
});

it('serves the page, turns other sites away, and leaves nothing behind after Ctrl-C', async () => {
  const before = folders();
  const program = demo('--port', '0', '--network', 'model');
  await program.says(/Ctrl-C ends the demo/);
  const url = program.stdout.toString().trim();
  expect(url).toMatch(/^http:\/\/127\.0\.0\.1:\d+\/$/);
  for (const [path, type] of [
    ['', 'text/html'],
    ['app.js', 'text/javascript'],
    ['worker.js', 'text/javascript'],
    ['style.css', 'text/css'],
  ]) {
    const response = await fetch(`${url}${path}`);
    expect(response.status).toBe(200);
    expect(response.headers.get('content-type')).toContain(type);
    expect((await response.text()).length).toBeGreaterThan(1_000);
  }
  expect((await fetch(`${url}../package.json`)).status).toBe(404);
  for (const path of ['control', 'millrace/sender', 'tcp/receiver']) {
    const socket = new WebSocket(`${url.replace('http', 'ws')}${path}`, { origin: 'http://evil.example' });
    await new Promise<void>((resolve, reject) => {
      socket.on('open', () => reject(new Error(`${path} took a page of another site`)));
      socket.on('error', () => resolve());
    });
  }
  const children = childrenOf(program.child.pid as number);
  if (process.platform === 'linux') expect(children.length).toBeGreaterThanOrEqual(2);
  program.kill('SIGINT');
  const { code, stderr } = await program.end();
  expect(code).toBe(0);
  expect(stderr).not.toMatch(/has ended/);
  expect(folders().filter((name) => !before.includes(name))).toEqual([]);
  await expect.poll(() => children.filter(isAlive), { timeout: 10_000 }).toEqual([]);
  await expect(reach(Number(new URL(url).port))).rejects.toThrow('ECONNREFUSED');
});

it('ends by itself after --duration, and its programs with it when it is killed', async () => {
  // Over the kernel's TCP where it can be had.
  const program = demo('--port', '0', '--network', 'auto', '--duration', '1');
  await program.says(/Ctrl-C ends the demo/);
  const started = childrenOf(program.child.pid as number);
  const { code } = await program.end();
  expect(code).toBe(0);
  await expect.poll(() => started.filter(isAlive), { timeout: 10_000 }).toEqual([]);
  const killed = demo('--port', '0', '--network', 'model');
  await killed.says(/Ctrl-C ends the demo/);
  const children = childrenOf(killed.child.pid as number);
  killed.kill('SIGKILL');
  await killed.end();
  await expect.poll(() => children.filter(isAlive), { timeout: 10_000 }).toEqual([]);
});

function isAlive(pid: number): boolean {
  try {
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

async function reach(port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    connect(port, '127.0.0.1').on('connect', resolve).on('error', reject);
  });
}
