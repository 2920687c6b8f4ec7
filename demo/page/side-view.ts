/** The figures under one side's picture. In: rates and the last report. Out: text on the page. */
import type { SideRates } from './history.ts';
import { rate, seconds } from './sentence.ts';
import type { SideReport } from './side-report.ts';

const NAMES = ['Behind', '95 % within', 'Frozen', 'Encoded'] as const;
/** An older picture than this gets a badge, ms. */
const OLD_MS = 600;

export class SideView {
  readonly #values: readonly HTMLElement[];
  readonly #badge: HTMLElement;

  constructor(article: HTMLElement) {
    const list = article.querySelector('.figures') as HTMLElement;
    this.#badge = article.querySelector('.badge') as HTMLElement;
    this.#values = NAMES.map((name) => {
      const pair = document.createElement('div');
      const term = document.createElement('dt');
      term.textContent = name;
      const value = document.createElement('dd');
      value.textContent = '–';
      pair.append(term, value);
      list.append(pair);
      return value;
    });
  }

  show(report: SideReport, rates: SideRates): void {
    const { latencyMs, latencyMsP95, freezeMs, watchedMs } = report;
    const share = watchedMs === 0 ? 0 : (100 * freezeMs) / watchedMs;
    const texts = [
      latencyMs === undefined ? '–' : seconds(latencyMs),
      latencyMsP95 === 0 ? '–' : seconds(latencyMsP95),
      `${share.toFixed(1)} %`,
      rate(rates.encodedBps),
    ];
    for (const [index, value] of this.#values.entries()) value.textContent = texts[index] ?? '';
    this.#badge.hidden = latencyMs === undefined || latencyMs < OLD_MS;
    if (!this.#badge.hidden) this.#badge.textContent = `${seconds(latencyMs ?? 0)} old`;
  }
}
