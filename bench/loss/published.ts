/**
 * The set `published`: what others have published about their transports, set up again. Each scenario names its source
 * and what was seen there; those figures stand in the report as measured elsewhere.
 */

import { SeededRandom } from '../../src/base/random.ts';
import type { TransportName } from '../../src/lab/cell.ts';
import { AUDIO, type WorkloadSpec } from '../../src/lab/workload.ts';
import type { LossSpec } from '../../src/sim/loss.ts';
import { type NetworkSpec, symmetric } from '../../src/sim/network.ts';
import { preset } from '../../src/sim/presets.ts';
import type { BenchCell } from './plan.ts';
import { TAMBUR_CHANNEL } from './planner.ts';

const SEEDS = [1, 2, 3];
const STARTUP_MS = 3_000;

/** One published set-up. */
export interface Scenario {
  /** `B1` to `B10`. */
  readonly id: string;
  readonly title: string;
  readonly source: string;
  /** What was measured there, in its own words and units. */
  readonly elsewhere: string;
}

export const SCENARIOS: readonly Scenario[] = [
  {
    id: 'B1',
    title: 'One small message every 20 ms, RTT 60 to 125 ms, 5 % loss each way',
    source: 'skywind3000/kcp test.cpp (its "10 %" is for the round trip)',
    elsewhere:
      'KCP there and back, mean / max: default 740 / 1507 ms, normal 156 / 571 ms, fast 138 / 392 ms',
  },
  {
    id: 'B2',
    title: 'quic-interop-runner transferloss: 10 Mbit/s, RTT 30 ms, 2 %, at most 3 in a row',
    source: 'quic-interop/quic-interop-runner, quic-network-simulator drop-rate',
    elsewhere: 'pass or fail only',
  },
  {
    id: 'B3',
    title: "Tambur's channel and four of its random ones: one way 50 ms, three frame times to recover in",
    source: 'Tambur (NSDI 2023), Thesys-lab/tambur configurations',
    elsewhere: 'against Reed-Solomon: 26 % fewer undecodable frames at 35 % less redundancy',
  },
  {
    id: 'B4',
    title: 'Loss ladder: 6 Mbit/s of media over 8 Mbit/s, latency 4 RTT',
    source: 'ossrs/srs issue 1147, Haivision/srt issue 656',
    elsewhere: 'SRT, RTT below 25 ms: glitches at 10 %, heavy above 20 %, connection lost above 30 %',
  },
  {
    id: 'B5',
    title: 'RTT 500 ms with 10 ms of jitter that reorders, 15 Mbit/s of media',
    source: 'Haivision/srt issue 31',
    elsewhere: 'SRT: wire twice the media, breaks after 10 to 20 s',
  },
  {
    id: 'B6',
    title: 'A policer of 250 kbit/s under 400 kbit/s of media, latency 2 s',
    source: 'pedroSG94/RootEncoder issue 2199',
    elsewhere: 'SRT: 600 000 packets in 150 s, 95 % of them dropped, few of them original',
  },
  {
    id: 'B7',
    title: 'RFC 8867 §5.1: capacity 1.0 / 2.5 / 0.6 / 1.0 Mbit/s from 0 / 40 / 60 / 80 s',
    source: 'RFC 8867, values as in the ns-3 rmcat suite',
    elsewhere: 'no figures; the bench of rate control has the other cases',
  },
  {
    id: 'B8',
    title: 'Nothing passes for 2 s',
    source: 'kernel and peers on an emulated link (see measured elsewhere, blackout)',
    elsewhere: 'RTT 60 ms, p99: TCP 811, SRT 825, KCP 921, SCTP 2107 ms',
  },
  {
    id: 'B9',
    title: 'Audio, 50 packets a second, RTT 280 ms ± 20, 5 % loss',
    source: 'xtaci/kcptun issues 835 and 865',
    elsewhere:
      'Reed-Solomon 8:8, 4:4 and 2:2 gain nothing over none: groups never fill; 1:1 helps at 148 % more bytes',
  },
  {
    id: 'B10',
    title: 'A clean link',
    source: 'xtaci/kcptun issue 358',
    elsewhere: 'kcptun spends 30 to 60 % on a clean link',
  },
];

