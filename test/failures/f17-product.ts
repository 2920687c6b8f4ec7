/**
 * F17: the advice at the end of the analysis: for audio and video take UDP, forward error correction, an adaptive bitrate.
 * Two cells of the loss laboratory: loss that TCP makes seconds of, and a path that becomes narrow under video that follows.
 * The same over the TCP model; against the kernel's CUBIC and BBR it is measured by `npm run bench:kernel`.
 */
import { type CellResult, type CellSpec, runCell, type TransportName } from '../../src/lab/cell.ts';
import { AUDIO } from '../../src/lab/workload.ts';
import { symmetric } from '../../src/sim/network.ts';
import type { FailureCase, Measured } from './case.ts';

const LINK = { delayMs: 30, rateBps: 20e6, queue: { ms: 100 } } as const;
const LATENCY_MS = 120;
const MBPS = 1e6;

type Spec = Omit<CellSpec, 'seed' | 'transport' | 'latencyMs'>;

const LOSSY: Spec = {
  network: symmetric({ ...LINK, loss: { kind: 'iid', ratio: 0.05 } }),
  workload: { video: { bitrateBps: 4 * MBPS }, audio: AUDIO },
  durationMs: 10_000,
};

const NARROW: Spec = {
  network: symmetric({ ...LINK, rateBps: 6 * MBPS }),
  workload: {
    video: { bitrateBps: 4 * MBPS, keyFrameFactor: 2, follow: { minBps: 0.3 * MBPS, maxBps: 4 * MBPS } },
    audio: AUDIO,
  },
  durationMs: 12_000,
  steps: [{ atMs: 5_000, do: 'set', link: 'up', options: { rateBps: 2 * MBPS } }],
};

/** Share of the video frames on time once it runs. */
function onTime(
  spec: Spec,
  transport: TransportName,
  seed: number,
): CellResult['figures'] & { share: number } {
  const { result } = runCell({ ...spec, transport, seed, latencyMs: LATENCY_MS });
  if (result.faults.length > 0) throw new Error(result.faults.join('; '));
  const video = result.sources[0]?.steady;
  if (video === undefined) throw new Error('no video');
  return { share: video.onTime / video.frames, wirePerMedia: result.wire.total / result.mediaBytes };
}

function row(name: string, least: number, spec: Spec): FailureCase {
  return {
    row: 'F17',
    name,
    figure: `share of the video frames on time, latency ${LATENCY_MS} ms, after 3 s`,
    unit: '',
    least,
    run: (seed): Measured => {
      const { share, wirePerMedia } = onTime(spec, 'millrace', seed);
      return {
        value: share,
        tcp: () => onTime(spec, 'tcp-cubic', seed).share,
        notes: { wirePerMedia: wirePerMedia as number },
      };
    },
  };
}

export const product: readonly FailureCase[] = [
  row('4 Mbit/s of video at 5 % loss', 0.99, LOSSY),
  row('a path that falls from 6 to 2 Mbit/s under video that follows', 0.95, NARROW),
];
