/** Statistics of a connection in the public units: milliseconds, bytes, bits per second. Source: docs/statistics.md. */
import type { Connection as Core } from '../connection/connection.ts';
import type { Rejections } from '../connection/stats.ts';
import type { FrameCounts } from '../track/types.ts';

/** Cumulative unless it says `recent` or `now`. */
export interface ConnectionStats {
  /** Smoothed round trip now, ms. */
  readonly rttMs: number;
  readonly rttVarianceMs: number;
  readonly minRttMs: number;
  /** Packets lost towards the peer, recent, 0..1. */
  readonly lossRatio: number;
  /** Mean run of lost packets, recent. */
  readonly burstMean: number;
  /** What the redundancy planner takes the path to lose, and in runs of what length; exactly 0 and 1 on a clean path. */
  readonly plannedLossRatio: number;
  readonly plannedBurstMean: number;
  /** How much likelier than usual a packet is lost right behind a lost one, -1..1; 0: losses are independent. */
  readonly lossCorrelation: number;
  /** Packets lost while a queue stood: they never raise redundancy. */
  readonly congestionLosses: number;
  /** What all senders together may put on the wire now. */
  readonly targetBps: number;
  readonly pacingBps: number;
  readonly queueDelayMs: number;
  readonly bytesInFlight: number;
  readonly congestionWindowBytes: number;
  readonly datagramBytes: number;
  /** Media bytes that left, first transmissions. */
  readonly mediaBytes: number;
  /** Headers and tags of packets and frames, control frames, app datagrams, the handshake: whatever is not listed here. */
  readonly headerBytes: number;
  /** Stream data, reliable tracks included. */
  readonly streamBytes: number;
  readonly resendBytes: number;
  readonly repairBytes: number;
  readonly probeBytes: number;
  readonly feedbackBytes: number;
  /** UDP payload bytes. */
  readonly bytesSent: number;
  readonly bytesReceived: number;
  readonly datagramsSent: number;
  readonly datagramsReceived: number;
  readonly packetsSent: number;
  readonly packetsReceived: number;
  readonly packetsLost: number;
  readonly spuriousLosses: number;
  /** Media frames of every outgoing track. */
  readonly framesSent: Readonly<FrameCounts>;
  /** Media frames of every incoming track; `sent` counts those whose fate is known. */
  readonly framesReceived: Readonly<FrameCounts>;
  /** Packets and symbols that arrived and were not used, by reason. */
  readonly rejected: Readonly<Rejections>;
  /** A caller's: ICMP errors that its sockets were told of. Nothing that is not authentic ends a connection that is open. */
  readonly icmpErrors: number;
  /** `peer-application`: something waits for the peer to read. */
  readonly blockedBy: 'none' | 'peer-application';
  readonly state: string;
}

/** Media frames of reliable tracks, which are counted where they are cut from streams. */
export interface ReliableFrames {
  readonly reliableSent: Readonly<FrameCounts>;
  readonly reliableReceived: Readonly<FrameCounts>;
}

/** What a connection's own sockets saw. */
export interface SocketCounts {
  /** Datagrams that belong to no connection. */
  readonly strays: number;
  readonly icmpErrors: number;
}

function sumOf(live: Readonly<FrameCounts>, reliable: Readonly<FrameCounts>): FrameCounts {
  const { sent, onTime, fec, resent, late, lost } = live;
  return {
    sent: sent + reliable.sent,
    onTime: onTime + reliable.onTime,
    fec,
    resent,
    late,
    lost: lost + reliable.lost,
  };
}

/** Reads every counter. Cost: proportional to the number of tracks. */
export function collectStats(core: Core, reliable: ReliableFrames, socket: SocketCounts): ConnectionStats {
  const { rtt, recovery, controller, counters, path, tracks, streams } = core.state;
  const sent = tracks.sendTotals();
  const received = tracks.receiveTotals();
  const { statistics } = recovery;
  const { model } = core.state.redundancy;
  const stream = streams.counters;
  const streamBytes = stream.sentBytes + stream.resentBytes;
  const named = sent.mediaBytes + sent.resendBytes + sent.repairBytes + streamBytes;
  const unnamed = counters.probeBytesSent + counters.feedbackBytesSent;
  return {
    rttMs: rtt.hasSample ? rtt.smoothedUs / 1000 : 0,
    rttVarianceMs: rtt.hasSample ? rtt.varianceUs / 1000 : 0,
    minRttMs: rtt.hasSample ? rtt.minUs / 1000 : 0,
    lossRatio: statistics.lossRatio,
    burstMean: statistics.burstMean,
    plannedLossRatio: model.lossRatio,
    plannedBurstMean: model.burstMean,
    lossCorrelation: model.correlation,
    congestionLosses: model.congestionCount,
    targetBps: controller.targetRateBps,
    pacingBps: controller.pacingRateBps,
    queueDelayMs: controller.queueDelayUs / 1000,
    bytesInFlight: recovery.bytesInFlight,
    congestionWindowBytes: controller.congestionWindowBytes,
    datagramBytes: path.datagramBytes,
    mediaBytes: sent.mediaBytes,
    headerBytes: counters.bytesSent - named - unnamed,
    streamBytes,
    resendBytes: sent.resendBytes,
    repairBytes: sent.repairBytes,
    probeBytes: counters.probeBytesSent,
    feedbackBytes: counters.feedbackBytesSent,
    bytesSent: counters.bytesSent,
    bytesReceived: counters.bytesReceived,
    datagramsSent: counters.datagramsSent,
    datagramsReceived: counters.datagramsReceived,
    packetsSent: counters.packetsSent,
    packetsReceived: counters.packetsReceived,
    packetsLost: statistics.lost,
    spuriousLosses: statistics.spurious,
    framesSent: sumOf(sent.frames, reliable.reliableSent),
    framesReceived: sumOf(received.frames, reliable.reliableReceived),
    rejected: {
      ...counters.rejected,
      unknownConnection: socket.strays,
      late: received.lateSymbols + received.duplicateSymbols,
    },
    icmpErrors: socket.icmpErrors,
    blockedBy: streams.isBlocked ? 'peer-application' : 'none',
    state: controller.state,
  };
}
