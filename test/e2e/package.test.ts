/** What npm would publish, installed as a user would: no compiler, no development packages, no accelerators. */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { copyCheckout, run } from '../helpers/checkout.ts';

interface Packed {
  readonly filename: string;
  readonly files: readonly { readonly path: string; readonly mode: number }[];
}

let checkout: string;
let installed: string;
let packed: Packed;

beforeAll(() => {
  checkout = copyCheckout(true);
  const pack = run(checkout, 'npm', 'pack', '--json', '--silent');
  expect(pack.status, pack.stderr).toBe(0);
  packed = JSON.parse(pack.stdout.slice(pack.stdout.indexOf('[\n')))[0];

  installed = mkdtempSync(join(tmpdir(), 'millrace-installed-'));
  const tarball = join(checkout, packed.filename);
  const quiet = ['--no-audit', '--no-fund', '--prefer-offline', '--ignore-scripts'];
  const install = run(installed, 'npm', 'install', '--omit=dev', '--omit=optional', ...quiet, tarball);
  expect(install.status, install.stderr).toBe(0);
}, 240_000);

afterAll(() => {
  for (const folder of [checkout, installed]) {
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  }
});

describe('the packed package', () => {
  it('holds the compiled code, its source for the source maps, and nothing of the workshop', () => {
    const paths = packed.files.map((file) => file.path);
    expect(paths).toEqual(
      expect.arrayContaining(['dist/index.js', 'dist/index.d.ts', 'dist/core.js', 'dist/sim.js']),
    );
    expect(paths).toEqual(expect.arrayContaining(['README.md', 'LICENSE', 'CHANGELOG.md', 'package.json']));
    const roots = new Set(paths.map((path) => path.split('/')[0]));
    expect([...roots].sort()).toEqual([
      'CHANGELOG.md',
      'LICENSE',
      'README.md',
      'dist',
      'package.json',
      'src',
    ]);
  });

  it('has a command that may be executed', () => {
    const bin = packed.files.find((file) => file.path === 'dist/cli/main.js');
    expect((bin?.mode ?? 0) & 0o111).toBe(0o111);
    expect(readFileSync(join(checkout, 'dist/cli/main.js'), 'utf8')).toMatch(/^#!\/usr\/bin\/env node\n/);
  });

  it('installs no other package', () => {
    expect(readdirSync(join(installed, 'node_modules')).filter((name) => !name.startsWith('.'))).toEqual([
      'millrace',
    ]);
  });
});

describe('the installed package', () => {
  it('answers `npx millrace --help` with examples first', () => {
    const help = run(installed, 'npx', 'millrace', '--help');
    expect(help.stdout.slice(0, 400)).toMatch(/millrace (send|receive) /);
    expect(help.status).toBe(0);
  });

  it("gives `import('millrace')` its two doors", () => {
    const program =
      "const { listen, connect } = await import('millrace'); console.log(typeof listen, typeof connect)";
    const result = run(installed, process.execPath, '--input-type=module', '-e', program);
    expect(result).toEqual({ status: 0, stdout: 'function function\n', stderr: '' });
  });

  it("gives `require('millrace')` the same", () => {
    const program =
      "const { listen, connect } = require('millrace'); console.log(typeof listen, typeof connect)";
    const result = run(installed, process.execPath, '--no-warnings', '--input-type=commonjs', '-e', program);
    expect(result).toEqual({ status: 0, stdout: 'function function\n', stderr: '' });
  });

  it.each(['millrace/core', 'millrace/sim'])('loads %s both ways, without Node behind it', (name) => {
    for (const load of [`import('${name}')`, `Promise.resolve(require('${name}'))`]) {
      const program = `${load}.then((entry) => console.log(Object.keys(entry).length > 0))`;
      const result = run(
        installed,
        process.execPath,
        '--no-warnings',
        '--input-type=commonjs',
        '-e',
        program,
      );
      expect(result).toEqual({ status: 0, stdout: 'true\n', stderr: '' });
    }
  });
});

describe('the prepare script', () => {
  it('succeeds with a one-line hint where TypeScript is absent', () => {
    const bare = copyCheckout(false);
    try {
      const result = run(bare, process.execPath, 'scripts/build.mjs', '--prepare');
      expect(result.status).toBe(0);
      expect(result.stdout).toMatch(/^millrace: TypeScript is not installed[^\n]*npm ci[^\n]*\n$/);
      expect(result.stderr).toBe('');
    } finally {
      rmSync(bare, { recursive: true });
    }
  });
});
