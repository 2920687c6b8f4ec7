/**
 * Figures of other transports from an emulated link between two Linux network namespaces: measured elsewhere, on one
 * machine, one run each. In: the data file. Out: rows by transport, round trip and loss. Shares 0..1.
 */
import data from './measured-elsewhere.json' with { type: 'json' };

export interface ElsewhereRow {
  readonly transport: string;
  readonly rttMs: number;
  /** As the channels of the matrix are named. */
  readonly loss: string;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly neverShare: number;
  /** Within 150, 200, 400 ms. */
  readonly decodableShare: readonly [number, number, number];
  readonly stalls: number;
  readonly wireRatio: number;
}

/** How the rig was set up; shown with every row. */
export const ELSEWHERE_NOTE =
  'Measured elsewhere: an emulated link between two Linux network namespaces (20 Mbit/s, queue 100 ms, loss in both directions), the same video, 30 s, one run each, one machine; differences under 10 % are noise. Kernel 6.18 TCP with NODELAY, libsrt 1.5.1 (latency the larger of 120 ms and 4 RTT; -tight: RTT + 60 ms), librist 0.2.7, KCP and kcptun fast3 with 10+3 Reed-Solomon, ENet 1.3.17, quic-go 0.29 with a stream per frame, usrsctp over UDP.';

/** All rows, in the order of the file. */
export const ELSEWHERE: readonly ElsewhereRow[] = data.rows.map((row) => {
  const at = (name: string): number => Number(row[data.columns.indexOf(name)]);
  return {
    transport: String(row[0]),
    rttMs: at('rttMs'),
    loss: String(row[2]),
    p50Ms: at('p50Ms'),
    p99Ms: at('p99Ms'),
    neverShare: at('neverPercent') / 100,
    decodableShare: [
      at('decodable150Percent') / 100,
      at('decodable200Percent') / 100,
      at('decodable400Percent') / 100,
    ],
    stalls: at('stalls'),
    wireRatio: at('wireRatio'),
  };
});

/** The row of one transport, round trip and loss. */
export function elsewhereRow(transport: string, rttMs: number, loss: string): ElsewhereRow | undefined {
  return ELSEWHERE.find((row) => row.transport === transport && row.rttMs === rttMs && row.loss === loss);
}
