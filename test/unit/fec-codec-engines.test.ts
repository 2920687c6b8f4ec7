import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';
import { digests, ENGINES } from '../helpers/fec-digest.ts';

/** Node 20 and 21 have relaxed SIMD behind this flag; later ones have it always and no such flag. */
const flags = Number(process.versions.node.split('.')[0]) < 22 ? ['--experimental-wasm-relaxed-simd'] : [];

describe('the builds of the erasure code', () => {
  let ours: Record<string, string>;
  let childs: Record<string, string>;
  let expected: string;

  beforeAll(() => {
    ours = digests();
    const program = fileURLToPath(new URL('../helpers/fec-digest.ts', import.meta.url));
    const output = execFileSync(process.execPath, [...flags, '--import', 'tsx', program], {
      encoding: 'utf8',
    });
    childs = JSON.parse(output) as Record<string, string>;
    expected = ours.typescript as string;
  });

  it('all run where relaxed SIMD is on', () => {
    expect(Object.keys(childs)).toEqual(ENGINES);
  });

  it.each(ENGINES)('give the bytes of the reference, with relaxed SIMD on: %s', (engine) => {
    expect(childs[engine]).toBe(expected);
  });

  it.each(['strict', 'scalar'])('give the bytes of the reference in this process: %s', (engine) => {
    expect(ours[engine]).toBe(expected);
  });
});
