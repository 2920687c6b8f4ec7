/** The page that benches make: complete in itself, whatever the texts in it. */
import { describe, expect, it } from 'vitest';
import { renderChart } from '../../bench/report/chart.ts';
import { renderPage } from '../../bench/report/page.ts';
import type { Chart, ReportFile } from '../../bench/report/section.ts';

const chart: Chart = {
  title: 'On time',
  x: { name: 'loss, %' },
  y: { name: 'on time, %', min: 0, max: 100 },
  series: [
    {
      name: 'millrace',
      points: [
        [0, 100],
        [5, 99.9],
      ],
      tone: 'accent',
    }, // prettier
    {
      name: 'TCP',
      points: [
        [0, 100],
        [5, null],
      ],
      tone: 'warm',
      style: 'dashed',
    },
  ],
  marks: [{ axis: 'y', at: 99.9, label: 'asked' }],
};

describe('a chart', () => {
  it('is one SVG whose colours come from the page', () => {
    const svg = renderChart(chart);
    expect(svg.match(/<svg /g)).toHaveLength(1);
    expect(svg).toContain('var(--accent)');
    expect(svg).toContain('var(--warm)');
    expect(svg).not.toMatch(/#0102|#0103/);
    expect(svg).toContain('on time, %');
    expect(svg).not.toContain('NaN');
  });

  it('gives every point of a bar series a bar', () => {
    const bars = renderChart({
      ...chart,
      x: { name: 'transport', scale: 'category', categories: ['a', 'b', 'c'] },
      series: [
        {
          name: 'wire',
          points: [
            [0, 1],
            [1, 2],
            [2, 3],
          ],
          style: 'bar',
        },
      ],
    });
    expect(bars.match(/fill="var\(--accent\)"/g)?.length).toBeGreaterThanOrEqual(3);
  });
});

describe('a page', () => {
  const file: ReportFile = {
    title: 'loss',
    facts: { command: 'npm run bench:loss', seeds: '1, 2 & 3' },
    sections: [
      {
        id: 'a',
        title: 'A <b>',
        blocks: [
          { kind: 'text', text: '5 < 6 & "so on"' },
          { kind: 'charts', charts: [chart, chart], columns: 2, caption: 'side by side' },
          {
            kind: 'table',
            head: ['cell', 'on time'],
            rows: [
              ['x', '99.9 %'],
              ['y', '!12 %'],
            ],
            foldedUnder: 'all',
          },
        ],
      },
    ],
  };
  const page = renderPage('millrace <under> loss', [file]);

  it('asks nobody for anything: no script, no style sheet, no picture from elsewhere', () => {
    expect(page).not.toMatch(/<script|<link|<img|@import|url\((?!#)/);
    expect(page.replace(/http:\/\/www\.w3\.org\/[\w/]+/g, '')).not.toMatch(/https?:\/\//);
  });

  it('escapes every text, and says how it was made', () => {
    expect(page).toContain('A &lt;b&gt;');
    expect(page).toContain('5 &lt; 6 &amp; &quot;so on&quot;');
    expect(page).toContain('<dd>1, 2 &amp; 3</dd>');
    expect(page).toContain('<td class="missed number">12 %</td>');
  });

  it('has no two elements with one id', () => {
    const ids = [...page.matchAll(/ id="([^"]+)"/g)].map((match) => match[1]);
    expect(ids.length).toBeGreaterThan(0);
    expect(new Set(ids).size).toBe(ids.length);
  });
});
