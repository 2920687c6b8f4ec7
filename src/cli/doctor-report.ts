/** What the doctor found, in numbers for programs and in words for people. Pure. Source: docs/cli.md. */
import type { ErrorCode } from '../base/errors.ts';
import type { Diagnosis } from '../connection/diagnosis.ts';
import type { ProbeResult } from '../node/probe.ts';

/** What became of the first datagrams: `passes`, turned away by ICMP, no answer, none was sent. */
export type UdpVerdict = 'passes' | 'closed' | 'unanswered' | 'untried';

/** Everything measured. Absent: not measured. */
export interface DoctorFindings {
  readonly udp: UdpVerdict;
  /** What ended the examination before its time, and how that is said to people. */
  readonly reason?: ErrorCode;
  readonly message?: string;
  /** What was being measured when it ended. */
  readonly endedWhile?: string;
  readonly rttMs?: number;
  readonly minRttMs?: number;
  readonly datagramBytes?: number;
  /** Small datagrams at a steady rate, to the peer and from it. */
  readonly steadyUp?: ProbeResult;
  readonly steadyDown?: ProbeResult;
  /** Of both sides' steady datagrams, those that waited too long to be sent: counted in no loss. */
  readonly unsent?: number;
  /** How late this machine's timers were, ms, 95 % of them less: jitter of its own. */
  readonly busyMs?: number;
  /**
   * Bits per second that arrived in the second half of the time in which one side sent as much as rate control let go: a
   * lower bound. And the share that was lost meanwhile, which may be the measurement's own doing.
   */
  readonly capacityUpBps?: number;
  readonly capacityDownBps?: number;
  readonly capacityUpLossRatio?: number;
  readonly capacityDownLossRatio?: number;
  readonly rebinding?: 'survived' | 'failed';
  /** Of the time before capacity was measured. */
  readonly diagnosis?: Diagnosis;
  /** What to give as `--latency`. */
  readonly latencyMs?: number;
}

/** A media frame may miss its deadline this often. */
const MISS_SHARE = 0.001;
/** More rounds than this are parity's work. */
const ROUNDS_MAX = 3;
/** The peer may delay an acknowledgement by so much; a media frame takes so long to be sent and played. */
const ACK_DELAY_MS = 25;
const FRAME_MS = 33;
const STEP_MS = 10;
/** Loss while capacity is measured that queues hardly make. */
const POLICED_RATIO = 0.05;
/** Timers later than this are more than jitter of a path may be mistaken for. */
const BUSY_MS = 20;

/** Latency that this path needs: enough rounds of resending to get below one miss in a thousand, jitter, one frame. */
export function recommendLatency(rttMs: number, lossRatio: number, jitterMs: number): number {
  let rounds = 0;
  let missed = lossRatio;
  while (missed > MISS_SHARE && rounds < ROUNDS_MAX) {
    missed *= lossRatio;
    rounds++;
  }
  const needed = rounds * (1.125 * rttMs + ACK_DELAY_MS) + 2 * jitterMs + FRAME_MS;
  return Math.max(2 * STEP_MS, Math.ceil(needed / STEP_MS) * STEP_MS);
}

function percent(ratio: number): string {
  return `${(100 * ratio).toFixed(1)} %`;
}

function rate(bps: number): string {
  return bps < 1e6 ? `${Math.round(bps / 1e3)} kbit/s` : `${(bps / 1e6).toFixed(1)} Mbit/s`;
}

function loss(result: ProbeResult): string {
  if (result.lost === 0) return 'none';
  return `${percent(result.lossRatio)} in runs of ${result.burstMean.toFixed(1)}`;
}

function both(up: string, down: string): string {
  return `${up} to the peer, ${down} from it`;
}

function lossOf(ratio: number): string {
  return ratio === 0 ? 'none' : percent(ratio);
}

/** Where a full path loses much, a policer may have let through more for a while than it does for long. */
function isPoliced({ capacityUpLossRatio = 0, capacityDownLossRatio = 0 }: DoctorFindings): boolean {
  return Math.max(capacityUpLossRatio, capacityDownLossRatio) > POLICED_RATIO;
}

function bound(findings: DoctorFindings): string {
  return isPoliced(findings) ? 'for a few seconds' : 'at least';
}

function udpOf({ udp, message }: DoctorFindings): string {
  if (udp === 'passes') return udp;
  return udp === 'untried' ? `not tried: ${message}` : `does not pass: ${udp}`;
}

