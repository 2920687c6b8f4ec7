/** F8: nobody answers. On loopback, and in a network namespace of its own where there is one. */
import { spawnSync } from 'node:child_process';
import { describe, expect, test } from 'vitest';
import { PASSPHRASE, ports } from './f08-ports.ts';

describe('F8: nobody answers', () => {
  // How long it takes is for `npm run test:failures`: here a busy machine may take its time.
  test.each(ports)('$name: the error says which of the two it is', async ({ run }) => {
    await expect(run()).resolves.toBeDefined();
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
