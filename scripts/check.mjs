// Everything that can be said about the project without running it. Each step runs even when one before it failed;
// the last line is `check: N passed, N failed`, the exit code 1 if any failed.
// `node scripts/check.mjs NAME...` runs only the named steps.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const tarballFolder = packFolder();
// Biome colours its output letter by letter, which makes a log unreadable.
const colors = process.stdout.isTTY ? 'force' : 'off';

const steps = [
  { name: 'biome', run: () => tool('biome', 'ci', '--error-on-warnings', `--colors=${colors}`) },
  // The demo's page has the types of a browser instead of those of Node.
  { name: 'types', run: () => [tool('tsc', '-p', '.'), tool('tsc', '-p', 'demo/page')].every(Boolean) },
  // The embedded kernel is what wasm/assembly compiles to, byte for byte.
  { name: 'wasm', run: () => command(process.execPath, 'wasm/build.mjs', '--check') },
  { name: 'build', run: () => command(process.execPath, 'scripts/build.mjs') },
  { name: 'knip', run: () => tool('knip') },
  { name: 'architecture', run: () => tool('vitest', 'run', 'test/architecture.test.ts') },
  // Both look at the tarball that npm would publish, packed once from the dist/ of the build step.
  { name: 'publint', run: () => withTarball((file) => tool('publint', '--strict', file)) },
  { name: 'attw', run: () => withTarball((file) => tool('attw', file, '--profile', 'esm-only')) },
];

function packFolder() {
  mkdirSync(join(root, '.tmp'), { recursive: true });
  return mkdtempSync(join(root, '.tmp', 'pack-'));
}

function command(file, ...args) {
  const { status, error } = spawnSync(file, args, { cwd: root, stdio: 'inherit' });
  if (error !== undefined) console.error(error.message);
  return error === undefined && status === 0;
}

function tool(name, ...args) {
  return command(join(root, 'node_modules', '.bin', name), ...args);
}

function withTarball(use) {
  const packed = () => readdirSync(tarballFolder).find((name) => name.endsWith('.tgz'));
  if (packed() === undefined) {
    command('npm', 'pack', '--ignore-scripts', '--silent', '--pack-destination', tarballFolder);
  }
  const file = packed();
  return file !== undefined && use(join(tarballFolder, file));
}

const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !steps.some((step) => step.name === name));
if (unknown.length > 0) {
  console.error(
    `no such step: ${unknown.join(', ')}; there are ${steps.map((step) => step.name).join(', ')}`,
  );
  process.exit(2);
}

const failed = [];
const chosen = steps.filter((step) => wanted.length === 0 || wanted.includes(step.name));
for (const step of chosen) {
  console.log(`\n== ${step.name}`);
  if (step.run()) {
    console.log(`ok ${step.name}`);
  } else {
    console.log(`FAILED ${step.name}`);
    failed.push(step.name);
  }
}
rmSync(tarballFolder, { recursive: true, force: true });
if (failed.length > 0) console.log(`\nfailed: ${failed.join(', ')}`);
console.log(`check: ${chosen.length - failed.length} passed, ${failed.length} failed`);
process.exitCode = failed.length === 0 ? 0 : 1;
