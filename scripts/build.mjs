// Compiles src/ into dist/ and makes the command executable. A failed build leaves the previous dist/ as it was.
// `--prepare` (run by npm after an install): without TypeScript, as after `npm ci --omit=dev`, says so and succeeds.
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, renameSync, rmSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const bin = 'cli/main.js';

function findCompiler() {
  try {
    return join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin/tsc');
  } catch {
    return undefined;
  }
}

function build(compiler) {
  // Compiled beside dist/ and swapped in, so that a program that runs from dist/ never sees half a build and files
  // whose source is gone are not published. The name has the same depth: source map paths stay right.
  const next = `dist-next-${process.pid}`;
  const previous = `dist-old-${process.pid}`;
  const args = [compiler, '-p', 'tsconfig.build.json', '--outDir', next];
  const { status, error } = spawnSync(process.execPath, args, { cwd: root, stdio: 'inherit' });
  if (error !== undefined || status !== 0) {
    rmSync(join(root, next), { recursive: true, force: true });
    console.error(`build failed${error === undefined ? '' : `: ${error.message}`}; dist/ is unchanged`);
    return 1;
  }
  const main = join(root, next, bin);
  if (existsSync(main)) chmodSync(main, 0o755);
  if (existsSync(join(root, 'dist'))) renameSync(join(root, 'dist'), join(root, previous));
  renameSync(join(root, next), join(root, 'dist'));
  rmSync(join(root, previous), { recursive: true, force: true });
  return 0;
}

const compiler = findCompiler();
if (compiler !== undefined) {
  process.exitCode = build(compiler);
} else if (process.argv.includes('--prepare')) {
  console.log(
    'millrace: TypeScript is not installed, so dist/ was not built; run `npm ci` without --omit=dev to build it',
  );
} else {
  console.error('TypeScript is not installed; run `npm ci` first');
  process.exitCode = 1;
}
