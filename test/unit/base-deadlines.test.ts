import { describe, expect, test } from 'vitest';
import { Deadlines } from '../../src/base/deadlines.ts';
import { NEVER } from '../../src/base/protocol.ts';
import { SeededRandom } from '../../src/base/random.ts';

describe('deadlines', () => {
  test('an id that was set twice is due once, at the later word', () => {
    const deadlines = new Deadlines();
    deadlines.set(3, 10);
    deadlines.set(3, 20);
    expect(deadlines.takeDue(15)).toBe(-1);
    expect(deadlines.takeDue(20)).toBe(3);
    expect(deadlines.takeDue(1e9)).toBe(-1);
  });

  test('NEVER removes', () => {
    const deadlines = new Deadlines();
    deadlines.set(0, 10);
    deadlines.set(0, NEVER);
    expect(deadlines.next).toBe(NEVER);
  });

  for (const seed of [1, 2, 3]) {
    test(`agrees with a plain table under random use, seed ${seed}`, () => {
      const random = new SeededRandom(seed);
      const deadlines = new Deadlines();
      const table = new Map<number, number>();
      for (let step = 0; step < 5000; step++) {
        const id = Math.floor(random.unit() * 40);
        const action = random.unit();
        if (action < 0.6) {
          const at = Math.floor(random.unit() * 1000);
          deadlines.set(id, at);
          table.set(id, at);
        } else if (action < 0.8) {
          deadlines.set(id, NEVER);
          table.delete(id);
        } else {
          const now = Math.floor(random.unit() * 1000);
          const due = deadlines.takeDue(now);
          const earliest = Math.min(NEVER, ...table.values());
          if (due < 0) expect(earliest).toBeGreaterThan(now);
          else {
            expect(table.get(due)).toBe(earliest);
            table.delete(due);
          }
        }
        expect(deadlines.next).toBe(Math.min(NEVER, ...table.values()));
      }
    });
  }
});
