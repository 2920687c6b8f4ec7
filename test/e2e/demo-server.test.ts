/** The demo's server without a browser: what it says when it cannot start, whom it turns away, and what it leaves. */
import { readdirSync } from 'node:fs';
import { createServer, request } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, it, vi } from 'vitest';
import { WebSocket } from 'ws';
import { root } from '../helpers/checkout.ts';
import { endPrograms, Program } from '../helpers/cli.ts';
import { descendantsOf, isAlive } from '../helpers/processes.ts';

/** Three programs one after the other, on a machine that does other things too. */
const START_MS_MAX = 100_000;
vi.setConfig({ testTimeout: 300_000 });

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
  await program.says(/Ctrl-C ends the demo/, START_MS_MAX);
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
  for (const path of ['/../package.json', '/%2e%2e/package.json', '/..%2fpackage.json', '//package.json']) {
    expect(await statusOf(url, path), path).toBe(404);
  }
  for (const side of ['tcp', 'millrace']) {
    expect(await statusOf(url, `/clip/${side}`, { 'sec-fetch-site': 'cross-site' })).toBe(403);
    expect(await statusOf(url, `/clip/${side}`, { 'sec-fetch-site': 'same-origin' })).toBe(200);
  }
  for (const path of ['control', 'millrace/sender', 'tcp/receiver']) {
    const socket = new WebSocket(`${url.replace('http', 'ws')}${path}`, { origin: 'http://evil.example' });
    await new Promise<void>((resolve, reject) => {
      socket.on('open', () => reject(new Error(`${path} took a page of another site`)));
      socket.on('error', () => resolve());
    });
  }
  for (let i = 0; i < 20; i++) await resetUpgrade(Number(new URL(url).port));
  expect(await statusOf(url, '/')).toBe(200);
  const children = descendantsOf(program.child.pid as number);
  if (process.platform === 'linux') expect(children.length).toBeGreaterThanOrEqual(2);
  program.kill('SIGINT');
  const { code, stderr } = await program.end();
  expect(code).toBe(0);
  expect(stderr).not.toMatch(/has ended/);
  expect(folders().filter((name) => !before.includes(name))).toEqual([]);
  await expect.poll(() => children.filter(isAlive)).toEqual([]);
  await expect(reach(Number(new URL(url).port))).rejects.toThrow('ECONNREFUSED');
});

it('ends by itself after --duration, and its programs with it when it is killed', async () => {
  // Over the kernel's TCP where it can be had.
  const program = demo('--port', '0', '--network', 'auto', '--duration', '1');
  await program.says(/Ctrl-C ends the demo/, START_MS_MAX);
  const started = descendantsOf(program.child.pid as number);
  const { code } = await program.end();
  expect(code).toBe(0);
  await expect.poll(() => started.filter(isAlive)).toEqual([]);
  const killed = demo('--port', '0', '--network', 'model');
  await killed.says(/Ctrl-C ends the demo/, START_MS_MAX);
  const children = descendantsOf(killed.child.pid as number);
  killed.kill('SIGKILL');
  await killed.end();
  await expect.poll(() => children.filter(isAlive)).toEqual([]);
});

/** `fetch` would tidy the path. */
async function statusOf(
  url: string,
  path: string,
  headers: Readonly<Record<string, string>> = {},
): Promise<number | undefined> {
  return await new Promise((resolve, reject) => {
    request(url, { path, headers }, (response) => {
      resolve(response.statusCode);
      response.destroy();
    })
      .on('error', reject)
      .end();
  });
}

/** Asks for a WebSocket that there is not, and resets the connection before it hears so. */
async function resetUpgrade(port: number): Promise<void> {
  await new Promise<void>((resolve) => {
    const socket = connect(port, '127.0.0.1', () => {
      const lines = ['GET /nowhere HTTP/1.1', 'Host: x', 'Connection: Upgrade', 'Upgrade: websocket'];
      socket.write(`${lines.join('\r\n')}\r\n\r\n`, () => socket.resetAndDestroy());
    });
    socket.on('error', () => {}).on('close', () => resolve());
  });
}

async function reach(port: number): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    connect(port, '127.0.0.1').on('connect', resolve).on('error', reject);
  });
}
