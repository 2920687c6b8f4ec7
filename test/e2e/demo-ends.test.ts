/** The sender and the receiver of the demo as programs of their own: what they say when they cannot start. */
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, it } from 'vitest';
import { root } from '../helpers/checkout.ts';
import { type Ended, endPrograms, PASSPHRASE, Program } from '../helpers/cli.ts';

const folder = mkdtempSync(join(tmpdir(), 'millrace-ends-'));
afterEach(endPrograms);
afterAll(() => rmSync(folder, { recursive: true }));

async function run(name: 'sender' | 'receiver', args: readonly string[]): Promise<Ended> {
  const script = ['--import', 'tsx', join(root, `demo/${name}.ts`)];
  const env = { MILLRACE_PASSPHRASE: PASSPHRASE };
  return await new Program(process.execPath, [...script, ...args], env).end();
}

const page = ['--serve', `unix:${join(folder, 'page')}`];

it.each([
  ['sender', ['http://127.0.0.1/', ...page], 2, /; --help lists the options$/],
  ['receiver', ['--colour', 'red'], 2, /^Unknown option '--colour'; --help lists the options$/],
  [
    'receiver',
    ['--host', '192.0.2.1', '--port', '0', ...page],
    1,
    /192\.0\.2\.1:0 is no address of this machine/,
  ],
] as const)('%s %j ends with one line that says why', async (name, args, exitCode, message) => {
  const { code, stderr } = await run(name, args);
  expect(stderr.trim()).toMatch(message);
  expect(stderr).not.toMatch(/^ {4}at /m);
  expect(code).toBe(exitCode);
});

it('a page whose port is in use is one line that says what to do', async () => {
  const other = createServer();
  await new Promise<void>((resolve) => {
    other.listen(0, '127.0.0.1', resolve);
  });
  const { port } = other.address() as AddressInfo;
  const { code, stderr } = await run('receiver', ['--port', '0', '--serve', `127.0.0.1:${port}`]);
  other.close();
  expect(stderr.trim()).toBe(
    `port ${port} is in use by another program; choose one with an option, see --help`,
  );
  expect(code).toBe(1);
});
