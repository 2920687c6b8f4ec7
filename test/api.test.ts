/**
 * The public API, as an application's compiler sees it: every exported name of each entry with its declaration. A
 * change here is a change for users: update with `npx vitest run test/api.test.ts -u` and write it into CHANGELOG.md.
 */
import { rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { API, type Checker, SymbolFlags } from 'typescript/unstable/sync';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { copyCheckout, run } from './helpers/checkout.ts';

let folder: string;
let api: API;

beforeAll(() => {
  folder = copyCheckout(true);
  const options = ['--emitDeclarationOnly', '--declarationMap', 'false', '--outDir', 'types'];
  const build = run(
    folder,
    process.execPath,
    'node_modules/typescript/bin/tsc',
    '-p',
    'tsconfig.build.json',
    ...options,
  );
  expect(build.stdout + build.stderr).toBe('');
  const configuration = {
    extends: './tsconfig.json',
    compilerOptions: { rootDir: 'types' },
    include: ['types'],
  };
  writeFileSync(join(folder, 'tsconfig.types.json'), JSON.stringify(configuration));
  api = new API({ cwd: folder });
});

afterAll(() => {
  api?.close();
  if (folder !== undefined) rmSync(folder, { recursive: true });
});

type Exported = ReturnType<Checker['getExportsOfModule']>[number];

/** The declarations of one exported name without comments; `#private` says only that a class is nominal. */
function declarationOf(checker: Checker, exported: Exported): string {
  const symbol = (exported.flags & SymbolFlags.Alias) === 0 ? exported : checker.getAliasedSymbol(exported);
  const texts = symbol.declarations.map((handle) => {
    const text = handle.resolve()?.getText() ?? '';
    return text.startsWith('export') ? text : `export declare const ${text}`;
  });
  const name = symbol.name === exported.name ? '' : `// exported as ${exported.name}\n`;
  const text = texts
    .join('\n')
    .replace(/\/\*\*[\s\S]*?\*\/\s*/g, '')
    .replace(/^\s*#private;\n/gm, '');
  return `${name}${text}\n`;
}

function surfaceOf(entry: string): string {
  const configuration = join(folder, 'tsconfig.types.json');
  const project = api.updateSnapshot({ openProjects: [configuration] }).getProject(configuration);
  const source = project?.program.getSourceFile(join(folder, 'types', `${entry}.d.ts`));
  const module = source && project?.checker.getSymbolAtLocation(source);
  if (project === undefined || module === undefined) throw new Error(`src/${entry}.ts is not there`);
  const exports = project.checker.getExportsOfModule(module);
  const declarations = exports.map(
    (exported) => [exported.name, declarationOf(project.checker, exported)] as const,
  );
  return declarations
    .sort(([a], [b]) => (a < b ? -1 : 1))
    .map(([, text]) => text)
    .join('\n');
}

describe('the public API of', () => {
  it.each([
    ['millrace', 'index'],
    ['millrace/core', 'core'],
    ['millrace/sim', 'sim'],
  ])('%s is what its users were promised', async (_, entry) => {
    await expect(surfaceOf(entry)).toMatchFileSnapshot(`api/${entry}.txt`);
  });
});
