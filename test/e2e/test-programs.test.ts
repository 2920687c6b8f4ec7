/** The programs of `npm run` that test at length: one line where something is asked for that there is not. */
import { spawnSync } from 'node:child_process';
import { expect, test } from 'vitest';
import { root } from '../helpers/checkout.ts';

const PROGRAMS: readonly (readonly [script: string, file: string])[] = [
  ['test:failures', 'test/failures/run.ts'],
  ['soak', 'test/failures/soak.ts'],
  ['soak:spin', 'test/soak/run.ts'],
  ['fuzz', 'test/fuzz/run.ts'],
];

function run(file: string, ...args: string[]): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, ['--import', 'tsx', file, ...args], { cwd: root, encoding: 'utf8' });
}

test.each(PROGRAMS)(
  'npm run %s says of an option that it does not have that it has it not',
  (script, file) => {
    const { status, stdout, stderr } = run(file, '--nosuchoption');
    expect(stdout).toBe('');
    expect(stderr).toMatch(/^Unknown option '--nosuchoption'\nusage: .*\n$/);
    expect(stderr).toContain(`usage: npm run ${script} -- [--`);
    expect(status).toBe(2);
  },
);

test.each(PROGRAMS.slice(0, 2))('npm run %s refuses a case that there is not', (_script, file) => {
  const { status, stdout, stderr } = run(file, '--only', 'nosuchcase');
  expect(stdout).toBe('');
  expect(stderr).toMatch(/^no case is called so: nosuchcase\nusage: .*\n$/);
  expect(status).toBe(2);
});
