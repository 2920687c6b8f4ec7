/**
 * Numbers as people write them on a command line: rates with powers of 1000, times in ms or s, and back.
 */
import { UsageError } from './errors.ts';

const FACTORS: Record<string, number> = { '': 1, k: 1e3, K: 1e3, m: 1e6, M: 1e6, g: 1e9, G: 1e9 };

/** From, to, bit/s, and both as users write them. */
export interface RateBounds {
  readonly min: number;
  readonly max: number;
  readonly said: string;
}

const ANY_RATE: RateBounds = { min: 1e3, max: 100e9, said: '1k to 100G' };
/** Where rate control may begin. */
export const START_RATE: RateBounds = { min: 10e3, max: 10e9, said: '10k to 10G' };

/** `4M`, `500k`, `2.5M` in bits per second; powers of 1000. `name` is what the message calls it. */
export function parseRate(text: string, name: string, bounds: RateBounds = ANY_RATE): number {
  const match = /^(\d+(?:\.\d+)?)([kKmMgG]?)$/.exec(text.trim());
  const value = match === null ? 0 : Math.round(Number(match[1]) * (FACTORS[match[2] as string] as number));
  if (!(value >= bounds.min && value <= bounds.max)) {
    throw new UsageError(
      `${name} '${text}' is not a rate: write bits per second as 4M, 500k or 1G (${bounds.said})`,
    );
  }
  return value;
}

/** `120`, `120ms`, `1.5s` in milliseconds, at most a day. Bare numbers are milliseconds. */
export function parseTime(text: string, name: string, minMs = 0, maxMs = 86_400_000): number {
  const match = /^(\d+(?:\.\d+)?)(ms|s)?$/.exec(text.trim());
  const value = match === null ? Number.NaN : Number(match[1]) * (match[2] === 's' ? 1000 : 1);
  if (!(value >= minMs && value <= maxMs)) {
    throw new UsageError(
      `${name} '${text}' is not a time of ${minMs} ms to ${maxMs} ms: write 120, 120ms or 1.5s`,
    );
  }
  return value;
}

/** An integer within bounds. */
export function parseInteger(text: string, name: string, min: number, max: number): number {
  const value = /^\d+$/.test(text.trim()) ? Number(text) : Number.NaN;
  if (!(value >= min && value <= max))
    throw new UsageError(`${name} '${text}' is not a number of ${min} to ${max}`);
  return value;
}

/** `5%` or `0.05` as 0..1. */
export function parseRatio(text: string, name: string): number {
  const match = /^(\d+(?:\.\d+)?)(%?)$/.exec(text.trim());
  const value = match === null ? Number.NaN : Number(match[1]) / (match[2] === '%' ? 100 : 1);
  if (!(value >= 0 && value <= 1)) throw new UsageError(`${name} '${text}' is not a share: write 5% or 0.05`);
  return value;
}

/** One of a few words. */
export function parseChoice<Word extends string>(text: string, name: string, words: readonly Word[]): Word {
  const found = words.find((word) => word === text);
  if (found === undefined) throw new UsageError(`${name} '${text}' is not one of ${words.join(', ')}`);
  return found;
}

/** 4_130_000 as `4.13 Mbit/s`. */
export function formatRate(bps: number): string {
  return `${formatScaled(bps)}bit/s`;
}

/** 1_970_000 as `1.97 MB`. */
export function formatBytes(bytes: number): string {
  return `${formatScaled(bytes)}B`;
}

function formatScaled(value: number): string {
  if (!Number.isFinite(value)) return '- ';
  const units = ['', 'k', 'M', 'G', 'T'];
  let scaled = value;
  let unit = 0;
  while (scaled >= 999.5 && unit < units.length - 1) {
    scaled /= 1000;
    unit++;
  }
  return `${unit === 0 ? String(Math.round(scaled)) : scaled.toPrecision(3)} ${units[unit]}`;
}
