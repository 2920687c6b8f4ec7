/** Scenarios beside RFC 8867: Wi-Fi, cellular traces, shallow buffers, policers, bursts of loss, steps, bulk, a clean path. */
import type { Metrics, RateCase } from './case.ts';
import { iid, JITTER, MBPS, QUEUE, steps, WIDE } from './cases-8867.ts';
import { lteTrace } from './lte.ts';
import { fallSeconds, loss, onTime, probed, queueMs, riseSeconds, share } from './measure.ts';
import type { FlowResult, RunResult } from './result.ts';

const HIGH = { minBps: 150_000, maxBps: 20 * MBPS };
const BULK_BPS = 30 * MBPS;

function only(run: RunResult): FlowResult {
  return run.flows[0] as FlowResult;
}

function basics(run: RunResult, fromS: number, maxBps: number): Metrics {
  const flow = only(run);
  const toS = run.seconds - 1;
  return {
    shareRatio: share(run, flow, fromS, toS, maxBps),
    queueP95Ms: queueMs([flow], 0.95, fromS, toS),
    lossRatio: loss(flow, fromS, toS),
    onTimeRatio: onTime(flow, fromS, toS),
    probeRatio: probed(flow, 10, toS),
  };
}

function bulk(lossPercent: number): RateCase {
  return {
    name: `bulk-loss${lossPercent}`,
    title: `bulk stream, 30 Mbit/s, round trip of 60 ms, ${lossPercent} % random loss`,
    seconds: 30,
    delayMs: 30,
    forward: { capacity: { kind: 'rate', rateBps: BULK_BPS }, queue: QUEUE, ...iid(lossPercent / 100) },
    flows: [{ kind: 'bulk' }],
    measure: (run) => ({
      // Of what a link with this loss can carry: what was sent fills it, a part of that is lost before it.
      shareRatio: only(run).through.rate(5, 29) / (BULK_BPS * (1 - lossPercent / 100)),
      queueP95Ms: queueMs(run.flows, 0.95, 5, 29),
    }),
    gates: [{ metric: 'shareRatio', min: 0.92 }],
    isQuick: lossPercent === 10,
  };
}

/** Media over a trace in mahimahi's format. @param name Shown in the table. */
export function traceCase(name: string, timestampsMs: readonly number[]): RateCase {
  return {
    name,
    title: 'media of at most 6 Mbit/s over a capacity trace',
    seconds: 120,
    forward: { capacity: { kind: 'mahimahi', timestampsMs }, queue: { bytes: 375_000 } },
    delayMs: 30,
    flows: [{ kind: 'media', encoder: { minBps: 150_000, maxBps: 6 * MBPS }, latencyMs: 200 }],
    measure: (run) => basics(run, 5, 6 * MBPS),
    gates: [],
  };
}

