/** From the library's statistics to the counters of a `--stats-json` line. */
import type { Connection, ConnectionStats } from '../index.ts';
import type { StatsCounters, StatsPeer } from './stats.ts';
import { formatAddress } from './uri.ts';

/** A sender counts what it sent, a receiver what it received. */
export type Role = 'send' | 'receive';

/** The counters of one connection. */
export function countersOf(stats: ConnectionStats, role: Role): StatsCounters {
  const frames = role === 'send' ? stats.framesSent : stats.framesReceived;
  return {
    rttMs: stats.rttMs,
    lossRatio: stats.lossRatio,
    burstMean: stats.burstMean,
    targetBps: stats.targetBps,
    sentBytes: stats.mediaBytes,
    wireBytes: stats.bytesSent,
    framesSent: frames.sent,
    framesOnTime: frames.onTime,
    framesFec: frames.fec,
    framesResent: frames.resent,
    framesLate: frames.late,
    framesLost: frames.lost,
    rejected: stats.rejected,
  };
}

/** A connection as the reporter sees it. */
export function statsPeer(connection: Connection, role: Role): StatsPeer {
  const { host, port } = connection.remoteAddress;
  return { name: formatAddress(host, port), counters: () => countersOf(connection.stats(), role) };
}
