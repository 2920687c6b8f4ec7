/** The test cases of RFC 8867 §5, with the media range of the reference model (at most 2.4 Mbit/s where it matters). */
import type { CapacitySpec } from '../../src/sim/capacity.ts';
import type { LossSpec } from '../../src/sim/loss.ts';
import type { EncoderSpec, FlowSpec, Gate, Metrics, RateCase } from './case.ts';
import {
  fairness,
  fallSeconds,
  jain,
  loss,
  median,
  onTime,
  probed,
  queueMs,
  riseSeconds,
  share,
  used,
} from './measure.ts';
import type { RunResult } from './result.ts';

export const MBPS = 1e6;
/** RFC 8867 §4.1: 150 kbit/s and more; its 1.5 Mbit/s cannot fill 2.5 Mbit/s, so 2.4. */
export const WIDE: EncoderSpec = { minBps: 150_000, maxBps: 2.4 * MBPS };
const NARROW: EncoderSpec = { minBps: 150_000, maxBps: 1.5 * MBPS };
/** RFC 8868 §4.5: late by the absolute value of a normal variate of 5 ms, at most 15 ms. */
export const JITTER = { kind: 'late', ms: 5 } as const;
export const QUEUE = { ms: 300 } as const;

/** Capacity in Mbit/s that changes at given seconds. */
export function steps(...changes: readonly (readonly [atS: number, mbps: number])[]): CapacitySpec {
  return {
    kind: 'schedule',
    steps: changes.map(([atS, mbps]) => ({ atMs: atS * 1000, rateBps: mbps * MBPS })),
  };
}

export function iid(ratio: number): { readonly loss?: LossSpec } {
  return ratio === 0 ? {} : { loss: { kind: 'iid', ratio } };
}

function media(encoder: EncoderSpec, rest: Partial<FlowSpec> = {}): FlowSpec {
  return { kind: 'media', encoder, ...rest };
}

// --- 5.1 -------------------------------------------------------------------------------------------------------------

function measure51(run: RunResult): Metrics {
  const flow = run.flows[0] as (typeof run.flows)[0];
  const part = (from: number, to: number): number => share(run, flow, from, to, WIDE.maxBps);
  return {
    shareRatio: part(5, 99),
    queueP95Ms: queueMs([flow], 0.95, 5, 99),
    fallS: fallSeconds(run, flow, 60),
    riseS: riseSeconds(run, flow, 40, WIDE.maxBps),
    rise2S: riseSeconds(run, flow, 80, WIDE.maxBps),
    share1: part(5, 40),
    share2: part(45, 60),
    share3: part(63, 80),
    share4: part(83, 99),
    queueP50Ms: queueMs([flow], 0.5, 5, 99),
    lossRatio: loss(flow, 5, 99),
    onTimeRatio: onTime(flow, 5, 99),
    mediaRatio: flow.media.rate(5, 99) / flow.through.rate(5, 99),
    probeRatio: probed(flow, 10, 99),
  };
}

const GATES_51: Readonly<Record<number, readonly Gate[]>> = {
  0: gates51(0.95, 0.6, 5),
  5: gates51(0.92, 0.8, 6),
  10: gates51(0.88, 0.8, 8),
};

function gates51(shareMin: number, fallMax: number, riseMax: number): Gate[] {
  return [
    { metric: 'shareRatio', min: shareMin },
    { metric: 'queueP95Ms', max: 45 },
    { metric: 'fallS', max: fallMax },
    { metric: 'riseS', max: riseMax },
    { metric: 'rise2S', max: riseMax },
  ];
}

function case51(name: string, title: string, lossPercent: number, rest: Partial<RateCase> = {}): RateCase {
  return {
    name,
    title,
    seconds: 100,
    forward: {
      capacity: steps([0, 1], [40, 2.5], [60, 0.6], [80, 1]),
      queue: QUEUE,
      ...iid(lossPercent / 100),
    },
    jitter: JITTER,
    flows: [media(WIDE)],
    measure: measure51,
    gates: GATES_51[lossPercent] as readonly Gate[],
    ...rest,
  };
}

function imperfect(
  name: string,
  title: string,
  lossPercent: number,
  encoder: Partial<EncoderSpec>,
): RateCase {
  return case51(name, title, lossPercent, {
    flows: [media({ ...WIDE, ...encoder })],
    gates: [],
    compare: { to: lossPercent === 0 ? '5.1' : `5.1-loss${lossPercent}`, metric: 'shareRatio', within: 0.05 },
  });
}

// --- several flows ---------------------------------------------------------------------------------------------------

function several(run: RunResult, fromS: number, toS: number): Metrics {
  return {
    jainMin: fairness(run, fromS, toS),
    usedRatio: used(run, fromS, toS),
    queueP95Ms: queueMs(run.flows, 0.95, fromS, toS),
    onTimeRatio: median(run.flows.map((flow) => onTime(flow, flow.startS + 5, Math.min(flow.endS, toS)))),
  };
}

/** Seconds after `atS` from which the flows' shares over 2 s have a Jain index of 0.95 or more for the next 5 s. */
function fairAgainSeconds(run: RunResult, atS: number): number {
  const isFair = (t: number): boolean => jain(run.flows.map((flow) => flow.through.rate(t, t + 2))) >= 0.95;
  for (let t = atS; t < run.seconds - 7; t += 0.25) {
    let holds = true;
    for (let later = t; holds && later < t + 5; later += 1) holds = isFair(later);
    if (holds) return t - atS;
  }
  return Number.POSITIVE_INFINITY;
}

const FAIR: Gate = { metric: 'jainMin', min: 0.95 };

