/**
 * A peer that holds the keys sends well-formed frames with numbers chosen to hurt, many kinds in one packet: what they cost
 * is counted in steps, never in time, and stays in proportion to how many there are.
 */
import { afterEach, describe, expect, test, vi } from 'vitest';
import { Writer } from '../../src/base/bytes.ts';
import { SeededRandom } from '../../src/base/random.ts';
import { BlockDecoder } from '../../src/fec/decoder.ts';
import { ROW_OPERATIONS_PER_FRAME_MAX } from '../../src/fec/joint-systems.ts';
import { SymbolWindow } from '../../src/fec/symbol-window.ts';
import { FrameType } from '../../src/wire/frame-types.ts';
import { HostilePeer } from '../helpers/hostile-peer.ts';

const PACKETS = 40;
/** Jumps over what is acked already that one ACK may cost: 2^20 numbers would need no more. */
const JUMPS_PER_ACK_MAX = 20;
/** Symbols looked at for one frame: a few passes over its own block, those of two that wait, and of one system to solve. */
const LOOKS_PER_FRAME_MAX = 20 * 255;
/** A frame of the longest kind here takes no more. */
const FRAME_BYTES_MAX = 64;

class Attack {
  #peer: HostilePeer = new HostilePeer();
  readonly #random: SeededRandom;
  readonly #spread: number;
  #edge = 0;
  frames = 0;
  #acks = 0;
  /** Of all connections: what walks over ACK ranges took, and what they may have taken. */
  walkSteps = 0;
  walkStepsMax = 0;

  constructor(random: SeededRandom) {
    this.#random = random;
    this.#spread = 20 + this.#below(2_000);
  }

  #below(limit: number): number {
    return this.#random.u32() % limit;
  }

  #numbers(writer: Writer, type: number, ...values: number[]): void {
    writer.u8(type);
    for (const value of values) writer.varint(value);
  }

  #repair(writer: Writer): void {
    const k = this.#below(4) > 0 ? 2 + this.#below(40) : 1 + this.#below(254);
    this.#numbers(writer, FrameType.REPAIR + 1, 0);
    writer.u24(this.#edge + this.#below(this.#spread));
    writer.varint(1 + this.#below(3) * this.#below(2));
    writer.u8(k);
    writer.u8(this.#below(255 - k));
    this.#numbers(writer, 1, 7);
  }

  /** A media frame of one symbol, or a piece of one of many. */
  #symbol(writer: Writer): void {
    const content = new Writer().reset(new Uint8Array(FRAME_BYTES_MAX));
    const count = this.#below(3) > 0 ? 1 : 1 + this.#below(200);
    const index = this.#below(count);
    content.u16(this.#below(65_536));
    for (const value of [count, index, count]) content.varint(value);
    if (index === 0) {
      content.u8(0);
      content.varint(this.#edge);
      content.varint(0);
    }
    content.u8(7);
    this.#numbers(writer, FrameType.SYMBOL + 1, 0);
    writer.u24(this.#edge + this.#below(this.#spread));
    writer.varint(content.at);
    writer.copy(content.bytes.subarray(0, content.at));
  }

  #ack(writer: Writer): void {
    const largest = this.#peer.server.state.recovery.nextPacketNumber - 1;
    this.#acks++;
    this.#numbers(writer, FrameType.ACK, largest, 0, 0, this.#below(largest + 1), 0);
  }

  /** One frame, which as a rule leaves the connection open. */
  #frame(writer: Writer): void {
    const kind = this.#below(16);
    this.frames++;
    if (kind < 6) this.#repair(writer);
    else if (kind < 10) this.#symbol(writer);
    else if (kind < 13) this.#ack(writer);
    else if (kind === 13) this.#numbers(writer, FrameType.STREAM | 4 | 2, 0, 2 * this.#below(5_000), 1, 7);
    else if (kind === 14) this.#numbers(writer, FrameType.MAX_DATA, this.#below(1_000_000));
    else this.#numbers(writer, FrameType.DATAGRAM | 1, 1, 7);
  }

  #count(): void {
    const { recovery } = this.#peer.server.state;
    this.walkSteps += recovery.walkSteps;
    this.walkStepsMax += 2 * recovery.nextPacketNumber + this.#acks * JUMPS_PER_ACK_MAX;
    this.#acks = 0;
  }

  run(): void {
    for (let packet = 0; packet < PACKETS; packet++) {
      // Some go too far, and are closed: the next one goes on.
      if (!this.#peer.server.isOpen) {
        this.#count();
        this.#peer = new HostilePeer();
      }
      this.#peer.send((writer) => {
        while (writer.room >= FRAME_BYTES_MAX) this.#frame(writer);
      });
      this.#edge += this.#below(8) > 0 ? this.#below(30) : this.#below(this.#spread);
      this.#peer.wait(this.#below(8) > 0 ? 2 : 40);
    }
    this.#count();
  }
}

const { get } = SymbolWindow.prototype;

/** A plain count: a spy that keeps every call would cost more than what it counts. */
function countLooks(): { count: number } {
  const looks = { count: 0 };
  SymbolWindow.prototype.get = function (this: SymbolWindow, id) {
    looks.count++;
    return get.call(this, id);
  };
  return looks;
}

afterEach(() => {
  SymbolWindow.prototype.get = get;
  vi.restoreAllMocks();
});

describe('what a hostile peer with keys may cost', () => {
  for (let seed = 1; seed <= 3; seed++) {
    test(`is in proportion to its frames, seed ${seed}`, () => {
      const decoders = new Set<BlockDecoder>();
      const { onRepair } = BlockDecoder.prototype;
      vi.spyOn(BlockDecoder.prototype, 'onRepair').mockImplementation(function (
        this: BlockDecoder,
        ...block
      ) {
        decoders.add(this);
        return onRepair.apply(this, block);
      });
      const looks = countLooks();
      const attack = new Attack(new SeededRandom(seed));
      attack.run();
      expect(attack.frames).toBeGreaterThan(10 * PACKETS);
      let rowOperations = 0;
      for (const decoder of decoders) rowOperations += decoder.rowOperations;
      expect(rowOperations).toBeGreaterThan(attack.frames / 100);
      expect(rowOperations).toBeLessThanOrEqual(attack.frames * ROW_OPERATIONS_PER_FRAME_MAX);
      expect(looks.count).toBeLessThanOrEqual(attack.frames * LOOKS_PER_FRAME_MAX);
      expect(attack.walkSteps).toBeLessThanOrEqual(attack.walkStepsMax);
    });
  }
});
