/** What must hold of a cell against what it did. In: finished cells. Out: one line per limit, and the figures they rest on. */
import { DECODABLE_WITHIN_MS } from '../../src/lab/measure.ts';
import { milliseconds, percent } from '../loss/format.ts';
import type { KernelLimits } from './matrix.ts';
import type { Finished } from './store.ts';

export interface KernelVerdict {
  readonly id: string;
  readonly asked: string;
  readonly measured: string;
  readonly isMet: boolean;
}

/** Propagation and serialisation of frames without any loss, ms: what no transport can be faster than. */
export function limitMs({ cell, result }: Finished): { readonly p50: number; readonly p99: number } {
  const { up } = cell.spec.network;
  const video = result.sources[0];
  const groupFrames = 60;
  const keyFrameFactor = 6;
  const meanBytes = (video?.steady.mediaBytes ?? 0) / Math.max(1, video?.steady.frames ?? 1);
  const plainBytes = (meanBytes * groupFrames) / (groupFrames - 1 + keyFrameFactor);
  const serialMs = (bytes: number): number => (bytes * 8_000) / (up.rateBps ?? Number.POSITIVE_INFINITY);
  const delayMs = up.delayMs ?? 0;
  return { p50: delayMs + serialMs(plainBytes), p99: delayMs + serialMs(plainBytes * keyFrameFactor) };
}

/** Share of the first source's frames after start-up that were on time. */
export function onTimeShare({ result }: Finished): number {
  const steady = result.sources[0]?.steady;
  return steady === undefined || steady.frames === 0 ? 0 : steady.onTime / steady.frames;
}

/** Frames within so many milliseconds of capture that a comparison goes by. */
const DECODABLE_MS = 200;

/** Share of the first source's frames after start-up that a decoder could show within 200 ms. */
export function decodableShare({ result }: Finished): number {
  const steady = result.sources[0]?.steady;
  if (steady === undefined || steady.frames === 0) return 0;
  return (steady.decodable[DECODABLE_WITHIN_MS.indexOf(DECODABLE_MS)] ?? 0) / steady.frames;
}

/** IP bytes of the media direction per byte of media. */
export function wireRatio({ result }: Finished): number {
  return result.up.bytes / result.mediaBytes;
}

/** One verdict per limit of the cell. */
export function verdictsOf(finished: Finished): KernelVerdict[] {
  const { id, limits } = finished.cell;
  const { latency } = finished.result.sources[0]?.steady ?? {};
  const bound = limitMs(finished);
  const ms = (value: number): string => `${value.toFixed(1)} ms`;
  const rows: readonly (readonly [keyof KernelLimits, string, number, boolean, (value: number) => string])[] =
    [
      ['onTimeMin', 'on time at least', onTimeShare(finished), true, (v) => `${(100 * v).toFixed(2)} %`],
      ['wireRatioMax', 'wire ratio at most', wireRatio(finished), false, (v) => v.toFixed(3)],
      ['p50AboveLimitMsMax', 'p50 above the limit at most', (latency?.p50Ms ?? 0) - bound.p50, false, ms],
      ['p99AboveLimitMsMax', 'p99 above the limit at most', (latency?.p99Ms ?? 0) - bound.p99, false, ms],
      [
        'goodputBpsMin',
        'goodput at least',
        finished.result.goodputBps,
        true,
        (v) => `${(v / 1e6).toFixed(1)} Mbit/s`,
      ],
    ];
  return rows.flatMap(([name, what, value, isMinimum, show]): KernelVerdict[] => {
    const limit = limits[name];
    if (limit === undefined) return [];
    const isMet = isMinimum ? value >= limit : value <= limit;
    return [{ id, asked: `${what} ${show(limit)}`, measured: show(value), isMet }];
  });
}

/**
 * The quick form runs on machines that do other things. Who was held up by the emulator for so long, of a latency of 120 ms,
 * is not to blame for a frame that was late.
 */
const STALL_US_MAX = 30_000;
/** A stall excuses no more than this share of the frames. */
const STALL_SHARE_MARGIN = 0.05;

/** For how long the emulator stood still in a cell of the quick form, ms; 0: not long enough to matter. */
function stallMs({ cell, result }: Finished): number {
  const us = Math.max(result.timing.up.maxUs, result.timing.down.maxUs);
  return cell.set === 'quick' && us > STALL_US_MAX ? us / 1_000 : 0;
}

/** Of the quick form: a difference of less than two frames in some hundred is none. */
const QUICK_SHARE_MARGIN = 0.005;

/**
 * On every network: millrace on time at least as often as each TCP beside it. Where the network changes, more frames that
 * can be shown in time too, with a lower p99.
 */
export function comparisons(cells: readonly Finished[]): KernelVerdict[] {
  const verdicts: KernelVerdict[] = [];
  for (const own of cells) {
    if (own.cell.spec.transport !== 'millrace' || own.cell.spec.isBulk) continue;
    for (const other of cells) {
      const isRival = other.cell.spec.transport.startsWith('tcp-') && !other.cell.spec.isBulk;
      if (!isRival || other.cell.set !== own.cell.set || other.cell.network !== own.cell.network) continue;
      if (own.cell.set === 'dynamic') verdicts.push(...changeVerdicts(own, other));
      const [mine, theirs] = [onTimeShare(own), onTimeShare(other)];
      const isMet = mine >= theirs - (own.cell.set === 'quick' ? QUICK_SHARE_MARGIN : 0);
      const heldMs = isMet || mine < theirs - STALL_SHARE_MARGIN ? 0 : stallMs(own);
      const excuse =
        heldMs === 0 ? '' : ` (not judged: the emulator stood still for ${milliseconds(heldMs)} ms)`;
      verdicts.push({
        id: own.cell.id,
        asked: `on time as often as ${other.cell.spec.transport} (${percent(theirs)})`,
        measured: `${percent(mine)}${excuse}`,
        isMet: isMet || heldMs > 0,
      });
    }
  }
  return verdicts;
}

function p99Ms({ result }: Finished): number {
  return result.sources[0]?.steady.latency.p99Ms ?? Number.POSITIVE_INFINITY;
}

function latencyText(ms: number): string {
  return Number.isFinite(ms) ? `${milliseconds(ms)} ms` : 'never';
}

/** Where the network changes. */
function changeVerdicts(own: Finished, other: Finished): KernelVerdict[] {
  const { transport } = other.cell.spec;
  const decodable = `decodable within ${DECODABLE_MS} ms`;
  return [
    {
      id: own.cell.id,
      asked: `${decodable} more often than ${transport} (${percent(decodableShare(other))})`,
      measured: percent(decodableShare(own)),
      isMet: decodableShare(own) > decodableShare(other),
    },
    {
      id: own.cell.id,
      asked: `p99 below that of ${transport} (${latencyText(p99Ms(other))})`,
      measured: latencyText(p99Ms(own)),
      isMet: p99Ms(own) < p99Ms(other),
    },
  ];
}