export const CASES_PATHS: readonly RateCase[] = [
  {
    name: '8869-4.1',
    title: 'RFC 8869 §4.1: a wired bottleneck of 1 Mbit/s behind a Wi-Fi hop',
    seconds: 120,
    forward: { capacity: { kind: 'rate', rateBps: MBPS }, queue: QUEUE },
    jitter: { kind: 'late', ms: 10 },
    flows: [{ kind: 'media', encoder: WIDE }],
    measure: (run) => basics(run, 5, WIDE.maxBps),
    gates: [
      { metric: 'shareRatio', min: 0.9 },
      { metric: 'queueP95Ms', max: 45 },
    ],
  },
  {
    name: 'jitter30',
    title: '1 Mbit/s behind a hop that delays by up to 90 ms, and keeps the order',
    seconds: 40,
    forward: { capacity: { kind: 'rate', rateBps: MBPS }, queue: QUEUE },
    jitter: { kind: 'late', ms: 30 },
    flows: [{ kind: 'media', encoder: WIDE }],
    measure: (run) => basics(run, 5, WIDE.maxBps),
    gates: [],
  },
  {
    ...traceCase('lte', lteTrace(20_261, 120, 4 * MBPS)),
    title: 'synthetic cellular trace, median 4 Mbit/s, media of at most 6',
  },
  {
    name: 'shallow10',
    title: 'a buffer of 10 ms at 2 Mbit/s: about two packets',
    seconds: 60,
    forward: { capacity: { kind: 'rate', rateBps: 2 * MBPS }, queue: { ms: 10 } },
    flows: [{ kind: 'media', encoder: WIDE }],
    measure: (run) => basics(run, 5, WIDE.maxBps),
    gates: [{ metric: 'lossRatio', max: 0.05 }],
    isQuick: true,
  },
  {
    name: 'policer',
    title: 'a policer of 250 kbit/s under media that offer 450 kbit/s',
    seconds: 60,
    forward: {
      capacity: { kind: 'rate', rateBps: 10 * MBPS },
      queue: QUEUE,
      policer: { rateBps: 250_000, burstBytes: 4_000 },
    },
    flows: [{ kind: 'media', encoder: { minBps: 100_000, maxBps: 450_000 }, startBitrateBps: 450_000 }],
    measure: (run) => {
      const flow = only(run);
      return {
        overRatio: flow.sent.rate(5, 59) / flow.through.rate(5, 59),
        lossRatio: loss(flow, 5, 59),
        shareRatio: flow.through.rate(5, 59) / 250_000,
      };
    },
    gates: [{ metric: 'overRatio', max: 1.3 }],
  },
  {
    name: 'bursts5',
    title: 'Gilbert-Elliott loss of 5 %, mean burst of 4 packets',
    seconds: 60,
    forward: {
      capacity: { kind: 'rate', rateBps: 2 * MBPS },
      queue: QUEUE,
      loss: { kind: 'burst', ratio: 0.05, meanBurst: 4 },
    },
    jitter: JITTER,
    flows: [{ kind: 'media', encoder: WIDE }],
    measure: (run) => basics(run, 5, WIDE.maxBps),
    gates: [{ metric: 'shareRatio', min: 0.85 }],
  },
  {
    name: 'step20-3-20',
    title: 'from 20 to 3 Mbit/s for 5 s, and back; the source follows its target',
    seconds: 30,
    forward: { capacity: steps([0, 20], [10, 3], [15, 20]), queue: QUEUE },
    delayMs: 25,
    flows: [{ kind: 'media', encoder: HIGH, startBitrateBps: 4 * MBPS }],
    measure: (run) => ({
      onTimeRatio: onTime(only(run), 2, 28, [10, 11]),
      onTimeAllRatio: onTime(only(run), 2, 28),
      shareRatio: share(run, only(run), 5, 29, HIGH.maxBps),
      fallS: fallSeconds(run, only(run), 10),
      riseS: riseSeconds(run, only(run), 15, HIGH.maxBps),
      queueP95Ms: queueMs(run.flows, 0.95, 5, 29),
    }),
    gates: [{ metric: 'onTimeRatio', min: 0.95 }],
    isQuick: true,
  },
  ...[0, 1, 5, 10].map(bulk),
  {
    name: 'clean',
    title: 'media of 4 Mbit/s on a clean path of 20 Mbit/s',
    seconds: 60,
    forward: { capacity: { kind: 'rate', rateBps: 20 * MBPS }, queue: QUEUE },
    delayMs: 20,
    flows: [
      {
        kind: 'media',
        encoder: { minBps: 150_000, maxBps: 4 * MBPS, keyFrames: { everySeconds: 2, size: 6 } },
        startBitrateBps: 4 * MBPS,
      },
    ],
    measure: (run) => basics(run, 5, 4 * MBPS),
    gates: [
      { metric: 'probeRatio', max: 0.005 },
      { metric: 'onTimeRatio', min: 0.999 },
    ],
    isQuick: true,
  },
];
