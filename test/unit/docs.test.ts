/** The documents say what is: links lead somewhere, commands exist, numbers are those of the code. */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { STATS_KEYS } from '../../src/cli/stats.ts';
import { noRejections } from '../../src/connection/stats.ts';
import { connect, listen } from '../../src/index.ts';
import { root } from '../helpers/checkout.ts';

const documents = [
  ...readdirSync(root).filter((name) => name.endsWith('.md')),
  ...readdirSync(join(root, 'docs'))
    .filter((name) => name.endsWith('.md'))
    .map((name) => `docs/${name}`),
].sort();

function read(path: string): string {
  return readFileSync(join(root, path), 'utf8');
}

/** The text without code blocks and code spans: links in those are examples. */
function prose(text: string): string {
  return text.replace(/^```[\s\S]*?^```/gm, '').replace(/`[^`\n]*`/g, '');
}

/** The anchor that a heading gets. */
function anchorOf(heading: string): string {
  const words = heading.toLowerCase().replace(/[^\p{L}\p{N}\s_-]/gu, '');
  return words.trim().replace(/\s/g, '-');
}

describe.each(documents)('%s', (path) => {
  it('links only to files and headings that exist', () => {
    const broken: string[] = [];
    for (const [, target = ''] of prose(read(path)).matchAll(/\]\(([^)\s]+)\)/g)) {
      if (/^[a-z]+:/.test(target)) continue;
      const [file = '', anchor] = target.split('#');
      const linked = file === '' ? path : join(dirname(path), file);
      if (!existsSync(join(root, linked))) broken.push(target);
      else if (anchor !== undefined) {
        const anchors = [...read(linked).matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) =>
          anchorOf(heading),
        );
        if (!anchors.includes(anchor)) broken.push(target);
      }
    }
    expect(broken).toEqual([]);
  });

  it('names only npm scripts that exist', () => {
    const scripts = Object.keys(JSON.parse(read('package.json')).scripts);
    const named = [...read(path).matchAll(/npm run (?:--?\S+ )*([a-z][\w:-]*)/g)].map(
      ([, name = '']) => name,
    );
    expect(named.filter((name) => !scripts.includes(name))).toEqual([]);
  });

  it('names only source files and folders that exist', () => {
    const named = [...read(path).matchAll(/`((?:src|test|scripts|demo|bench|wasm|docs)\/[\w./-]*[\w/])`/g)];
    const missing = named.map(([, name = '']) => name).filter((name) => !existsSync(join(root, name)));
    expect(missing).toEqual([]);
  });
});

describe('package.json', () => {
  it('has no script whose file does not exist', () => {
    const scripts: Record<string, string> = JSON.parse(read('package.json')).scripts;
    const files = Object.values(scripts).flatMap((script) => script.match(/\S+\.(?:mjs|ts|sh)\b/g) ?? []);
    expect(files.filter((file) => !existsSync(join(root, file)))).toEqual([]);
    expect(files).toContain('scripts/build.mjs');
  });
});

describe('docs/options.md', () => {
  const rows = [...read('docs/options.md').matchAll(/^\| `(\w+)` \| `([\w./-]+\.ts)` \| (\d+) \|/gm)];

  it('has a table of limits', () => {
    expect(rows.length).toBeGreaterThan(15);
  });

  const ranges = [
    ...read('docs/options.md').matchAll(/^\| `(\w+)` \| \S+(?: \(any\))? \| (\d+) to (\d+) \|/gm),
  ]
    .map(([, name = '', min = '', max = '']) => [name, min, Number(max)] as const)
    .filter(([name]) => name !== 'weight' && name !== 'maxBitrate');

  it('has tables of ranges', () => {
    expect(ranges.map(([name]) => name)).toEqual(expect.arrayContaining(['latency', 'timeout', 'port']));
  });

  it.each(ranges)('gives the range of %s that the library enforces', async (name, min, max) => {
    const passphrase = 'only for a test';
    const tried =
      name === 'port'
        ? listen({ passphrase, port: max + 1 })
        : connect('millrace://127.0.0.1:9', { passphrase, [name]: max + 1 });
    await expect(tried).rejects.toThrow(`from ${min} to ${max}`);
  });

  it.each(rows.map(([, name = '', file = '', value = '']) => [name, file, Number(value)] as const))(
    'gives %s as it is in %s',
    async (name, file, value) => {
      const module = await import(join(root, 'src', file));
      expect(module[name]).toBe(value);
    },
  );
});

describe('docs/statistics.md', () => {
  const text = read('docs/statistics.md');
  /** The names in the first column of the table that follows a heading. */
  function namesUnder(heading: string): string[] {
    const section = text.slice(text.indexOf(heading)).split(/^## /m)[heading.startsWith('## ') ? 1 : 0] ?? '';
    const rows = [...section.matchAll(/^\| (`.*?`) \|/gm)].map(([, names = '']) => names);
    return rows.flatMap((names) => [...names.matchAll(/`(\w+)`/g)].map(([, name = '']) => name));
  }

  it('lists the keys of --stats-json in their order', () => {
    expect(namesUnder('## Lines of')).toEqual([...STATS_KEYS, 'peer', 'final']);
  });

  it('lists the reasons of rejections', () => {
    expect(namesUnder('**Rejected is not lost.**')).toEqual(Object.keys(noRejections()));
  });

  it('lists what getStats() gives', () => {
    const [, body = ''] =
      /export interface ConnectionStats \{(.*?)^\}/ms.exec(read('src/node/stats.ts')) ?? [];
    const keys = [...body.matchAll(/readonly (\w+):/g)].map(([, key = '']) => key);
    expect(keys.length).toBeGreaterThan(10);
    expect(namesUnder('## `getStats()`').sort()).toEqual(keys.sort());
  });
});
