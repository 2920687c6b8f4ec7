/** What a result file says of its making, so that another person can make it again. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { availableParallelism, cpus, release, type } from 'node:os';
import process from 'node:process';
import type { Facts } from './section.ts';

/** Version and commit, Node, machine, and the command as it was given. `more` comes first. */
export function gatherFacts(script: string, more: Facts = {}): Facts {
  const given = process.argv.slice(2).join(' ');
  return {
    ...more,
    command: `npm run ${script}${given === '' ? '' : ` -- ${given}`}`,
    version: ownVersion(),
    node: `${process.version} ${process.platform} ${process.arch}`,
    machine: `${cpus()[0]?.model ?? 'unknown processor'}, ${availableParallelism()} cores, ${type()} ${release()}`,
    date: new Date().toISOString().slice(0, 16).replace('T', ' '),
  };
}

/** This package's version and commit. */
export function ownVersion(): string {
  return `millrace ${packageVersion()}${commit()}`;
}

function packageVersion(): string {
  return JSON.parse(readFileSync(new URL('../../package.json', import.meta.url), 'utf8')).version;
}

/** The commit, with a plus sign for a checkout that differs from it; nothing outside a checkout. */
function commit(): string {
  try {
    const git = (...given: string[]): string =>
      execFileSync('git', given, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
    const isChanged = git('status', '--porcelain', '--untracked-files=no') !== '';
    return ` (${git('rev-parse', '--short', 'HEAD')}${isChanged ? '+' : ''})`;
  } catch {
    return '';
  }
}
