/**
 * Networks with names. Sources: `wifi` to `congested` are str0m's netem presets (latency per direction); the `interop`
 * ones are quic-interop-runner's (10 Mbit/s, 15 ms each way, a queue of 25 packets); `transatlantic` is ours.
 * Both directions are alike unless said otherwise. Jitter keeps order, so under load the mean delay rises above the
 * middle of its range.
 */
import type { LinkOptions } from './link-options.ts';
import type { LossSpec } from './loss.ts';
import type { NatSpec } from './nat.ts';
import { type NetworkSpec, symmetric } from './network.ts';

/** Runs of good and bad packets of the given mean lengths; every bad one is lost. */
function runs(goodPackets: number, badPackets: number): LossSpec {
  return { kind: 'gilbert-elliott', goodToBad: 1 / goodPackets, badToGood: 1 / badPackets };
}

function wireless(
  delayMs: number,
  jitterMs: number,
  rateBps: number,
  queueBytes: number,
  loss: LossSpec,
): NetworkSpec {
  return symmetric({
    delayMs,
    jitter: { kind: 'uniform', ms: jitterMs },
    rateBps,
    queue: { bytes: queueBytes },
    loss,
  });
}

const INTEROP: LinkOptions = { delayMs: 15, rateBps: 10e6, queue: { packets: 25 } };

function interop(changes: LinkOptions = {}, nat?: NatSpec): NetworkSpec {
  const links = symmetric({ ...INTEROP, ...changes });
  return nat === undefined ? links : { ...links, nat };
}

/** A network with a name. */
export type PresetName =
  | 'wifi'
  | 'wifi-lossy'
  | 'wifi-congested'
  | 'cellular'
  | 'satellite'
  | 'congested'
  | 'transatlantic'
  | 'interop'
  | 'interop-longrtt'
  | 'interop-blackhole'
  | 'interop-amplificationlimit'
  | 'interop-handshakeloss'
  | 'interop-transferloss'
  | 'interop-handshakecorruption'
  | 'interop-transfercorruption'
  | 'interop-rebind-port'
  | 'interop-rebind-addr';

const PRESETS: Readonly<Record<PresetName, NetworkSpec>> = {
  /** Good signal: 5 +-2 ms, 100 Mbit/s, 1 % in bursts of 2. */
  wifi: wireless(5, 2, 100e6, 200_000, runs(200, 2)),
  /** Weak signal: 15 +-10 ms, 50 Mbit/s, 4.8 % in bursts of 2. */
  'wifi-lossy': wireless(15, 10, 50e6, 100_000, runs(40, 2)),
  /** Others use it too: 10 +-20 ms, 5 Mbit/s, 10 % in bursts of 2. */
  'wifi-congested': wireless(10, 20, 5e6, 30_000, runs(18, 2)),
  /** LTE: 50 +-15 ms, 30 Mbit/s, 2 % in bursts of 2. */
  cellular: wireless(50, 15, 30e6, 100_000, runs(100, 2)),
  /** Geostationary: 300 +-15 ms each way (str0m's 600 +-30 are a round trip), 15 Mbit/s, 3 % in bursts of 3. */
  satellite: wireless(300, 15, 15e6, 500_000, runs(100, 3)),
  /** A path where everything is wrong: 80 +-40 ms, 10 Mbit/s, 10 % in bursts of 2. */
  congested: wireless(80, 40, 10e6, 50_000, runs(18, 2)),
  /** Frankfurt to New York by cable: 42 ms each way, 100 Mbit/s, 0.1 % at random. */
  transatlantic: symmetric({
    delayMs: 42,
    jitter: { kind: 'late', ms: 0.5 },
    rateBps: 100e6,
    queue: { ms: 50 },
    loss: { kind: 'iid', ratio: 0.001 },
  }),
  /** `handshake`, `transfer` and all others that name no impairment. */
  interop: interop(),
  'interop-longrtt': interop({ delayMs: 750 }),
  'interop-blackhole': interop({ blackouts: [{ startMs: 5_000, durationMs: 2_000, everyMs: 7_000 }] }),
  /** Packets 2 to 7 to the server are lost (its droplist), so the server must wait at its limit. */
  'interop-amplificationlimit': {
    up: { ...INTEROP, loss: { kind: 'index', indexes: [1, 2, 3, 4, 5, 6] } },
    down: INTEROP,
  },
  'interop-handshakeloss': interop({ loss: { kind: 'iid', ratio: 0.3, burstMax: 3 } }),
  'interop-transferloss': interop({ loss: { kind: 'iid', ratio: 0.02, burstMax: 3 } }),
  'interop-handshakecorruption': interop({ corrupt: { ratio: 0.3, burstMax: 3 } }),
  'interop-transfercorruption': interop({ corrupt: { ratio: 0.02, burstMax: 3 } }),
  'interop-rebind-port': interop({}, { firstRebindMs: 1_000, rebindEveryMs: 5_000, changes: 'port' }),
  'interop-rebind-addr': interop({}, { firstRebindMs: 1_000, rebindEveryMs: 5_000, changes: 'address' }),
};

/** All names, in the order of documentation. */
export const PRESET_NAMES: readonly PresetName[] = Object.keys(PRESETS) as PresetName[];

/** What a caller may change in a preset. */
export interface PresetChanges {
  /** Round-trip propagation delay, milliseconds: half each way. */
  readonly rttMs?: number;
  /** Random loss ratio (0..1) in each direction, in place of the preset's. */
  readonly lossRatio?: number;
  /** Further options, for both directions. */
  readonly link?: LinkOptions;
}

/** The network of this name, changed as asked. Throws `RangeError`, with the names there are, for an unknown one. */
export function preset(name: string, changes: PresetChanges = {}): NetworkSpec {
  if (!Object.hasOwn(PRESETS, name)) {
    throw new RangeError(`no preset is called '${name}'; there are ${PRESET_NAMES.join(', ')}`);
  }
  const spec: NetworkSpec = PRESETS[name as PresetName];
  const options: LinkOptions = {
    ...(changes.rttMs === undefined ? {} : { delayMs: changes.rttMs / 2 }),
    ...(changes.lossRatio === undefined ? {} : { loss: { kind: 'iid', ratio: changes.lossRatio } }),
    ...changes.link,
  };
  return { ...spec, up: { ...spec.up, ...options }, down: { ...spec.down, ...options } };
}
