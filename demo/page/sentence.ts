/**
 * One plain sentence, or two, that say what is happening now. In: how both sides do. Out: text. Pure.
 */
import type { PathSettings } from '../network/settings.ts';

/** One side over the last five seconds. */
export interface SideMood {
  readonly latencyMs: number | undefined;
  readonly frozenRatio: number;
  /** Media frames repaired in time. */
  readonly repaired: number;
  readonly bitsPerSecond: number;
  /** What stands in the way, in words; empty when nothing does. */
  readonly status: string;
}

export interface Moment {
  readonly settings: PathSettings;
  readonly tcp: SideMood;
  readonly millrace: SideMood;
  /** What a button did, and how long ago; undefined when it is history. */
  readonly event: { readonly kind: 'blackout' | 'rebind'; readonly agoMs: number } | undefined;
}

/** Frozen for more than this share, nobody would speak of repair. */
const TROUBLE_RATIO = 0.02;
/** Between these, two latencies are alike for a viewer, ms. */
const ALIKE_MS = 80;

export function describe(moment: Moment): string {
  const { tcp, millrace, settings, event } = moment;
  const status = millrace.status || tcp.status;
  if (status !== '') return `${upper(status)}.`;
  if (tcp.latencyMs === undefined || millrace.latencyMs === undefined)
    return 'Waiting for the first picture …';
  if (event !== undefined) return describeEvent(event, tcp, millrace);
  const cause = describePath(settings);
  const isAlike =
    Math.abs(tcp.latencyMs - millrace.latencyMs) < ALIKE_MS &&
    tcp.frozenRatio < 0.01 &&
    millrace.frozenRatio < 0.01;
  if (isAlike) return `${cause} Both show the same moment, ${seconds(tcp.latencyMs)} behind the camera.`;
  const waits = settings.lossRatio > 0 ? 'TCP waits for every lost packet' : 'TCP';
  const tcpPart = `${waits}: ${seconds(tcp.latencyMs)} behind${frozen(tcp.frozenRatio)} at ${rate(tcp.bitsPerSecond)}.`;
  const keepsUp = millrace.repaired > 0 && millrace.frozenRatio < TROUBLE_RATIO;
  const repairs = keepsUp ? 'millrace repairs them in time' : 'millrace';
  return `${cause} ${tcpPart} ${repairs}: ${seconds(millrace.latencyMs)} behind${frozen(millrace.frozenRatio)} at ${rate(millrace.bitsPerSecond)}.`;
}

/** The same for a clip, which tells no latency. */
export function describeClip({ settings, tcp, millrace }: Moment, hasCodecs: boolean): string {
  const why = hasCodecs
    ? 'A clip instead of live pictures.'
    : 'This page has no WebCodecs (they need https or this machine itself, and a recent browser), so it shows a clip instead of live pictures.';
  const share = ({ frozenRatio }: SideMood): string =>
    frozenRatio < 0.005
      ? 'plays without a break'
      : `has stood still for ${percent(frozenRatio)} of the last seconds`;
  return `${why} ${describePath(settings)} TCP ${share(tcp)}; millrace ${share(millrace)}.`;
}

function describeEvent(event: NonNullable<Moment['event']>, tcp: SideMood, millrace: SideMood): string {
  const now = (side: SideMood): string =>
    (side.latencyMs ?? 0) > 1_000 ? `still ${seconds(side.latencyMs ?? 0)} behind` : 'back at the live edge';
  if (event.kind === 'rebind') {
    const tcpNow =
      (tcp.latencyMs ?? 0) > 1_000 ? 'its connection was reset and begins anew' : 'it had to connect again';
    return `The NAT gave both flows another port. TCP: ${tcpNow}. millrace: the same connection goes on, ${now(millrace)}.`;
  }
  if (event.agoMs < 2_000)
    return 'Blackout: nothing gets through for two seconds. Watch which picture comes back first.';
  return `After the blackout: TCP is ${now(tcp)}, millrace is ${now(millrace)}.`;
}

function describePath({ lossRatio, burst, capacityBps, rttMs }: PathSettings): string {
  const narrow = capacityBps < 3e6 ? ` through ${rate(capacityBps)}` : '';
  const far = `${Math.round(rttMs)} ms there and back${narrow}`;
  if (lossRatio === 0) return `No loss, ${far}.`;
  const runs = burst > 1.5 ? ` in runs of ${Math.round(burst)}` : '';
  return `${percent(lossRatio)} of the packets are lost${runs}, ${far}.`;
}

function frozen(ratio: number): string {
  return ratio < 0.005 ? ', never frozen,' : `, frozen ${percent(ratio)} of the time,`;
}

function percent(ratio: number): string {
  const value = ratio * 100;
  return `${value < 10 && value % 1 !== 0 ? value.toFixed(1) : Math.round(value)} %`;
}

export function seconds(ms: number): string {
  return `${(ms / 1_000).toFixed(ms < 10_000 ? 2 : 1)} s`;
}

export function rate(bitsPerSecond: number): string {
  return bitsPerSecond < 950_000
    ? `${Math.round(bitsPerSecond / 1_000)} kbit/s`
    : `${(bitsPerSecond / 1e6).toFixed(bitsPerSecond < 9.95e6 ? 1 : 0)} Mbit/s`;
}

export function upper(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
