/** The last minute as six charts. In: rates of both sides, four times a second. Out: uPlot on the page. */
import uPlot from 'uplot';
import type { SideRates } from './history.ts';

const POINTS_MAX = 240;
const HEIGHT_PIXELS = 150;

type Line = 'solid' | 'dashed' | 'dotted';
/** In pixels: drawn, left out. */
const DASHES: Readonly<Record<Line, readonly number[]>> = { solid: [], dashed: [5, 4], dotted: [2, 3] };

interface Series {
  readonly label: string;
  readonly side: 'tcp' | 'millrace';
  readonly line?: Line;
  readonly value: (rates: SideRates) => number | undefined;
}

interface ChartSpec {
  readonly title: string;
  readonly unit: string;
  readonly series: readonly Series[];
}

function both(label: string, value: Series['value'], line: Line = 'solid'): readonly Series[] {
  return [
    { label: `TCP ${label}`.trim(), side: 'tcp', line, value },
    { label: `millrace ${label}`.trim(), side: 'millrace', line, value },
  ];
}

const SPECS: readonly ChartSpec[] = [
  {
    title: 'Behind the camera',
    unit: 's',
    series: both('', ({ latencyMs }) => latencyMs && latencyMs / 1_000),
  },
  {
    title: 'Bitrate',
    unit: 'Mbit/s',
    series: [
      ...both('encoded', ({ encodedBps }) => encodedBps / 1e6),
      ...both('target', ({ targetBps }) => targetBps / 1e6, 'dashed'),
    ],
  },
  {
    title: 'Lost and repaired',
    unit: 'per second',
    series: [
      {
        label: 'packets lost, millrace',
        side: 'millrace',
        line: 'dashed',
        value: (rates) => rates.lostPerSecond,
      },
      {
        label: 'frames repaired by FEC',
        side: 'millrace',
        value: (rates) => rates.repairedPerSecond,
      },
      {
        label: 'by resending',
        side: 'millrace',
        line: 'dotted',
        value: (rates) => rates.repairedByResendingPerSecond,
      },
      { label: 'packets resent, TCP', side: 'tcp', value: (rates) => rates.resentPerSecond },
    ],
  },
  { title: 'On the wire', unit: 'Mbit/s', series: both('', ({ wireBps }) => wireBps / 1e6) },
  {
    title: 'Overhead beside the media, over 10 s',
    unit: '%',
    series: both('', ({ overheadRatio }) => overheadRatio && overheadRatio * 100),
  },
  { title: 'Frozen so far', unit: 's', series: both('', ({ freezeMs }) => freezeMs / 1_000) },
];

function color(name: string): string {
  // light-dark() is resolved on a property, not in the variable.
  const probe = document.createElement('i');
  probe.style.color = `var(--${name})`;
  document.body.append(probe);
  const value = getComputedStyle(probe).color;
  probe.remove();
  return value;
}

class Chart {
  readonly #spec: ChartSpec;
  readonly #plot: uPlot;
  readonly #data: (number | null)[][];

  constructor(spec: ChartSpec, parent: HTMLElement, colors: Readonly<Record<string, string>>) {
    this.#spec = spec;
    this.#data = [[], ...spec.series.map(() => [])];
    const figure = document.createElement('figure');
    figure.className = 'chart';
    const caption = document.createElement('figcaption');
    caption.textContent = `${spec.title} (${spec.unit})`;
    const keys = document.createElement('ul');
    keys.className = 'keys';
    for (const { label, side, line: kind = 'solid' } of spec.series) {
      const key = document.createElement('li');
      const line = document.createElement('i');
      line.style.borderColor = `var(--${side})`;
      line.className = kind;
      key.append(line, label);
      keys.append(key);
    }
    const frame = document.createElement('div');
    figure.append(caption, keys, frame);
    parent.append(figure);
    this.#plot = new uPlot(this.#options(colors, frame.clientWidth), this.#data as uPlot.AlignedData, frame);
    new ResizeObserver(() => this.#plot.setSize({ width: frame.clientWidth, height: HEIGHT_PIXELS })).observe(
      frame,
    );
  }

  #options(colors: Readonly<Record<string, string>>, width: number): uPlot.Options {
    const axis = {
      stroke: () => colors.soft as string,
      grid: { stroke: () => colors.line as string, width: 1 },
      ticks: { stroke: () => colors.line as string, width: 1, size: 4 },
      font: '12px system-ui, sans-serif',
    };
    return {
      width: Math.max(200, width),
      height: HEIGHT_PIXELS,
      legend: { show: false },
      cursor: { show: false },
      // To the right there is room for half the word 'now'.
      padding: [8, 16, 0, 0],
      scales: { x: { time: false }, y: { range: (_plot, _least, most) => [0, niceAbove(most)] } },
      axes: [
        { ...axis, size: 26, values: (_plot, splits) => splits.map((at) => (at === 0 ? 'now' : `${at} s`)) },
        { ...axis, size: 44 },
      ],
      series: [
        {},
        ...this.#spec.series.map(({ side, line = 'solid' }) => ({
          stroke: () => colors[side] as string,
          width: line === 'solid' ? 2 : 1.25,
          points: { show: false },
          spanGaps: false,
          dash: [...DASHES[line]],
        })),
      ],
    };
  }

  add(rates: Readonly<Record<'tcp' | 'millrace', SideRates>>): void {
    const [times, ...columns] = this.#data as [number[], ...(number | null)[][]];
    for (const [index, { side, value }] of this.#spec.series.entries()) {
      const column = columns[index] as (number | null)[];
      column.push(value(rates[side]) ?? null);
      if (column.length > POINTS_MAX) column.shift();
    }
    const count = columns[0]?.length ?? 0;
    times.length = 0;
    for (let i = 0; i < count; i++) times.push((i + 1 - count) / 4);
  }

  draw(): void {
    this.#plot.setData(this.#data as uPlot.AlignedData, false);
    this.#plot.setScale('x', { min: -60, max: 0 });
  }

  redraw(): void {
    this.#plot.redraw(false, true);
  }
}

/** The top of an axis: 1, 2 or 5 times a power of ten. */
function niceAbove(most: number | null): number {
  if (most === null || !(most > 0)) return 1;
  const power = 10 ** Math.floor(Math.log10(most));
  for (const step of [1, 2, 5, 10]) if (most <= step * power) return step * power;
  return 10 * power;
}

export class Charts {
  readonly #charts: readonly Chart[];
  readonly #colors: Record<string, string> = {};

  constructor(parent: HTMLElement) {
    this.#readColors();
    this.#charts = SPECS.map((spec) => new Chart(spec, parent, this.#colors));
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      this.#readColors();
      for (const chart of this.#charts) chart.redraw();
    });
  }

  #readColors(): void {
    for (const name of ['tcp', 'millrace', 'soft', 'line']) this.#colors[name] = color(name);
  }

  /** Nobody looks at the charts of a hidden tab; their data is kept all the same. */
  add(rates: Readonly<Record<'tcp' | 'millrace', SideRates>>): void {
    for (const chart of this.#charts) chart.add(rates);
    if (document.visibilityState === 'hidden') return;
    for (const chart of this.#charts) chart.draw();
  }
}
