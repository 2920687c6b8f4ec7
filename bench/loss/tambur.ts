/**
 * Tambur's own comparison: per-frame Reed-Solomon with the same code as millrace, on the same channel, at a redundancy
 * that does not change. In: channel, symbols per frame, repair per frame. Out: undecodable frames. No deadline but the
 * frame's own: the parity leaves with it. Source: Tambur (NSDI 2023), baseline "RS over one frame".
 */
import { SeededRandom } from '../../src/base/random.ts';
import { createLoss } from '../../src/sim/loss.ts';
import { TAMBUR_CHANNEL } from './planner.ts';

/** Media bytes in a source symbol of a full packet of 1452 bytes. */
const SYMBOL_BYTES = 1_396;
const FRAMES = 200_000;
const SEED = 16;

export interface BaselinePoint {
  readonly repairPerFrame: number;
  /** Repair bytes / media bytes. */
  readonly overhead: number;
  /** Frames that lost more symbols than they had repair, 0..1. */
  readonly undecodable: number;
}

/** What per-frame Reed-Solomon does with 0, 1, ... `most` repair symbols for each frame of `frameBytes`. */
export function perFrameReedSolomon(frameBytes: number, most: number): BaselinePoint[] {
  const symbols = Math.max(1, Math.ceil(frameBytes / SYMBOL_BYTES));
  return Array.from({ length: most + 1 }, (_, repairPerFrame) => {
    const channel = createLoss(TAMBUR_CHANNEL, new SeededRandom(SEED));
    let undecodable = 0;
    for (let frame = 0; frame < FRAMES; frame++) {
      let lost = 0;
      for (let i = 0; i < symbols + repairPerFrame; i++) if (channel.isLost(0, 0, 0)) lost++;
      if (lost > repairPerFrame) undecodable++;
    }
    return { repairPerFrame, overhead: repairPerFrame / symbols, undecodable: undecodable / FRAMES };
  });
}

/** The least overhead at which the baseline leaves no more frames undecodable than `undecodable`, and that point. */
export function cheapestAsGood(
  points: readonly BaselinePoint[],
  undecodable: number,
): BaselinePoint | undefined {
  return points.find((point) => point.undecodable <= undecodable);
}
