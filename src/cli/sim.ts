/**
 * `millrace sim`: one experiment of lab/ per transport, over the same path with the same seed. In: arguments. Out: a
 * table for people or one JSON object; nothing is opened, sent or waited for.
 */
import { type CellResult, type CellSpec, runCell, type TransportName } from '../lab/cell.ts';
import type { LinkOptions } from '../sim/link-options.ts';
import type { LossSpec } from '../sim/loss.ts';
import { type NetworkSpec, symmetric } from '../sim/network.ts';
import { preset } from '../sim/presets.ts';
import { parseSimOptions, SIM_HELP, type SimOptions } from './sim-options.ts';
import { formatRate } from './units.ts';

const STARTUP_MS = 3_000;
/** Without a preset. */
const RTT_MS = 60;
const RATE_BPS = 20e6;
const QUEUE_MS = 100;
/** Of `decodable`, the bounds that the table shows. */
const SHOWN_WITHIN_MS = 200;
const SHOWN_WITHIN_INDEX = 2;

/** What one transport did, as `--json` gives it. Shares 0..1, times ms; null where it never happened. */
interface Row {
  readonly transport: TransportName;
  readonly traceHash: string;
  /** Why it gave up before the end; null when it did not. */
  readonly ended: string | null;
  readonly frames: number;
  readonly onTime: number;
  readonly delivered: number;
  readonly latencyMs: {
    readonly p50: number | null;
    readonly p99: number | null;
    readonly max: number | null;
  };
  readonly decodableWithin200Ms: number;
  /** By the rule of webrtc-stats. */
  readonly freezes: number;
  readonly frozenMs: number;
  /** Nothing new to show for more than 200 ms. */
  readonly stalls: number;
  readonly stalledMs: number;
  readonly startupLateFrames: number;
  /** Bytes on the wire per byte of media, and what of it is what. */
  readonly wire: Readonly<Record<string, number>>;
  readonly overhead: number;
}

/** Runs the experiment that the arguments name, and returns what to print. */
export function runSim(args: readonly string[]): string {
  if (args.includes('--help') || args.includes('-h')) return SIM_HELP;
  const options = parseSimOptions(args);
  const network = networkOf(options);
  const rows = options.transports.map((transport) =>
    rowOf(runCell(specOf(options, network, transport)).result),
  );
  return options.isJson ? JSON.stringify(asJson(options, network, rows)) : asTable(options, network, rows);
}

function lossOf({ lossRatio, burst }: SimOptions): LossSpec | undefined {
  if (lossRatio === undefined) return undefined;
  return burst > 1
    ? { kind: 'burst', ratio: lossRatio, meanBurst: burst }
    : { kind: 'iid', ratio: lossRatio };
}

function networkOf(options: SimOptions): NetworkSpec {
  const loss = lossOf(options);
  const link: LinkOptions = {
    ...(options.rateBps === undefined ? {} : { rateBps: options.rateBps }),
    ...(options.rttMs === undefined ? {} : { delayMs: options.rttMs / 2 }),
    ...(loss === undefined ? {} : { loss }),
  };
  return options.preset === undefined
    ? symmetric({ delayMs: RTT_MS / 2, rateBps: RATE_BPS, queue: { ms: QUEUE_MS }, ...link })
    : preset(options.preset, { link });
}

function specOf(options: SimOptions, network: NetworkSpec, transport: TransportName): CellSpec {
  return {
    transport,
    network,
    workload: { video: { bitrateBps: options.bitrateBps } },
    latencyMs: options.latencyMs,
    startupMs: STARTUP_MS,
    durationMs: STARTUP_MS + options.durationMs,
    seed: options.seed,
  };
}

function rowOf(result: CellResult): Row {
  const [source] = result.sources;
  if (source === undefined || result.faults.length > 0) {
    throw new Error(`${result.transport}, seed ${result.seed}: ${result.faults.join('; ')}`);
  }
  const { steady, startup } = source;
  const { resend, repair, probe, ...others } = result.wire;
  const perMedia = (bytes: number): number => Math.round((bytes / result.mediaBytes) * 1e5) / 1e5;
  const shareOf = (frames: number): number => Math.round((frames / steady.frames) * 1e5) / 1e5;
  const known = (ms: number): number | null => (Number.isFinite(ms) ? ms : null);
  const parts = { ...others, resend, repair, probe };
  return {
    transport: result.transport,
    traceHash: result.traceHash,
    ended: result.ended ?? null,
    frames: steady.frames,
    onTime: shareOf(steady.onTime),
    delivered: shareOf(steady.delivered),
    latencyMs: {
      p50: known(steady.latency.p50Ms),
      p99: known(steady.latency.p99Ms),
      max: known(steady.latency.maxMs),
    },
    decodableWithin200Ms: shareOf(steady.decodable[SHOWN_WITHIN_INDEX] ?? 0),
    freezes: steady.freezes.count,
    frozenMs: Math.round(steady.freezes.totalMs),
    stalls: steady.gaps.count,
    stalledMs: Math.round(steady.gaps.totalMs),
    startupLateFrames: startup.frames - startup.onTime,
    wire: Object.fromEntries(Object.entries(parts).map(([name, bytes]) => [name, perMedia(bytes)])),
    overhead: perMedia(resend + repair + probe),
  };
}

