/** The counters of a connection that the pages show. In: `connection.stats()`. Out: flat numbers, cumulative or now. */
import type { ConnectionStats } from '../src/index.ts';
import type { Figures } from './media-protocol.ts';

/** Of the sending end: what went onto the wire, what for, and what became of the media frames. */
export function senderFigures(stats: ConnectionStats): Figures {
  const { framesSent: frames } = stats;
  return {
    rttMs: stats.rttMs,
    lossRatio: stats.lossRatio,
    targetBps: stats.targetBps,
    mediaBytes: stats.mediaBytes,
    wireBytes: stats.bytesSent,
    resendBytes: stats.resendBytes,
    repairBytes: stats.repairBytes,
    probeBytes: stats.probeBytes,
    packetsSent: stats.packetsSent,
    packetsLost: stats.packetsLost,
    framesSent: frames.sent,
    framesOnTime: frames.onTime,
    framesFec: frames.fec,
    framesResent: frames.resent,
    framesLate: frames.late,
    framesLost: frames.lost,
  };
}