/** The lines for people: what was measured, then what it means. */
export function describeFindings(findings: DoctorFindings): string[] {
  const { capacityUpLossRatio: lossUp = 0, capacityDownLossRatio: lossDown = 0 } = findings;
  const { steadyUp, steadyDown, capacityUpBps, capacityDownBps, rttMs, minRttMs } = findings;
  const lines: string[] = [];
  const line = (name: string, text: string): void => void lines.push(`${name.padEnd(14)} ${text}`);
  line('UDP', udpOf(findings));
  if (rttMs !== undefined && minRttMs !== undefined) {
    line('round trip', `${rttMs.toFixed(1)} ms, at least ${minRttMs.toFixed(1)} ms`);
  }
  if (steadyUp !== undefined && steadyDown !== undefined) {
    line('loss', both(loss(steadyUp), loss(steadyDown)));
    const jitter = (result: ProbeResult): string => `${result.jitterP95Ms.toFixed(1)} ms`;
    line('jitter', `${both(jitter(steadyUp), jitter(steadyDown))} (95 % of the packets)`);
    const reordered = (result: ProbeResult): string =>
      percent(result.reordered / Math.max(1, result.received));
    line('reordering', both(reordered(steadyUp), reordered(steadyDown)));
  }
  if (findings.datagramBytes !== undefined) line('datagrams', `of ${findings.datagramBytes} bytes pass`);
  if (capacityUpBps !== undefined && capacityDownBps !== undefined) {
    line('capacity', `${bound(findings)} ${both(rate(capacityUpBps), rate(capacityDownBps))}`);
  }
  if (lossUp > 0 || lossDown > 0) {
    line('loss when full', `${both(lossOf(lossUp), lossOf(lossDown))}: while capacity was measured`);
  }
  if (findings.rebinding !== undefined) line('address change', findings.rebinding);
  if (findings.latencyMs !== undefined) line('latency', `give --latency ${findings.latencyMs}ms`);
  lines.push(...meaning(findings));
  return lines;
}

/** ICMP's "port unreachable" has the same form from the host and from a firewall that rejects. */
const CLOSED: string =
  'Something answered that the port is closed: nobody listens there, or a firewall on the way rejects UDP. ' +
  'Check that the listener runs and that the port number is right; if so, look for the firewall.';
const UNANSWERED: string =
  'Nothing came back: a firewall drops UDP, datagrams of 1200 bytes do not pass (a tunnel or VPN with a smaller MTU), ' +
  'the host is down, or the listener has other credentials and is silent.';

/** Ends that the path is to be blamed for; at others the listener said why. */
const DEATHS: readonly (ErrorCode | undefined)[] = ['ERR_MILLRACE_IDLE_TIMEOUT', 'ERR_MILLRACE_TIMEOUT'];

function ended(what: string, { reason, message }: DoctorFindings): string {
  if (DEATHS.includes(reason))
    return `The path died while ${what}: nothing came from the peer any more. What is above was measured before.`;
  return `The connection ended while ${what}: ${message}. What is above was measured before.`;
}

function meaning(findings: DoctorFindings): string[] {
  if (findings.udp === 'closed') return [CLOSED];
  if (findings.udp === 'unanswered') return [UNANSWERED];
  if (findings.udp === 'untried') return [];
  const said: string[] = [];
  const { steadyUp, steadyDown, diagnosis, rebinding, unsent = 0, busyMs = 0 } = findings;
  if (findings.endedWhile !== undefined) said.push(ended(findings.endedWhile, findings));
  if (diagnosis !== undefined) said.push(`${capital(diagnosis.text)}.`);
  const worst = Math.max(steadyUp?.lossRatio ?? 0, steadyDown?.lossRatio ?? 0);
  if (worst > 0.1)
    said.push('More than a tenth is lost: live media will need much repair; try another network.');
  if (isPoliced(findings)) {
    said.push(
      'A full path loses much: if a policer does that, it lets through less in the long run than in the first seconds; measure with --duration 5s, and choose a bitrate below what is left.',
    );
  }
  if (busyMs > BUSY_MS) {
    said.push(
      `This machine was busy, its timers ${busyMs.toFixed(0)} ms late: jitter, capacity and latency may be its own. Measure again when it is idle.`,
    );
  }
  if (unsent > 0) {
    said.push(
      `${unsent} test packets waited too long to be sent, and were left out: the path takes less than a call needs, or an end was busy.`,
    );
  }
  if (rebinding === 'failed') {
    said.push(
      'A changed port or address ends the flow: something on the path, or the listener, holds on to the old one.',
    );
  }
  return said;
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1);
}
