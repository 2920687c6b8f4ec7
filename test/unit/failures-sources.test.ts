import { expect, test } from 'vitest';
import { sourcesHash, sourcesOf } from '../failures/sources.ts';

test('the results of a soak follow from the core, the simulator and the cases, not from the command line', () => {
  const files = sourcesOf('test/failures/all.ts');
  expect(files).toContain('test/failures/all.ts');
  expect(files).toContain('test/failures/world.ts');
  expect(files).toContain('src/connection/connection.ts');
  expect(files).toContain('src/sim/simulator.ts');
  expect(files.filter((file) => file.startsWith('src/cli/'))).toEqual([]);
  expect(new Set(files).size).toBe(files.length);
});

test('the name of sources is that of what the beginning imports', () => {
  expect(sourcesHash('test/failures/all.ts')).toMatch(/^[0-9a-f]{16}$/);
  expect(sourcesHash('src/base/errors.ts')).not.toBe(sourcesHash('src/base/random.ts'));
});
