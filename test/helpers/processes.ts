/** Processes of this machine, as /proc has them; none where there is no /proc. */
import { readdirSync, readFileSync } from 'node:fs';

/** Parents by process. */
function parents(): ReadonlyMap<number, number> {
  const found = new Map<number, number>();
  if (process.platform !== 'linux') return found;
  for (const entry of readdirSync('/proc')) {
    if (!/^\d+$/.test(entry)) continue;
    try {
      const parent = /^PPid:\t(\d+)$/m.exec(readFileSync(`/proc/${entry}/status`, 'utf8'))?.[1];
      if (parent !== undefined) found.set(Number(entry), Number(parent));
    } catch {
      // It ended while we looked.
    }
  }
  return found;
}

/** Everything that `pid` has started, and what that has started. */
export function descendantsOf(pid: number): readonly number[] {
  const all = parents();
  const found: number[] = [];
  for (let next: number[] = [pid]; next.length > 0; ) {
    next = [...all].filter(([, parent]) => next.includes(parent)).map(([child]) => child);
    found.push(...next);
  }
  return found;
}

/** False for what has ended, also while its parent has not noticed. */
export function isAlive(pid: number): boolean {
  try {
    return !/^State:\tZ/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}