function beside(run: RunResult, fromS: number, toS: number): Metrics {
  const flow = run.flows[0] as (typeof run.flows)[0];
  const tcp = run.tcp.reduce((sum, one) => sum + one.through.rate(fromS, toS), 0);
  const capacity = run.capacityBps(fromS);
  return {
    shareRatio: flow.through.rate(fromS, toS) / capacity,
    tcpRatio: tcp / capacity,
    queueP95Ms: queueMs([flow], 0.95, fromS, toS),
    onTimeRatio: onTime(flow, fromS, toS),
  };
}

function withTcp(name: string, queueLimitMs: number): RateCase {
  return {
    name,
    title: `one long TCP CUBIC flow, queue of ${queueLimitMs} ms`,
    seconds: 120,
    forward: { capacity: { kind: 'rate', rateBps: 2 * MBPS }, queue: { ms: queueLimitMs } },
    jitter: JITTER,
    flows: [media(NARROW, { startS: 5, endS: 119 })],
    tcp: [{ endS: 119 }],
    measure: (run) => beside(run, 15, 119),
    gates: [{ metric: 'shareRatio', min: 0.3, max: 0.6 }],
  };
}

export const CASES_8867: readonly RateCase[] = [
  case51('5.1', 'variable capacity, one flow', 0, { isQuick: true }),
  case51('5.1-loss5', 'variable capacity, 5 % random loss', 5, { isQuick: true }),
  case51('5.1-loss10', 'variable capacity, 10 % random loss', 10),
  case51('5.1-owd100', 'variable capacity, one-way delay of 100 ms', 0, { delayMs: 100, gates: [] }),
  imperfect('5.1-late', 'encoder that follows 500 ms late', 0, { lateMs: 500 }),
  imperfect('5.1-late-loss5', 'encoder that follows 500 ms late, 5 % loss', 5, { lateMs: 500 }),
  imperfect('5.1-noisy', 'frames of +-30 %', 0, { spread: 0.3 }),
  imperfect('5.1-noisy-loss5', 'frames of +-30 %, 5 % loss', 5, { spread: 0.3 }),
  imperfect('5.1-keyframes', 'a key frame of 4 times the size every 2 s', 0, {
    keyFrames: { everySeconds: 2, size: 4 },
  }),
  {
    name: '5.2',
    title: 'variable capacity, two flows',
    seconds: 125,
    forward: { capacity: steps([0, 4], [25, 2], [50, 3.5], [75, 1], [100, 2]), queue: QUEUE },
    jitter: JITTER,
    flows: [media(WIDE), media(WIDE)],
    measure: (run) => several(run, 5, 125),
    gates: [FAIR],
  },
  {
    name: '5.3',
    title: 'congested feedback: media both ways',
    seconds: 100,
    forward: { capacity: steps([0, 2], [20, 1], [40, 0.5], [60, 2]), queue: QUEUE },
    backward: { capacity: steps([0, 2], [35, 0.8], [70, 2]), queue: QUEUE },
    jitter: JITTER,
    flows: [media(NARROW), media(NARROW, { isBackward: true })],
    measure: (run) => {
      const flow = run.flows[0] as (typeof run.flows)[0];
      return {
        shareRatio: share(run, flow, 5, 99, NARROW.maxBps),
        queueP95Ms: queueMs([flow], 0.95, 5, 99),
        fallS: fallSeconds(run, flow, 20),
        onTimeRatio: onTime(flow, 5, 99),
      };
    },
    gates: [],
  },
  {
    name: '5.4',
    title: 'three flows, one after the other',
    seconds: 120,
    forward: { capacity: { kind: 'rate', rateBps: 3.5 * MBPS }, queue: QUEUE },
    jitter: JITTER,
    flows: [0, 20, 40].map((startS) => media(WIDE, { startS, endS: 119 })),
    measure: (run) => several(run, 60, 119),
    gates: [FAIR],
  },
  {
    name: '5.5',
    title: 'five flows, one-way delays of 10 to 150 ms',
    seconds: 300,
    delayMs: 10,
    forward: { capacity: { kind: 'rate', rateBps: 4 * MBPS }, queue: QUEUE },
    jitter: JITTER,
    flows: [10, 25, 50, 100, 150].map((delayMs, i) =>
      media(WIDE, { startS: 10 * i, endS: 299, extraDelayMs: delayMs - 10 }),
    ),
    measure: (run) => several(run, 60, 299),
    gates: [FAIR],
  },
  withTcp('5.6', 300),
  withTcp('5.6-queue1000', 1000),
  {
    name: '5.7',
    title: 'two flows and ten short TCP flows',
    seconds: 300,
    forward: { capacity: { kind: 'rate', rateBps: 2 * MBPS }, queue: QUEUE },
    jitter: JITTER,
    flows: [0, 1].map(() => media(NARROW, { startS: 5, endS: 299 })),
    tcp: Array.from({ length: 10 }, (_, i) => ({ startS: i < 2 ? 0 : 3 * i, isShort: true })),
    measure: (run) => several(run, 20, 299),
    gates: [],
  },
  {
    name: '5.8',
    title: 'three flows, the second paused from 40 to 60 s',
    seconds: 120,
    forward: { capacity: { kind: 'rate', rateBps: 3.5 * MBPS }, queue: QUEUE },
    jitter: JITTER,
    flows: [media(WIDE), media(WIDE, { pauseS: [40, 60] }), media(WIDE)],
    measure: (run) => ({
      fairAgainS: fairAgainSeconds(run, 60),
      jainMin: Math.min(fairness(run, 15, 40), fairness(run, 70, 119)),
      usedRatio: used(run, 15, 119),
      queueP95Ms: queueMs(run.flows, 0.95, 5, 119),
    }),
    gates: [{ metric: 'fairAgainS', max: 6 }],
  },
];
