/** No congestion control: a window that never limits. Isolates what retransmission and in-order delivery cost. */
import type { CongestionController } from './congestion.ts';

export class FixedWindow implements CongestionController {
  readonly name = 'fixed';
  readonly isUnlimited = true;

  onAcked(): void {}

  onCongestion(): void {}

  onTimeout(): void {}

  onUndo(): void {}

  onIdle(): void {}
}
