/**
 * F8: a reset because nothing listened on the port. Here a closed port fails at once and says so, a silent host at the
 * timeout with another error; on loopback, and in a network namespace of its own where there is one.
 */
import { spawnSync } from 'node:child_process';
import { createSocket } from 'node:dgram';
import { describe, expect, test } from 'vitest';
import { connect } from '../../src/node/connect.ts';
import { freePort } from '../helpers/free-port.ts';

const PASSPHRASE = 'correct horse battery';

async function codeOf(port: number, timeout: number): Promise<{ code: string; tookMs: number }> {
  const startedAt = performance.now();
  const error = await connect({ host: '127.0.0.1', port }, { passphrase: PASSPHRASE, timeout }).then(
    () => new Error('it connected'),
    (reason: Error & { code: string }) => reason,
  );
  return { code: (error as { code?: string }).code ?? error.message, tookMs: performance.now() - startedAt };
}

async function boundPort(): Promise<{ port: number; close: () => void }> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
  return { port: socket.address().port, close: () => socket.close() };
}

describe('F8: nobody answers', () => {
  test('a closed port is refused before the timeout, with an error that says so', async () => {
    const { code } = await codeOf(await freePort(), 60_000);
    expect(code).toBe('ERR_MILLRACE_REFUSED');
  });

  test('a silent host fails at the timeout, with another error', async () => {
    const { port, close } = await boundPort();
    const { code, tookMs } = await codeOf(port, 300);
    close();
    expect(code).toBe('ERR_MILLRACE_TIMEOUT');
    expect(tookMs).toBeGreaterThanOrEqual(290);
  });

  const hasNamespaces = spawnSync('unshare', ['--net', 'true']).status === 0;
  test.skipIf(!hasNamespaces)('both, in a network namespace (skipped where none may be made)', () => {
    const script = `
      import { connect } from './src/node/connect.ts';
      const codes = [];
      for (const host of ['127.0.0.1', '10.9.0.2']) {
        await connect({ host, port: 9 }, { passphrase: '${PASSPHRASE}', timeout: host === '127.0.0.1' ? 60_000 : 500 }).catch((e) => codes.push(e.code));
      }
      console.log(codes.join(' '));
      process.exit(0);`;
    // What goes to a foreign address by the loopback interface comes back, is for nobody, and vanishes without a word.
    const shell =
      'ip link set lo up && ip route add 10.9.0.0/24 dev lo && exec node --import tsx --input-type=module -e "$0"';
    const ended = spawnSync('unshare', ['--net', 'sh', '-c', shell, script], { encoding: 'utf8' });
    expect(ended.stdout.trim(), ended.stderr).toBe('ERR_MILLRACE_REFUSED ERR_MILLRACE_TIMEOUT');
  });
});
