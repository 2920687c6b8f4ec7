/**
 * The bad network as the page's sliders set it, with its limits and its ready-made values. Used by the page and by the
 * server. In: whatever came over the wire or in a query. Out: checked settings, and the links they mean.
 */
import type { LinkOptions } from '../../src/sim/link-options.ts';
import { type PresetName, preset } from '../../src/sim/presets.ts';

/** Each value holds in both directions. */
export interface PathSettings {
  /** Packets lost one way, 0..0.2. */
  readonly lossRatio: number;
  /** Mean run of lost packets; 1 is loss at random. */
  readonly burst: number;
  /** Round-trip propagation delay, ms; half each way. */
  readonly rttMs: number;
  /** Delay varies by so much, +- ms, without changing the order. */
  readonly jitterMs: number;
  /** Bits per second each way, with a queue of 100 ms. */
  readonly capacityBps: number;
}

/** Smallest and largest value of each setting. */
export const SETTING_LIMITS: Readonly<Record<keyof PathSettings, readonly [number, number]>> = {
  lossRatio: [0, 0.2],
  burst: [1, 10],
  rttMs: [0, 800],
  jitterMs: [0, 100],
  capacityBps: [300_000, 100_000_000],
};

/** Enough to see the difference within seconds, and an ordinary day on a mobile network. */
export const START_SETTINGS: PathSettings = {
  lossRatio: 0.05,
  burst: 1,
  rttMs: 150,
  jitterMs: 0,
  capacityBps: 20_000_000,
};

/** The settings in `value`, each within its limits; what is missing or no number stays as in `before`. */
export function parseSettings(value: unknown, before: PathSettings): PathSettings {
  if (typeof value !== 'object' || value === null) return before;
  const given = value as Readonly<Record<string, unknown>>;
  const read = (name: keyof PathSettings): number => {
    const number = given[name];
    if (typeof number !== 'number' || !Number.isFinite(number)) return before[name];
    const [least, most] = SETTING_LIMITS[name];
    return Math.min(most, Math.max(least, number));
  };
  return {
    lossRatio: read('lossRatio'),
    burst: read('burst'),
    rttMs: read('rttMs'),
    jitterMs: read('jitterMs'),
    capacityBps: read('capacityBps'),
  };
}

/** The link that these settings mean, one direction. */
export function linkOptions(settings: PathSettings): LinkOptions {
  const { lossRatio, burst, rttMs, jitterMs, capacityBps } = settings;
  return {
    loss:
      burst > 1 ? { kind: 'burst', ratio: lossRatio, meanBurst: burst } : { kind: 'iid', ratio: lossRatio },
    delayMs: rttMs / 2,
    jitter: { kind: 'uniform', ms: jitterMs },
    rateBps: capacityBps,
    queue: { ms: 100 },
  };
}

/** The sliders' values for a network that the simulator has by name. */
function fromPreset(name: PresetName): PathSettings {
  const { delayMs = 0, jitter, rateBps, loss } = preset(name).up;
  if (loss === undefined || !('goodToBad' in loss)) throw new RangeError(`${name} is no wireless network`);
  return {
    lossRatio: loss.goodToBad / (loss.goodToBad + loss.badToGood),
    burst: 1 / loss.badToGood,
    rttMs: 2 * delayMs,
    jitterMs: jitter?.ms ?? 0,
    capacityBps: rateBps ?? START_SETTINGS.capacityBps,
  };
}

/** What the buttons set. */
export const READY_MADE: readonly { readonly name: string; readonly settings: PathSettings }[] = [
  { name: 'Clean', settings: { lossRatio: 0, burst: 1, rttMs: 40, jitterMs: 0, capacityBps: 50_000_000 } },
  { name: 'Wi-Fi', settings: fromPreset('wifi-lossy') },
  { name: 'Cellular', settings: fromPreset('cellular') },
  { name: 'Satellite', settings: fromPreset('satellite') },
];