function asJson(options: SimOptions, network: NetworkSpec, rows: readonly Row[]): object {
  const { seed, preset: name, latencyMs, bitrateBps, durationMs } = options;
  return {
    traceHash: rows[0]?.traceHash,
    seed,
    preset: name ?? null,
    network,
    latencyMs,
    bitrateBps,
    durationMs,
    transports: rows,
  };
}

const HEAD = [
  '',
  'on time',
  'p50',
  'p99 ms',
  'never',
  `shown < ${SHOWN_WITHIN_MS} ms`,
  'stalled s',
  'wire/media',
  'overhead',
];

const NAMES: Readonly<Record<TransportName, string>> = {
  millrace: 'millrace',
  'tcp-cubic': 'TCP (CUBIC)',
  'tcp-reno': 'TCP (Reno)',
  'tcp-skip': 'TCP, skips frames',
  udp: 'plain UDP',
};

function asTable(options: SimOptions, network: NetworkSpec, rows: readonly Row[]): string {
  const percent = (share: number): string => `${(share * 100).toFixed(share > 0 && share < 0.1 ? 2 : 1)} %`;
  const ms = (value: number | null): string => (value === null ? 'never' : value.toFixed(0));
  const lines = [
    HEAD,
    ...rows.map((row) => [
      NAMES[row.transport],
      percent(row.onTime),
      ms(row.latencyMs.p50),
      ms(row.latencyMs.p99),
      percent(1 - row.delivered),
      percent(row.decodableWithin200Ms),
      (row.stalledMs / 1_000).toFixed(1),
      (row.wire.total ?? 0).toFixed(3),
      percent(row.overhead),
    ]),
  ];
  const widths = HEAD.map((_, i) => Math.max(...lines.map((line) => (line[i] as string).length)));
  const table = lines.map((line) =>
    line
      .map((text, i) => (i === 0 ? text.padEnd(widths[i] as number) : text.padStart(widths[i] as number)))
      .join('  '),
  );
  return [
    `${describePath(options, network)}; video ${formatRate(options.bitrateBps)}, latency ${options.latencyMs} ms, ${options.durationMs / 1_000} s, seed ${options.seed}`,
    '',
    ...table,
    '',
    ...rows.flatMap(({ transport, ended }) =>
      ended === null ? [] : [`${NAMES[transport]} gave up: ${ended}`],
    ),
    `On time: within one-way delay + ${options.latencyMs} ms + the frame's own time on the link. Shown: the frame and all that it`,
    `refers to were there within ${SHOWN_WITHIN_MS} ms. Stalled: nothing new to show for more than 200 ms. Overhead: (resend + repair +`,
    `probe) / media. The first 3 s are left out.`,
    `Trace ${rows.map((row) => row.traceHash).join(' ')}: the same seed gives the same again.`,
  ].join('\n');
}

function describePath(options: SimOptions, { up }: NetworkSpec): string {
  const jitter = up.jitter === undefined ? '' : ` +-${up.jitter.ms} ms`;
  const rate = up.rateBps === undefined ? 'no rate limit' : formatRate(up.rateBps);
  const name = options.preset === undefined ? '' : `${options.preset}: `;
  return `${name}${up.delayMs ?? 0} ms one way${jitter}, ${rate}, ${describeLoss(up.loss)}`;
}

function describeLoss(loss: LinkOptions['loss']): string {
  const percent = (ratio: number): string => `${Number((ratio * 100).toFixed(2))} %`;
  if (loss === undefined || 'isLost' in loss || loss.kind === 'none') return 'no loss';
  if (loss.kind === 'iid') return `${percent(loss.ratio)} loss each way`;
  if (loss.kind === 'burst') return `${percent(loss.ratio)} loss each way in bursts of ${loss.meanBurst}`;
  if (loss.kind === 'gilbert-elliott') {
    const ratio = loss.goodToBad / (loss.goodToBad + loss.badToGood);
    return `${percent(ratio)} loss each way in bursts of ${Number((1 / loss.badToGood).toFixed(1))}`;
  }
  return `loss by ${loss.kind}`;
}
