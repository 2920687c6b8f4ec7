/** Copies of this checkout in temporary folders, for tests that build, pack or install it without touching dist/. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** Folder of the checkout that the tests run in. */
export const root: string = join(dirname(fileURLToPath(import.meta.url)), '..', '..');

const PARTS = [
  'package.json',
  'README.md',
  'CHANGELOG.md',
  'LICENSE',
  'tsconfig.json',
  'tsconfig.build.json',
  'scripts',
  'src',
];

/**
 * A temporary folder with all that a build needs. The caller removes it.
 * @param withModules Whether it has the installed packages of this checkout (as a link).
 */
export function copyCheckout(withModules: boolean): string {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-checkout-'));
  for (const part of PARTS) cpSync(join(root, part), join(folder, part), { recursive: true });
  if (withModules) symlinkSync(join(root, 'node_modules'), join(folder, 'node_modules'), 'dir');
  return folder;
}

/** What a finished command left. */
export interface Finished {
  readonly status: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a command to its end. The npm that runs the tests leaves no settings behind for the one that is tested. */
export function run(folder: string, command: string, ...args: string[]): Finished {
  const env = Object.fromEntries(
    Object.entries(process.env).filter(([name]) => !/^npm_|^NODE_ENV$/i.test(name)),
  );
  const { status, stdout, stderr } = spawnSync(command, args, {
    cwd: folder,
    env,
    encoding: 'utf8',
    timeout: 120_000,
  });
  return { status, stdout, stderr };
}
