/** The files for running the gateway as a service: what can be said of them without a container engine. */
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { root } from '../helpers/checkout.ts';

const folder = join(root, 'demo/deploy');
const hasSystemd = spawnSync('systemd-analyze', ['--version']).status === 0;

it.skipIf(!hasSystemd)('systemd takes the unit without a complaint (not run without systemd-analyze)', () => {
  const temporary = mkdtempSync(join(tmpdir(), 'millrace-unit-'));
  const unit = join(temporary, 'millrace@cam1.service');
  copyFileSync(join(folder, 'millrace@.service'), unit);
  const { status, stdout, stderr } = spawnSync('systemd-analyze', ['verify', unit], { encoding: 'utf8' });
  rmSync(temporary, { recursive: true });
  expect(stdout + stderr).toBe('');
  expect(status).toBe(0);
});

it('the Dockerfile copies and runs what there is', () => {
  const lines = readFileSync(join(folder, 'Dockerfile'), 'utf8').split('\n');
  const named = lines.flatMap(
    (line) =>
      line
        .match(/(?<=COPY |node )(?:[\w./-]+\.(?:json|mjs)\s?)+/)?.[0]
        .trim()
        .split(' ') ?? [],
  );
  expect(named).toEqual(['package.json', 'package-lock.json', 'scripts/build.mjs']);
  for (const path of named) expect(existsSync(join(root, path)), path).toBe(true);
  const { bin, engines } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  expect(lines).toContain(`ENTRYPOINT ["${Object.keys(bin)[0]}"]`);
  const major = Number(/FROM node:(\d+)/.exec(lines.join('\n'))?.[1]);
  expect(major).toBeGreaterThanOrEqual(Number(/\d+/.exec(engines.node)?.[0]));
});
