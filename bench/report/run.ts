/**
 * Puts the result files of several benches on one page.
 * Usage: `npm run bench:report -- --out report.html loss.json kernel.json ...`; each file has `title`, `facts` and
 * `sections` (section.ts). Files keep the order in which they are named.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { renderPage } from './page.ts';
import type { ReportFile } from './section.ts';

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    out: { type: 'string', default: 'report.html' },
    title: { type: 'string', default: 'millrace under loss' },
  },
});
if (positionals.length === 0)
  throw new RangeError('name the result files: bench:report -- --out FILE FILE...');
const files = positionals.map((path) => {
  const file = JSON.parse(readFileSync(path, 'utf8')) as Partial<ReportFile>;
  if (!Array.isArray(file.sections))
    throw new TypeError(`${path} has no sections: is it a result file of a bench?`);
  return { title: file.title ?? path, facts: file.facts ?? {}, sections: file.sections };
});
writeFileSync(values.out, renderPage(values.title, files));
console.log(`${values.out}: ${files.reduce((sum, file) => sum + file.sections.length, 0)} sections`);
