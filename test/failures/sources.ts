/** Which sources the results of a soak come from. Out: the commit, and a hash of the files that the outcome follows from. */
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../..', import.meta.url));
/** What the outcome of a case follows from. */
const SOURCES: readonly string[] = ['src', 'test/failures', 'test/helpers'];

/** Names the sources: outcomes of others are not continued. */
export function sourcesHash(): string {
  const hash = createHash('sha256');
  for (const folder of SOURCES) {
    const files = readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts'))
      .sort();
    for (const name of files) hash.update(name).update(readFileSync(join(ROOT, folder, name)));
  }
  return hash.digest('hex').slice(0, 16);
}

/** The commit that is checked out. */
export function commitName(): string {
  const options = { cwd: ROOT, encoding: 'utf8' } as const;
  return spawnSync('git', ['rev-parse', '--short=10', 'HEAD'], options).stdout.trim();
}