interface Setup {
  readonly id: string;
  /** After the scenario's name: what varies within it. */
  readonly variant: string;
  readonly network: NetworkSpec;
  readonly workload: WorkloadSpec;
  readonly latencyMs: number;
  readonly measuredMs?: number;
  readonly transports?: readonly TransportName[];
  readonly changes?: Partial<BenchCell['spec']>;
}

const VIDEO: WorkloadSpec = { video: { bitrateBps: 4e6 }, audio: AUDIO };
const ALL: readonly TransportName[] = ['millrace', 'tcp-cubic', 'tcp-skip', 'udp'];
const RELIABLE: readonly TransportName[] = ['millrace', 'tcp-cubic'];

function iid(ratio: number): LossSpec {
  return ratio === 0 ? { kind: 'none' } : { kind: 'iid', ratio };
}

function link(rttMs: number, rateBps: number, loss: LossSpec): NetworkSpec {
  return symmetric({ delayMs: rttMs / 2, rateBps, queue: { ms: 100 }, loss });
}

function small(): Setup[] {
  const jittery = {
    delayMs: 46.25,
    jitter: { kind: 'uniform', ms: 16.25, keepOrder: false },
    loss: iid(0.05),
  } as const;
  const audioLink = {
    delayMs: 140,
    jitter: { kind: 'uniform', ms: 10, keepOrder: false },
    loss: iid(0.05),
  } as const;
  return [
    {
      id: 'B1',
      variant: '1000 messages of 8 bytes',
      network: symmetric(jittery),
      workload: { packets: { sizeBytes: 8, everyMs: 20 } },
      latencyMs: 120,
      transports: ['millrace', 'tcp-cubic', 'udp'],
    },
    {
      id: 'B9',
      variant: 'latency 120 ms',
      network: symmetric(audioLink),
      workload: { audio: AUDIO },
      latencyMs: 120,
      transports: ['millrace', 'tcp-cubic', 'udp'],
    },
    {
      id: 'B9',
      variant: 'latency 400 ms',
      network: symmetric(audioLink),
      workload: { audio: AUDIO },
      latencyMs: 400,
      transports: ['millrace', 'tcp-cubic', 'udp'],
    },
  ];
}

/** Channels within the ranges that Tambur draws from. */
function randomChannels(): LossSpec[] {
  const random = new SeededRandom(16);
  const between = (low: number, high: number): number =>
    Math.round((low + (high - low) * random.unit()) * 1e3) / 1e3;
  return Array.from({ length: 4 }, () => ({
    kind: 'gilbert-elliott',
    goodToBad: between(0.01, 0.05),
    badToGood: between(0.75, 0.9),
    lossGood: between(0, 0.05),
    lossBad: between(0.05, 1),
  }));
}

function bursts(): Setup[] {
  return [TAMBUR_CHANNEL as LossSpec, ...randomChannels()].map((loss, i) => ({
    id: 'B3',
    variant: i === 0 ? 'its channel' : `random channel ${i}`,
    network: link(100, 20e6, loss),
    workload: { video: { bitrateBps: 2e6, keyFrameFactor: 1 } },
    latencyMs: 100,
    transports: ['millrace', 'tcp-cubic', 'udp'],
  }));
}

function ladder(): Setup[] {
  return [20, 50, 100, 200].flatMap((rttMs) =>
    [0, 0.01, 0.03, 0.05, 0.1, 0.2, 0.3].map((ratio) => ({
      id: 'B4',
      variant: `RTT ${rttMs} ms, ${ratio * 100} %`,
      network: link(rttMs, 8e6, iid(ratio)),
      workload: { video: { bitrateBps: 6e6 } },
      latencyMs: Math.max(120, 4 * rttMs),
      measuredMs: 10_000,
      transports: RELIABLE,
    })),
  );
}

