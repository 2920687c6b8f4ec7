/**
 * Who dropped what: the counters of both ends become one cause per direction, and a sentence. In: counters of the sending
 * and the receiving end. Out: shares of packets and media frames by cause. Pure. Source: DESIGN D15.
 */
import type { EndCounters } from '../wire/counters.ts';

/** Why packets or media frames of one direction were of no use. */
export type Cause = 'none' | 'path' | 'rejected' | 'late' | 'application';

/** One direction. Shares are 0..1. */
export interface DirectionDiagnosis {
  /** What did the most harm; `none` if nothing did any worth naming. */
  readonly cause: Cause;
  /** Packets that the path lost, of those sent. */
  readonly lostRatio: number;
  /** Packets that arrived and were turned away: damaged or forged. */
  readonly rejectedRatio: number;
  /** Media frames that were complete only after their deadline. */
  readonly lateRatio: number;
  /** Media frames, complete and in time, that the application did not take. */
  readonly untakenRatio: number;
  /** Bytes that waited for the application when it was asked. */
  readonly waitingBytes: number;
}

/** Both directions, and what to say of them. */
export interface Diagnosis {
  readonly outgoing: DirectionDiagnosis;
  readonly incoming: DirectionDiagnosis;
  /** For people: one sentence for each direction. */
  readonly text: string;
}

/** Less than this share is nobody's fault. */
const SHARE_MIN = 0.005;
/** So many bytes unread mean that the application does not keep up: a quarter of a stream's first window. */
const WAITING_BYTES_MIN = 262_144;

function share(part: number, whole: number): number {
  return whole > 0 ? Math.min(1, Math.max(0, part) / whole) : 0;
}

/**
 * Judges one direction.
 *
 * @param isBlocked The sender has something to send that waits for credit.
 */
export function judgeDirection(
  sender: Readonly<EndCounters>,
  receiver: Readonly<EndCounters>,
  isBlocked: boolean,
): DirectionDiagnosis {
  const { packetsSent, packetsUnacknowledged } = sender;
  const { rejectedAuthentication, rejectedMalformed, waitingBytes } = receiver;
  // A packet that was turned away is never acknowledged, so both ends count it. Those of keys that are gone are the late
  // repetitions of a handshake and copies: nothing was lost with them.
  const rejected = rejectedAuthentication + rejectedMalformed;
  const frames = receiver.framesInTime + receiver.framesLate + receiver.framesLost;
  const lostRatio = share(packetsUnacknowledged - rejected, packetsSent);
  const rejectedRatio = share(rejected, packetsSent);
  const lateRatio = share(receiver.framesLate, frames);
  const untakenRatio = share(receiver.framesUntaken, frames);
  const isSlow = isBlocked || untakenRatio > SHARE_MIN || waitingBytes > WAITING_BYTES_MIN;
  const shares: readonly (readonly [Cause, number])[] = [
    ['path', lostRatio],
    ['rejected', rejectedRatio],
    ['late', lateRatio],
  ];
  let cause: Cause = 'none';
  let largest = SHARE_MIN;
  for (const [name, ratio] of shares) {
    if (ratio <= largest) continue;
    cause = name;
    largest = ratio;
  }
  if (isSlow && largest < Math.max(untakenRatio, 0.05)) cause = 'application';
  return { cause, lostRatio, rejectedRatio, lateRatio, untakenRatio, waitingBytes };
}

function percent(ratio: number): string {
  return `${(100 * ratio).toFixed(ratio < 0.1 ? 1 : 0)} %`;
}

/** One sentence about a direction, without its end. */
function describe(verdict: DirectionDiagnosis): string {
  const { cause, lostRatio, rejectedRatio, lateRatio, untakenRatio, waitingBytes } = verdict;
  switch (cause) {
    case 'none':
      return 'nothing worth naming was lost';
    case 'path':
      return `the path lost ${percent(lostRatio)} of the packets`;
    case 'rejected':
      return `${percent(rejectedRatio)} of the packets arrived damaged or forged and were rejected: look for a faulty device on the path`;
    case 'late':
      return `${percent(lateRatio)} of the media frames came after their deadline: give more latency`;
    case 'application':
      return untakenRatio > SHARE_MIN
        ? `the application did not take ${percent(untakenRatio)} of the media frames in time: it is too slow`
        : `the application reads too slowly: ${waitingBytes} bytes wait for it`;
  }
}

/** Judges both directions from this end's counters and the peer's. */
export function judge(
  local: Readonly<EndCounters>,
  peer: Readonly<EndCounters>,
  isBlocked: boolean,
): Diagnosis {
  const outgoing = judgeDirection(local, peer, isBlocked);
  const incoming = judgeDirection(peer, local, false);
  return {
    outgoing,
    incoming,
    text: `to the peer: ${describe(outgoing)}; from the peer: ${describe(incoming)}`,
  };
}
