/**
 * Puts the result files of several benches on one page.
 * Usage: `npm run bench:report -- --out report.html loss.json kernel.json ...`; each file has `title`, `facts` and
 * `sections` (section.ts). Files keep the order in which they are named.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { benchCommand } from './command-line.ts';
import { renderPage } from './page.ts';
import type { ReportFile } from './section.ts';

const { values, positionals, refuse } = benchCommand({
  script: 'bench:report',
  positionals: 'RESULTS...',
  options: {
    out: { type: 'string', value: 'FILE', default: 'report.html', what: 'the page' },
    title: { type: 'string', value: 'TEXT', default: 'millrace under loss', what: 'its title' },
  },
});
if (positionals.length === 0) refuse('name the result files');
const files = positionals.map((path) => {
  const file = JSON.parse(readFileSync(path, 'utf8')) as Partial<ReportFile>;
  if (!Array.isArray(file.sections))
    throw new TypeError(`${path} has no sections: is it a result file of a bench?`);
  return { title: file.title ?? path, facts: file.facts ?? {}, sections: file.sections };
});
writeFileSync(values.out, renderPage(values.title, files));
console.log(`${values.out}: ${files.reduce((sum, file) => sum + file.sections.length, 0)} sections`);
