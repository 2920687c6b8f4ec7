/**
 * One HTML page from the result files of benches: no script, no font, no picture from elsewhere. In: titles, facts,
 * sections. Out: text. It follows the reader's choice of light or dark.
 */
import { renderChart } from './chart.ts';
import type { Block, ReportFile, Section } from './section.ts';

/** The page, complete. */
export function renderPage(title: string, files: readonly ReportFile[]): string {
  const sections = files.flatMap((file) => file.sections);
  const links = sections.map(({ id, title: text }) => `<a href="#${escapeText(id)}">${escapeText(text)}</a>`);
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<title>${escapeText(title)}</title>
<style>${STYLE}</style>
</head>
<body>
<header><h1>${escapeText(title)}</h1><nav>${links.join('')}</nav></header>
<main>
${files.map(renderFile).join('\n')}
</main>
</body>
</html>
`;
}

function renderFile(file: ReportFile): string {
  const facts = Object.entries(file.facts).map(
    ([name, value]) => `<dt>${escapeText(name)}</dt><dd>${escapeText(value)}</dd>`,
  );
  const made = `<details class="facts"><summary>${escapeText(file.title)}: how it was made</summary><dl>${facts.join('')}</dl></details>`;
  return [...file.sections.map(renderSection), made].join('\n');
}

function renderSection(section: Section): string {
  const blocks = section.blocks.map(renderBlock).join('\n');
  return `<section id="${escapeText(section.id)}"><h2>${escapeText(section.title)}</h2>\n${blocks}</section>`;
}

/** So wide that letters in charts are about as large as those beside them. */
const CHART_PX = { 1: 1_140, 2: 600, 3: 420 } as const;

function renderBlock(block: Block): string {
  if (block.kind === 'text') return `<p>${escapeText(block.text)}</p>`;
  const caption = block.caption === undefined ? '' : `<figcaption>${escapeText(block.caption)}</figcaption>`;
  if (block.kind === 'charts') {
    const { columns = 1 } = block;
    const widthPx = CHART_PX[columns];
    const charts = block.charts
      .map((chart) => `<div class="chart">${renderChart(chart, widthPx)}</div>`)
      .join('');
    return `<figure><div class="charts c${columns}">${charts}</div>${caption}</figure>`;
  }
  const head = block.head.map((name) => `<th>${escapeText(name)}</th>`).join('');
  const rows = block.rows.map((row) => `<tr>${row.map(renderCell).join('')}</tr>`).join('\n');
  const table = `<div class="wide"><table><thead><tr>${head}</tr></thead><tbody>\n${rows}</tbody></table></div>`;
  const figure = `<figure>${table}${caption}</figure>`;
  return block.foldedUnder === undefined
    ? figure
    : `<details><summary>${escapeText(block.foldedUnder)}</summary>${figure}</details>`;
}

/** Longer cells may break. */
const LONG_CHARACTERS = 44;

/** Figures to the right, words to the left, what was missed in its colour. */
function renderCell(text: string): string {
  const isMissed = text.startsWith('!');
  const shown = isMissed ? text.slice(1) : text;
  const classes = [
    isMissed ? 'missed' : '',
    shown.length > LONG_CHARACTERS ? 'long' : '',
    /^(?:[-\d.]|never)/.test(shown) ? 'number' : '',
  ]
    .filter(Boolean)
    .join(' ');
  return `<td${classes === '' ? '' : ` class="${classes}"`}>${escapeText(shown)}</td>`;
}

function escapeText(text: string): string {
  return text.replace(/&/g, '&amp;').replace(/</g, '&lt;').replace(/>/g, '&gt;').replace(/"/g, '&quot;');
}

/** For pictures that stand alone, too. Two palettes with a contrast of at least 3:1 for lines and 4.5:1 for text against their background. */
export const PALETTE: string = `:root { --paper: #fff; --card: #f7f8fa; --ink: #1c2430; --faint: #5b6675; --line: #cdd3dc;
  --accent: #0b62d6; --accent2: #2f8f83; --accent3: #6a4fc8; --warm: #c8402b; --warm2: #b36b00; --warm3: #a33a7c;
  --cool: #44790f; --grey: #7a8390; --missed: #b3261e; }
@media (prefers-color-scheme: dark) {
  :root { --paper: #12161c; --card: #1a2028; --ink: #e6eaf0; --faint: #a3adba; --line: #3a4452;
    --accent: #6cb0ff; --accent2: #5fcabb; --accent3: #b49cff; --warm: #ff8a73; --warm2: #f0b04a; --warm3: #f08fc8;
    --cool: #a3d65c; --grey: #98a2b0; --missed: #ff9a90; }
}`;

const STYLE = `
${PALETTE}
* { box-sizing: border-box; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.55 system-ui, sans-serif; }
header, main { max-width: 1180px; margin: 0 auto; padding: 0 20px; }
h1 { font-size: 1.7rem; margin: 28px 0 8px; }
h2 { font-size: 1.25rem; margin: 44px 0 8px; padding-top: 12px; border-top: 1px solid var(--line); }
p { max-width: 46rem; margin: 8px 0; }
nav { display: flex; flex-wrap: wrap; gap: 4px 16px; }
a { color: var(--accent); }
figure { margin: 16px 0; }
figcaption { color: var(--faint); font-size: .9rem; max-width: 52rem; margin-top: 6px; }
.charts { display: grid; gap: 16px; grid-template-columns: 1fr; }
@media (min-width: 860px) {
  .c2 { grid-template-columns: 1fr 1fr; }
  .c3 { grid-template-columns: 1fr 1fr 1fr; }
}
.chart { background: var(--card); border: 1px solid var(--line); border-radius: 8px; padding: 8px; min-width: 0; }
.chart svg { display: block; width: 100%; height: auto; }
.wide { overflow-x: auto; }
table { border-collapse: collapse; font-size: .88rem; font-variant-numeric: tabular-nums; }
th, td { padding: 4px 10px; border-bottom: 1px solid var(--line); text-align: left; vertical-align: top; }
th { color: var(--faint); font-weight: 600; position: sticky; top: 0; background: var(--paper); }
td { white-space: nowrap; }
td.long { white-space: normal; min-width: 18rem; }
td.number { text-align: right; }
td.missed { color: var(--missed); }
details { margin: 16px 0; }
summary { cursor: pointer; color: var(--faint); }
dl { display: grid; grid-template-columns: max-content 1fr; gap: 2px 16px; font-size: .9rem; margin: 8px 0; }
dt { color: var(--faint); }
dd { margin: 0; overflow-wrap: anywhere; }
`;
