/**
 * Which sources the results of a soak come from. In: the file that begins it. Out: the commit, and a hash of all that the
 * outcome follows from: that file and what it imports, directly or not. Packages and Node are not among it.
 */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** `from './x.ts'`, `import './x.ts'`, `import('./x.ts')`: paths are literals here, and whole. */
const IMPORT = /\b(?:from|import)[\s(]*'(\.{1,2}\/[^']+)'/g;

/** Files that `entry` is made of, itself included, sorted. Paths from the root of the repository. */
export function sourcesOf(entry: string): string[] {
  const found = new Set<string>([entry]);
  // A set goes on with what is added meanwhile.
  for (const file of found) {
    const text = readFileSync(join(ROOT, file), 'utf8');
    for (const [, path] of text.matchAll(IMPORT))
      found.add(relative(ROOT, join(ROOT, dirname(file), path as string)));
  }
  return [...found].sort();
}

/** Names the sources of `entry`: outcomes of others are not continued. */
export function sourcesHash(entry: string): string {
  const hash = createHash('sha256');
  for (const file of sourcesOf(entry)) hash.update(file).update(readFileSync(join(ROOT, file)));
  return hash.digest('hex').slice(0, 16);
}

/** The commit that is checked out. */
export function commitName(): string {
  const options = { cwd: ROOT, encoding: 'utf8' } as const;
  return spawnSync('git', ['rev-parse', '--short=10', 'HEAD'], options).stdout.trim();
}
