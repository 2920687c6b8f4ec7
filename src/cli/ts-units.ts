/**
 * MPEG-TS cut into pictures: each media frame is what lies between the beginnings of two pictures, sound included, so
 * that a stream can go over from one encoding of a video to another at a key frame. In: the bytes of a multiplexer of
 * ours, whose video PID is known. Out: media frames with the picture's time. Source: ISO/IEC 13818-1 §2.4.3.
 */
import type { EmitUnit, FrameParser } from './framing.ts';
import { readTsPacket, TS_PACKET_BYTES, type TsPacketInfo } from './framing-ts.ts';

const SYNC = 0x47;
/** A picture of more is cut: something is wrong with the input. */
const UNIT_BYTES_MAX = 16_000_000;
/** PTS is counted in 90 kHz and wraps at 2^33. */
const PTS_WRAP = 2 ** 33;

/** See the file header. */
export class TsUnitParser implements FrameParser {
  readonly #videoPid: number;
  readonly #info: TsPacketInfo = { pid: 0, pcrUs: -1, randomAccess: false, discontinuity: false };
  readonly #packets: Uint8Array[] = [];
  /** The packet that is not complete yet. */
  #rest: Uint8Array = new Uint8Array(0);
  #bytes = 0;
  #keyFrame = false;
  #lastPts = -1;
  #timestampUs: number | undefined;
  #ticks = 0;

  constructor(videoPid: number) {
    this.#videoPid = videoPid;
  }

  push(chunk: Uint8Array, emit: EmitUnit): void {
    let bytes = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk]);
    while (bytes.length >= TS_PACKET_BYTES) {
      // Our own multiplexer is never out of step; a byte that is not a sync byte is passed over.
      if (bytes[0] !== SYNC) {
        bytes = bytes.subarray(1);
        continue;
      }
      this.#add(bytes.slice(0, TS_PACKET_BYTES), emit);
      bytes = bytes.subarray(TS_PACKET_BYTES);
    }
    this.#rest = bytes.slice();
  }

  /** The encoder pauses after each picture: what has come is the whole of it. */
  flush(emit: EmitUnit): void {
    if (this.#packets.length === 0) return;
    const data = Buffer.concat(this.#packets);
    this.#packets.length = 0;
    this.#bytes = 0;
    emit({ data, timestampUs: this.#timestampUs, keyFrame: this.#keyFrame, discardable: false, track: 0 });
    // What may still come of this picture belongs to it, but is no place to begin.
    this.#keyFrame = false;
  }

  end(emit: EmitUnit): void {
    this.flush(emit);
  }

  #add(packet: Uint8Array, emit: EmitUnit): void {
    const info = this.#info;
    readTsPacket(packet, 0, info);
    const isStart = ((packet[1] as number) & 0x40) !== 0;
    if ((isStart && info.pid === this.#videoPid) || this.#bytes >= UNIT_BYTES_MAX) {
      this.flush(emit);
      this.#keyFrame = info.randomAccess;
      this.#advance(ptsOf(packet));
    }
    this.#packets.push(packet);
    this.#bytes += TS_PACKET_BYTES;
  }

  #advance(pts: number): void {
    if (pts < 0) return;
    const step = this.#lastPts < 0 ? pts : (pts - this.#lastPts + PTS_WRAP) % PTS_WRAP;
    this.#ticks += step > PTS_WRAP / 2 ? step - PTS_WRAP : step;
    this.#lastPts = pts;
    this.#timestampUs = Math.round((this.#ticks * 1e6) / 90_000);
  }
}

/** The PTS at the beginning of a PES packet, 90 kHz; -1 if there is none. */
function ptsOf(packet: Uint8Array): number {
  const at = 4 + (((packet[3] as number) & 0x20) !== 0 ? 1 + (packet[4] as number) : 0);
  const hasPes = packet[at] === 0 && packet[at + 1] === 0 && packet[at + 2] === 1;
  if (at + 14 > TS_PACKET_BYTES || !hasPes || ((packet[at + 7] as number) & 0x80) === 0) return -1;
  const byte = (index: number): number => packet[at + 9 + index] as number;
  const high = ((byte(0) >> 1) & 7) * 2 ** 30;
  return high + (byte(1) << 22) + ((byte(2) >> 1) << 15) + (byte(3) << 7) + (byte(4) >> 1);
}

/** Numbers the packets of each PID anew, as ISO/IEC 13818-1 §2.4.3.3 wants them, whatever streams they come from. */
export class ContinuityCounters {
  readonly #next: Map<number, number> = new Map();

  /** Changes whole packets in place; gives the same bytes. */
  renumber(packets: Uint8Array): Uint8Array {
    for (let at = 0; at + TS_PACKET_BYTES <= packets.length; at += TS_PACKET_BYTES) {
      const pid = (((packets[at + 1] as number) & 0x1f) << 8) | (packets[at + 2] as number);
      const flags = packets[at + 3] as number;
      const hasPayload = (flags & 0x10) !== 0;
      const next = this.#next.get(pid) ?? 0;
      // A packet without payload repeats the number of the one before it.
      packets[at + 3] = (flags & 0xf0) | (hasPayload ? next : (next + 15) & 15);
      if (hasPayload) this.#next.set(pid, (next + 1) & 15);
    }
    return packets;
  }
}
