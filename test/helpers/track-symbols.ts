/** Source symbols and a receiver to feed them to, one by one. */
import { MILLISECOND, type Micros } from '../../src/base/protocol.ts';
import { BlockDecoder } from '../../src/fec/decoder.ts';
import { ReferenceCodec } from '../../src/fec/reference-codec.ts';
import { HeldBudget } from '../../src/track/held.ts';
import { TrackReceiver } from '../../src/track/receive.ts';
import { FrameLayout, SentFrame } from '../../src/track/sent-frame.ts';
import type { Announcement, MediaFrameOptions, ReceivedFrame, SymbolDecoder } from '../../src/track/types.ts';
import { RepairFrame, SymbolFrame } from '../../src/wire/symbol.ts';

/** What a track announces unless a test says otherwise: 120 ms, asap, in send order. */
export const ANNOUNCEMENT: Announcement = {
  kind: 'video',
  delivery: 'asap',
  order: 'send',
  isReliable: false,
  latencyUs: 120 * MILLISECOND,
  streamId: 0,
  metadata: new Uint8Array(0),
};

/** The source symbols of a media frame of `count` symbols of 10 bytes each, sent at `sentAtUs`. */
export function symbolsOf(
  frameId: number,
  count: number,
  sentAtUs: Micros,
  options: Partial<MediaFrameOptions> = {},
): readonly Uint8Array[] {
  const data = new Uint8Array(count * 10).fill(frameId + 1);
  const frame = new SentFrame(frameId, data.length, { timestampUs: sentAtUs, ...options }, sentAtUs, 0);
  // Room for the header of index 0 and 10 bytes.
  for (let limit = 15; ; limit++) {
    try {
      new FrameLayout().lay(frame, data, limit);
    } catch {
      continue;
    }
    if (frame.count === count) return frame.symbols;
  }
}

/** A frame of one symbol; frame id and symbol id are equal when every frame is such. */
export function one(id: number, sentAtUs: number): Uint8Array {
  return symbolsOf(id, 1, sentAtUs)[0] as Uint8Array;
}

/** A receiver with a log of what it reports, and frames as they come out. */
export class ReceiverProbe {
  readonly receiver: TrackReceiver;
  readonly log: string[] = [];
  readonly frames: ReceivedFrame[] = [];
  readonly held: HeldBudget;
  readonly #reads: boolean;

  constructor(
    announcement?: Partial<Announcement>,
    reads = true,
    decoder?: SymbolDecoder,
    held: HeldBudget = new HeldBudget(),
  ) {
    this.held = held;
    this.#reads = reads;
    this.receiver = new TrackReceiver({
      id: 1,
      held: this.held,
      decoder: decoder ?? new BlockDecoder(new ReferenceCodec()),
      events: {
        onReadable: () => this.#reads && this.drain(),
        onFinished: () => this.log.push('finished'),
        onAckWanted: () => this.log.push('ack wanted'),
        onFrameEnd: () => this.log.push('frame end'),
        onKeyFrameWanted: () => this.log.push('key frame wanted'),
        onTouched: () => {},
      },
    });
    if (announcement !== undefined) this.receiver.announce({ ...ANNOUNCEMENT, ...announcement }, 0);
  }

  drain(): void {
    for (let frame = this.receiver.poll(); frame !== undefined; frame = this.receiver.poll())
      this.frames.push(frame);
  }

  get ids(): number[] {
    return this.frames.map((frame) => frame.frameId);
  }

  symbol(id: number, bytes: Uint8Array, now: Micros, isResent = false): number {
    const frame = new SymbolFrame();
    frame.symbolId = id % 16_777_216;
    frame.bytes = bytes;
    frame.symbolBytes = bytes.length;
    frame.isResent = isResent;
    return this.receiver.onSymbol(frame, now);
  }

  part(
    id: number,
    symbol: Uint8Array,
    from: number,
    to: number,
    now: Micros,
    symbolBytes: number = symbol.length,
  ): number {
    const frame = new SymbolFrame();
    frame.symbolId = id % 16_777_216;
    frame.isPart = true;
    frame.partOffset = from;
    frame.symbolBytes = symbolBytes;
    frame.bytes = symbol.subarray(from, to);
    return this.receiver.onSymbol(frame, now);
  }

  repair(first: number, k: number, row: number, bytes: Uint8Array, now: Micros): number {
    const frame = new RepairFrame();
    frame.first = first % 16_777_216;
    frame.k = k;
    frame.row = row;
    frame.bytes = bytes;
    return this.receiver.onRepair(frame, now);
  }

  /** Runs the receiver's timers up to `until`. */
  run(until: Micros): void {
    for (let steps = 0; this.receiver.nextDeadline() <= until; steps++) {
      if (steps > 10_000) throw new Error('the deadline does not move');
      this.receiver.handleTimeout(Math.max(0, this.receiver.nextDeadline()));
    }
  }
}
