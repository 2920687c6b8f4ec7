/**
 * A report as data: what a bench puts into its JSON file, and what becomes one part of a page. In: nothing. Out: types.
 * Several benches share one page; each brings its sections (page.ts makes the page, run.ts puts files together).
 */

/** Colours by role, so that one transport looks alike in every chart, in light and in dark. */
export type Tone = 'accent' | 'accent2' | 'accent3' | 'warm' | 'warm2' | 'warm3' | 'cool' | 'grey';

export interface Axis {
  /** With its unit: `loss, %`. */
  readonly name: string;
  /** Default `linear`. */
  readonly scale?: 'linear' | 'log' | 'category';
  /** Of a `category` axis, in order. */
  readonly categories?: readonly string[];
  readonly min?: number;
  readonly max?: number;
}

export interface Series {
  readonly name: string;
  /** [x, y]; on a category axis x is an index. A null y leaves a gap. */
  readonly points: readonly (readonly [number, number | null])[];
  /** Default: by the place in the list. */
  readonly tone?: Tone;
  /** Default `line`. `bar` on a category axis only; bars of one `stack` stand on each other. */
  readonly style?: 'line' | 'dashed' | 'dots' | 'bar' | 'step' | 'area';
  readonly stack?: string;
}

/** A line across the plot with a word at its end. */
export interface Mark {
  readonly axis: 'x' | 'y';
  readonly at: number;
  readonly label: string;
}

export interface Chart {
  /** One short line: what is shown. */
  readonly title: string;
  readonly x: Axis;
  readonly y: Axis;
  readonly series: readonly Series[];
  readonly marks?: readonly Mark[];
  /** Default 300. */
  readonly heightPx?: number;
}

/** A paragraph, charts side by side, or a table. Texts are plain: they are escaped. */
export type Block =
  | { readonly kind: 'text'; readonly text: string }
  | {
      readonly kind: 'charts';
      readonly charts: readonly Chart[];
      /** Below them: how to read them. */
      readonly caption?: string;
      /** In one row on a wide screen; default 1. */
      readonly columns?: 1 | 2 | 3;
    }
  | {
      readonly kind: 'table';
      readonly head: readonly string[];
      /** Cells that begin with `!` are shown as missed, without it. */
      readonly rows: readonly (readonly string[])[];
      readonly caption?: string;
      /** Closed at first, with this line to open it. */
      readonly foldedUnder?: string;
    };

/** One part of a page. */
export interface Section {
  /** Unique in the page; a link target. */
  readonly id: string;
  readonly title: string;
  readonly blocks: readonly Block[];
}

/** What every result file says of its making: `seeds`, `version`, `machine`, `command` and the like. */
export type Facts = Readonly<Record<string, string>>;

/** The part of a bench's result file that a page is made from. */
export interface ReportFile {
  readonly title: string;
  readonly facts: Facts;
  readonly sections: readonly Section[];
}
