/**
 * The shape of src/: imports go one way, the core is sans-IO. Biome enforces what it can express (biome.json: banned
 * names and modules in the core, import cycles, 70 lines a function); this walks the rest and checks that Biome's rules
 * reach every room.
 */
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it } from 'vitest';
import { architectureFaults, CORE_ROOMS, MAY_IMPORT, sourceFiles } from './helpers/rooms.ts';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

describe('src/', () => {
  it('imports one way only, and the core touches neither Node nor promises', () => {
    expect(architectureFaults(root)).toEqual([]);
  });

  it('has the lint rules of the core on every room of the core', () => {
    const biome = JSON.parse(readFileSync(join(root, 'biome.json'), 'utf8'));
    const core = biome.overrides.find((override: { includes: string[] }) =>
      override.includes.includes('src/base/**'),
    );
    const expected = CORE_ROOMS.map((room) => {
      if (room === 'endpoint') return 'src/endpoint.ts';
      return room.endsWith('.ts') ? `src/${room}` : `src/${room}/**`;
    });
    expect([...core.includes].sort()).toEqual(expected.sort());
    const { style, nursery } = core.linter.rules;
    const banned = Object.keys(style.noRestrictedGlobals.options.deniedGlobals);
    for (const name of [
      'Date',
      'performance',
      'setTimeout',
      'setInterval',
      'setImmediate',
      'queueMicrotask',
    ]) {
      expect(banned).toContain(name);
    }
    for (const name of ['crypto', 'Promise', 'globalThis']) expect(banned).toContain(name);
    expect(style.noRestrictedImports.options.patterns[0].group).toContain('node:*');
    expect(nursery.noJsRestrictedProperties.options.entries[0]).toMatchObject({
      object: 'Math',
      property: 'random',
    });
  });

  it('names only rooms that exist in its own rule', () => {
    const rooms = Object.keys(MAY_IMPORT);
    for (const allowed of Object.values(MAY_IMPORT)) {
      for (const room of allowed) expect(rooms).toContain(room);
    }
  });
});

describe('every folder', () => {
  it('has no file of more than 400 lines', () => {
    // Written by a program, not read by people.
    const generated = ['src/fec/kernel-binary.ts'];
    const folders = ['src', 'test', 'bench', 'demo', 'wasm', 'scripts'];
    const paths = folders.flatMap((folder) =>
      sourceFiles(join(root, folder), /\.(?:ts|mjs)$/).map((path) => `${folder}/${path}`),
    );
    const long = paths
      .filter((path) => !generated.includes(path))
      .map((path) => ({ path, lines: readFileSync(join(root, path), 'utf8').split('\n').length - 1 }))
      .filter(({ lines }) => lines > 400);
    expect(long).toEqual([]);
    expect(paths.length).toBeGreaterThan(50);
  });
});

describe('the architecture walk', () => {
  const folders: string[] = [];
  afterEach(() => {
    for (const folder of folders.splice(0)) rmSync(folder, { recursive: true });
  });

  /** Faults of a small project that holds these files under src/. */
  function faultsOf(files: Record<string, string>): string[] {
    const folder = mkdtempSync(join(tmpdir(), 'millrace-rooms-'));
    folders.push(folder);
    writeFileSync(
      join(folder, 'tsconfig.json'),
      '{"compilerOptions":{"module":"nodenext","types":[]},"include":["src"]}',
    );
    for (const [path, text] of Object.entries(files)) {
      mkdirSync(dirname(join(folder, 'src', path)), { recursive: true });
      writeFileSync(join(folder, 'src', path), text);
    }
    return architectureFaults(folder);
  }

  it('accepts an import that goes down', () => {
    expect(
      faultsOf({ 'base/a.ts': 'export const a = 1;', 'track/b.ts': "export { a } from '../base/a.ts';" }),
    ).toEqual([]);
  });

  it.each([
    ['an import that goes up', 'base/a.ts', "import '../wire/b.ts';", 'base may not import from wire'],
    [
      'a type import between siblings',
      'fec/a.ts',
      "import type { B } from '../plan/b.ts';",
      'fec may not import from plan',
    ],
    [
      'an import type in a signature',
      'rate/a.ts',
      "export type B = import('../node/b.ts').B;",
      'rate may not import from node',
    ],
    [
      'a re-export that goes up',
      'connection/a.ts',
      "export * from '../endpoint.ts';",
      'may not import from endpoint',
    ],
    [
      'the simulator in the protocol',
      'path/a.ts',
      "import { Link } from '../sim/link.ts';",
      'path may not import from sim',
    ],
    [
      'the protocol in the simulator',
      'sim/a.ts',
      "import '../connection/b.ts';",
      'sim may not import from connection',
    ],
    [
      'a module of Node in the core',
      'stream/a.ts',
      "import { open } from 'node:fs';",
      'only node and cli may',
    ],
    ['a package', 'node/a.ts', "import koffi from 'koffi';", 'imports the package koffi'],
    ['a file outside src/', 'cli/a.ts', "import '../../test/b.ts';", 'outside src/'],
    ['an async function in the core', 'track/a.ts', 'export async function f() {}', 'is async'],
    ['an async method in the core', 'track/a.ts', 'export class C { async f() {} }', 'is async'],
    [
      'a dynamic import in the core',
      'crypto/a.ts',
      "export const p = import('./b.ts');",
      'imports at run time',
    ],
    ['import.meta in the core', 'fec/a.ts', 'export const url = import.meta.url;', 'import.meta'],
    [
      'a switched-off rule',
      'wire/a.ts',
      '// biome-ignore lint/style/noRestrictedGlobals: no\nDate.now();',
      'rule off',
    ],
    ['code in a public entry', 'index.ts', 'export const a = 1;', 're-exports only'],
    ['an unknown room', 'utils/a.ts', 'export const a = 1;', 'no known room'],
  ])('reports %s', (_, path, text, fault) => {
    const faults = faultsOf({ [path]: text });
    expect(faults).toHaveLength(1);
    expect(faults[0]).toContain(`src/${path}:`);
    expect(faults[0]).toContain(fault);
  });
});
