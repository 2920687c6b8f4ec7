/** A media frame as the command line's outputs are given it. */
import type { OutgoingUnit } from '../../src/cli/framing.ts';

export function outgoing(bytes: string | Uint8Array, sequence = 0): OutgoingUnit {
  return {
    data: Buffer.from(bytes),
    timestampUs: 0,
    keyFrame: false,
    discardable: false,
    track: 0,
    sequence,
  };
}