function hardPaths(): Setup[] {
  const policed = {
    delayMs: 30,
    policer: { rateBps: 250_000, burstBytes: 12_000 },
  };
  const follow = { minBps: 50_000, maxBps: 400_000 };
  return [
    {
      id: 'B5',
      variant: 'latency 2 s',
      network: symmetric({
        delayMs: 250,
        jitter: { kind: 'uniform', ms: 10, keepOrder: false },
        rateBps: 50e6,
        queue: { ms: 100 },
      }),
      workload: { video: { bitrateBps: 15e6 } },
      latencyMs: 2_000,
      transports: RELIABLE,
    },
    {
      id: 'B6',
      variant: 'an encoder that does not listen',
      network: { up: policed, down: { delayMs: 30 } },
      workload: { video: { bitrateBps: 400_000 } },
      latencyMs: 2_000,
    },
    {
      id: 'B6',
      variant: 'an encoder that follows its target',
      network: { up: policed, down: { delayMs: 30 } },
      workload: { video: { bitrateBps: 400_000, follow } },
      latencyMs: 2_000,
      transports: ['millrace'],
    },
    {
      id: 'B8',
      variant: 'from 10 s on',
      network: link(60, 20e6, iid(0)),
      workload: VIDEO,
      latencyMs: 120,
      changes: { steps: [{ atMs: 10_000, do: 'blackout', link: 'both', durationMs: 2_000 }] },
    },
  ];
}

function plainPaths(): Setup[] {
  const step = (atMs: number, rateBps: number) =>
    ({ atMs, do: 'set', link: 'up', options: { rateBps } }) as const;
  return [
    {
      id: 'B2',
      variant: '4 Mbit/s',
      network: preset('interop-transferloss'),
      workload: VIDEO,
      latencyMs: 120,
    },
    {
      id: 'B7',
      variant: 'an encoder that follows its target',
      network: {
        up: { delayMs: 50, rateBps: 1e6, queue: { ms: 300 } },
        down: { delayMs: 50, rateBps: 1e6, queue: { ms: 300 } },
      },
      workload: { video: { bitrateBps: 500_000, follow: { minBps: 100_000, maxBps: 2.5e6 } } },
      latencyMs: 250,
      measuredMs: 97_000,
      transports: ['millrace'],
      changes: { steps: [step(40_000, 2.5e6), step(60_000, 0.6e6), step(80_000, 1e6)] },
    },
    {
      id: 'B10',
      variant: 'RTT 60 ms',
      network: link(60, 20e6, iid(0)),
      workload: VIDEO,
      latencyMs: 120,
    },
  ];
}

function cellsOf(setup: Setup): BenchCell[] {
  const { id, variant, network, workload, latencyMs, measuredMs = 20_000, transports = ALL, changes } = setup;
  return transports.map((transport) => ({
    id: `published/${id}/${variant.replaceAll(' ', '-')}/${transport}`,
    set: 'published',
    facets: { scenario: id, variant, transport, latencyMs },
    spec: {
      transport,
      network,
      workload,
      latencyMs,
      startupMs: STARTUP_MS,
      durationMs: STARTUP_MS + measuredMs,
      ...changes,
    },
    seeds: SEEDS,
  }));
}

/** All cells of the set, B1 first. */
export function publishedCells(): BenchCell[] {
  const order = new Map(SCENARIOS.map(({ id }, i) => [id, i]));
  return [...small(), ...bursts(), ...ladder(), ...hardPaths(), ...plainPaths()]
    .sort((a, b) => (order.get(a.id) ?? 0) - (order.get(b.id) ?? 0))
    .flatMap(cellsOf);
}

/** What `--quick` keeps: one cell each of the cheap scenarios. */
export function quickPublishedCells(): BenchCell[] {
  return publishedCells().filter(({ facets }) => ['B1', 'B6', 'B9', 'B10'].includes(String(facets.scenario)));
}
