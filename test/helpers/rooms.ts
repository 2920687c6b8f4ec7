/**
 * The rooms of src/ and who may enter which: the one-way rule of ARCHITECTURE.md, as data, and a walk over the syntax
 * tree (the TypeScript compiler's own) that reports every line which breaks it.
 */
import { readdirSync } from 'node:fs';
import { join, posix, relative, sep } from 'node:path';
import { type Node, SyntaxKind } from 'typescript/unstable/ast';
import {
  isCallExpression,
  isExportDeclaration,
  isImportDeclaration,
  isImportTypeNode,
  isLiteralTypeNode,
  isStringLiteral,
} from 'typescript/unstable/ast/is';
import { API } from 'typescript/unstable/sync';

const FLOOR = ['base', 'wire'];
const SIBLINGS = ['crypto', 'fec', 'plan', 'track', 'stream', 'recovery', 'rate', 'path'];
const PROTOCOL = [...FLOOR, ...SIBLINGS, 'connection', 'endpoint'];

/** Rooms that have no clock, timer, socket, randomness or promise: all but those that touch Node. */
export const CORE_ROOMS: readonly string[] = [...PROTOCOL, 'sim', 'lab', 'core.ts', 'sim.ts'];

/** For each room (a folder of src/, `endpoint` with its file, or a public entry) the rooms that it may import from. */
export const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  base: [],
  wire: ['base'],
  ...Object.fromEntries(SIBLINGS.map((room) => [room, FLOOR])),
  connection: [...FLOOR, ...SIBLINGS],
  endpoint: [...FLOOR, ...SIBLINGS, 'connection'],
  sim: ['base'],
  lab: [...PROTOCOL, 'sim'],
  node: PROTOCOL,
  cli: [...PROTOCOL, 'sim', 'lab', 'node', 'index.ts'],
  'index.ts': [...PROTOCOL, 'node'],
  'core.ts': PROTOCOL,
  'sim.ts': [...PROTOCOL, 'sim', 'lab'],
};

/** Rooms that may import `node:*` modules. */
const NODE_ROOMS = ['node', 'cli'];

/** The room that a file belongs to. `path` is relative to src/, with forward slashes. */
export function roomOf(path: string): string {
  if (path === 'endpoint.ts') return 'endpoint';
  const slash = path.indexOf('/');
  return slash < 0 ? path : path.slice(0, slash);
}

/** Every file under `folder` whose name matches, relative to it, with forward slashes, sorted. */
export function sourceFiles(folder: string, pattern: RegExp = /\.ts$/): string[] {
  return readdirSync(folder, { recursive: true, withFileTypes: true })
    .filter((entry) => entry.isFile() && pattern.test(entry.name))
    .map((entry) => relative(folder, join(entry.parentPath, entry.name)).split(sep).join('/'))
    .sort();
}

/** Module names in `import`, `export ... from`, `import('...')` and `typeof import('...')`, in order. */
function specifier(node: Node): string | undefined {
  let name: Node | undefined;
  if (isImportDeclaration(node) || isExportDeclaration(node)) name = node.moduleSpecifier;
  else if (isCallExpression(node) && node.expression.kind === SyntaxKind.ImportKeyword)
    name = node.arguments[0];
  else if (isImportTypeNode(node) && isLiteralTypeNode(node.argument)) name = node.argument.literal;
  return name !== undefined && isStringLiteral(name) ? name.text : undefined;
}

function importFault(path: string, name: string): string | undefined {
  const room = roomOf(path);
  if (name.startsWith('node:')) {
    return NODE_ROOMS.includes(room) ? undefined : `imports ${name}: only ${NODE_ROOMS.join(' and ')} may`;
  }
  if (!name.startsWith('.')) return `imports the package ${name}: millrace has no dependencies`;
  const target = posix.join(posix.dirname(path), name);
  if (target.startsWith('..')) return `imports ${name}, which is outside src/`;
  const to = roomOf(target);
  if (to === room || MAY_IMPORT[room]?.includes(to)) return undefined;
  return `imports ${name}: ${room} may not import from ${to}`;
}

/** What the sans-IO rule forbids and no lint rule expresses (Biome bans the global names, see biome.json). */
function coreFault(node: Node): string | undefined {
  if (node.kind === SyntaxKind.AsyncKeyword) return 'is async: the core is synchronous';
  if (node.kind === SyntaxKind.AwaitExpression) return 'awaits: the core is synchronous';
  if (
    node.kind === SyntaxKind.ForOfStatement &&
    'awaitModifier' in node &&
    node.awaitModifier !== undefined
  ) {
    return 'awaits: the core is synchronous';
  }
  if (node.kind === SyntaxKind.MetaProperty && node.getText().startsWith('import')) {
    return 'reads import.meta: the core uses nothing from its surroundings';
  }
  if (isCallExpression(node) && node.expression.kind === SyntaxKind.ImportKeyword) {
    return 'imports at run time: the core is synchronous';
  }
  return undefined;
}

const SUPPRESSION =
  /biome-ignore\S* lint\/(?:style\/noRestricted|nursery\/noJsRestricted|suspicious\/noImportCycles)/;

/**
 * Walks every file under src/ of the project whose tsconfig.json is given.
 * @returns One line per fault, `path:line what is wrong`; empty when all is well.
 */
export function architectureFaults(root: string): string[] {
  const faults: string[] = [];
  const api = new API({ cwd: root });
  const configuration = join(root, 'tsconfig.json');
  const snapshot = api.updateSnapshot({ openProjects: [configuration] });
  const project = snapshot.getProject(configuration);
  for (const path of sourceFiles(join(root, 'src'))) {
    const room = roomOf(path);
    if (MAY_IMPORT[room] === undefined) faults.push(`src/${path}:1 is in no known room`);
    const source = project?.program.getSourceFile(join(root, 'src', path));
    if (source === undefined) {
      faults.push(`src/${path}:1 is not part of the project`);
      continue;
    }
    const isCore = CORE_ROOMS.includes(room);
    const isEntry = path === room;
    const report = (node: Node, fault: string | undefined): void => {
      if (fault === undefined) return;
      const line = source.getLineAndCharacterOfPosition(node.getStart(source)).line + 1;
      faults.push(`src/${path}:${line} ${fault}`);
    };
    const pending: Node[] = [source];
    for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
      const name = specifier(node);
      if (name !== undefined) report(node, importFault(path, name));
      if (isCore) report(node, coreFault(node));
      if (
        isEntry &&
        node.parent === source &&
        !isExportDeclaration(node) &&
        node.kind !== SyntaxKind.EndOfFile
      ) {
        report(node, 'is a public entry: re-exports only');
      }
      node.forEachChild((child) => {
        pending.push(child);
      });
    }
    source.text.split('\n').forEach((text, index) => {
      if (SUPPRESSION.test(text)) faults.push(`src/${path}:${index + 1} switches an architecture rule off`);
    });
  }
  snapshot.dispose();
  api.close();
  return faults.sort();
}
