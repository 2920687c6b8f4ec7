/** A measurement without a browser: one command shows the whole way, and every byte comes through. */
import { join } from 'node:path';
import { afterEach, expect, it } from 'vitest';
import { root } from '../helpers/checkout.ts';
import { endPrograms, Program } from '../helpers/cli.ts';

afterEach(endPrograms);

it('npm run demo:check carries the clip across 5 % loss in both directions, and says what it took', async () => {
  // A minute of latency: a machine that stands still for seconds looks like a bad path, and must not make frames late.
  const args = ['--import', 'tsx', join(root, 'demo/run.ts'), '--latency', '60000'];
  const { code, stdout, stderr } = await new Program(process.execPath, args).end();
  const summary = stdout.toString();
  expect(code, summary + stderr).toBe(0);
  expect(summary).toMatch(/^bytes +all 1755356 identical$/m);
  for (const row of [
    /^latency +p50 .* ms, p95 .* p99 /m,
    /^lost on the path +[1-9]/m,
    /^overhead +headers /m,
  ]) {
    expect(summary).toMatch(row);
  }
  expect(summary).toMatch(
    /^media frames +1557: \d+ on time at once, \d+ repaired by FEC, \d+ by resending, 0 late, 0 lost$/m,
  );
  expect(stderr).toMatch(/ s {2}frames /);
});
