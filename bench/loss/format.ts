/** Figures as text. Ratios 0..1; what never happened is `never`. */

/** A share of 1 as per cent. */
export function percent(share: number, decimals = 2): string {
  return `${(share * 100).toFixed(decimals)} %`;
}

/** As {@link percent}, but never rounded up to a full 100: 99.97 % is not 100 %. */
export function shareText(share: number): string {
  if (share === 1) return '100 %';
  return share > 0.999 ? `${(Math.floor(share * 1e5) / 1e3).toFixed(2)} %` : percent(share, 1);
}

/** Milliseconds without decimals. */
export function milliseconds(value: number): string {
  return Number.isFinite(value) ? value.toFixed(0) : 'never';
}

/** The median, and behind it the range where there is one: `36 [35..38]`. */
export function spreadText(
  spread: { readonly median: number; readonly min: number; readonly max: number },
  text: (value: number) => string = milliseconds,
): string {
  const [median, min, max] = [text(spread.median), text(spread.min), text(spread.max)];
  return min === max ? median : `${median} [${min}..${max}]`;
}

/** For a chart: per cent, or a gap. */
export function percentPoint(share: number | undefined): number | null {
  return share === undefined || !Number.isFinite(share) ? null : Math.round(share * 1e5) / 1e3;
}
