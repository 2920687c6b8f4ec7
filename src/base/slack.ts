/**
 * Views that are kept hold on to the whole datagram, or the batch of datagrams, that they came in. In: views to keep. Out:
 * the same, or copies where too much memory would stay alive for their sake.
 */
import { copyBytes } from './bytes.ts';

/** Memory that views may keep alive beyond their own bytes. Above it, they are copied out. */
export const SLACK_BYTES_MAX = 16_777_216;

/** A view that is at least half of its buffer is worth keeping whole; a copy always is. */
export function slackOf(bytes: Uint8Array): number {
  const slack = bytes.buffer.byteLength - bytes.length;
  return slack > bytes.length ? slack : 0;
}

/** See the file header. */
export class SlackBudget {
  #bytes = 0;

  /** Bytes kept alive by views, beyond those they show. */
  get bytes(): number {
    return this.#bytes;
  }

  /** @returns `view` as it is, or a copy if it would pin too much. */
  keep(view: Uint8Array): Uint8Array {
    const slack = slackOf(view);
    if (this.#bytes + slack > SLACK_BYTES_MAX) return slack > 0 ? copyBytes(view) : view;
    this.#bytes += slack;
    return view;
  }

  /** What was kept is let go of. `slackBytes`: its {@link slackOf}, or the sum over several. */
  release(slackBytes: number): void {
    this.#bytes -= slackBytes;
  }
}
