/**
 * Charts as SVG text, without a browser. In: {@link Chart}. Out: one `<svg>` whose colours are CSS variables of the page,
 * so that it follows light and dark. Source: Apache ECharts' server-side rendering.
 */
import * as echarts from 'echarts';
import type { Axis, Chart, Mark, Series, Tone } from './section.ts';

const WIDTH_PX = 640;
const HEIGHT_PX = 300;
const TONES: readonly Tone[] = ['accent', 'warm', 'cool', 'accent2', 'warm2', 'accent3', 'warm3', 'grey'];

/**
 * Colours that ECharts is given and that nothing else uses; they become variables in the text afterwards. ECharts
 * computes with colours here and there, so that a variable itself will not do.
 */
const PLACEHOLDERS: Readonly<Record<string, string>> = {
  ink: '#010203',
  faint: '#010204',
  line: '#010205',
  accent: '#010301',
  accent2: '#010302',
  accent3: '#010303',
  warm: '#010304',
  warm2: '#010305',
  warm3: '#010306',
  cool: '#010307',
  grey: '#010308',
};

/** Without a browser nothing measures letters: the mean of the usual sans-serif fonts, rather too wide than too narrow. */
const LETTER_EMS = 0.58;
echarts.setPlatformAPI({
  measureText: (text: string, font?: string) => {
    const fontPx = Number(/(\d+)px/.exec(font ?? '')?.[1] ?? 12);
    // The height of a line is asked for as the width of one ideograph.
    const ems = [...text].reduce((sum, letter) => sum + (letter > '\u2e80' ? 1 : LETTER_EMS), 0);
    return { width: ems * fontPx };
  },
});

function placeholder(name: string): string {
  return PLACEHOLDERS[name] as string;
}

/** Renders a chart, `widthPx` wide in its own units; the page scales it. */
export function renderChart(chart: Chart, widthPx: number = WIDTH_PX): string {
  const height = chart.heightPx ?? HEIGHT_PX;
  const instance = echarts.init(null, null, { renderer: 'svg', ssr: true, width: widthPx, height });
  instance.setOption(optionOf(chart, widthPx));
  let svg = instance.renderToSVGString();
  instance.dispose();
  for (const [name, colour] of Object.entries(PLACEHOLDERS)) svg = svg.replaceAll(colour, `var(--${name})`);
  // What only moves under a pointer goes; the drawing scales with its column and is read aloud by its title.
  return svg
    .replace(/<style[\s\S]*?<\/style>/g, '')
    .replace(/ (?:class|pointer-events)="[^"]*"/g, '')
    .replace(
      /<svg width="\d+" height="\d+"/,
      `<svg role="img" aria-label="${chart.title.replace(/["<&]/g, ' ')}"`,
    );
}

function optionOf(chart: Chart, widthPx: number): echarts.EChartsCoreOption {
  const rows = Math.ceil(legendWidth(chart.series) / (widthPx - 40));
  return {
    animation: false,
    textStyle: { fontFamily: 'system-ui, sans-serif', color: placeholder('ink') },
    title: {
      text: chart.title,
      left: 4,
      top: 2,
      textStyle: { fontSize: 14, fontWeight: 600, color: placeholder('ink') },
    },
    legend: {
      show: chart.series.length > 1,
      left: 4,
      top: 24,
      itemWidth: 16,
      itemHeight: 8,
      itemGap: 14,
      textStyle: { fontSize: 12, color: placeholder('ink') },
    },
    grid: { left: 56, right: 20, top: chart.series.length > 1 ? 34 + 23 * rows : 40, bottom: 46 },
    xAxis: { ...axisOption(chart.x), nameLocation: 'middle', nameGap: 28 },
    yAxis: { ...axisOption(chart.y), nameLocation: 'middle', nameGap: 40 },
    series: chart.series.map((series, i) => seriesOption(series, i, i === 0 ? (chart.marks ?? []) : [])),
  };
}

/** About how many pixels the legend takes in one row. */
function legendWidth(series: readonly Series[]): number {
  return series.reduce((sum, { name }) => sum + 36 + name.length * 12 * LETTER_EMS, 0);
}

/** So many categories all have their name below them. */
const FEW = 8;

function axisOption(axis: Axis): Record<string, unknown> {
  const { scale = 'linear', name, categories, min, max } = axis;
  return {
    type: scale === 'linear' ? 'value' : scale,
    name,
    ...(categories === undefined ? {} : { data: categories }),
    ...(min === undefined ? {} : { min }),
    ...(max === undefined ? {} : { max }),
    nameTextStyle: { fontSize: 12, color: placeholder('faint') },
    axisLabel: {
      fontSize: 11,
      color: placeholder('faint'),
      ...((categories?.length ?? FEW + 1) <= FEW ? { interval: 0 } : { hideOverlap: true }),
    },
    axisLine: { show: true, lineStyle: { color: placeholder('line') } },
    axisTick: { lineStyle: { color: placeholder('line') } },
    splitLine: { show: scale !== 'category', lineStyle: { color: placeholder('line'), opacity: 0.5 } },
  };
}

function seriesOption(series: Series, index: number, marks: readonly Mark[]): Record<string, unknown> {
  const { name, style = 'line', points, stack } = series;
  const color = placeholder(series.tone ?? (TONES[index % TONES.length] as Tone));
  const common = {
    name,
    data: points,
    itemStyle: { color },
    ...(stack === undefined ? {} : { stack }),
    ...(marks.length === 0 ? {} : { markLine: markOption(marks) }),
  };
  if (style === 'bar') return { ...common, type: 'bar', barMaxWidth: 28 };
  if (style === 'dots') return { ...common, type: 'scatter', symbolSize: 7 };
  return {
    ...common,
    type: 'line',
    showSymbol: points.length <= 24,
    symbol: 'circle',
    symbolSize: 5,
    lineStyle: { color, width: 2, type: style === 'dashed' ? [5, 4] : 'solid' },
    ...(style === 'step' ? { step: 'end' } : {}),
    ...(style === 'area' ? { areaStyle: { color, opacity: 0.25 } } : {}),
  };
}

function markOption(marks: readonly Mark[]): Record<string, unknown> {
  return {
    silent: true,
    symbol: 'none',
    lineStyle: { color: placeholder('faint'), type: [3, 3], width: 1 },
    data: marks.map(({ axis, at, label }) => ({
      ...(axis === 'x' ? { xAxis: at } : { yAxis: at }),
      label: { formatter: label, color: placeholder('faint'), fontSize: 11, position: 'insideEndTop' },
    })),
  };
}
