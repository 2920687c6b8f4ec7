/**
 * ts framing: MPEG-TS packets of 188 bytes, as many whole ones per media frame as fit one source symbol. Every byte of
 * the input comes out again, also what is not in step. A random_access_indicator on a PID that carries the clock (that
 * is the video, where there is one) marks a key frame; PCRs give the media time. Source: ISO/IEC 13818-1 §2.4.3.
 */
import type { EmitUnit, FrameParser } from './framing.ts';

export const TS_PACKET_BYTES = 188;
const SYNC = 0x47;
/** PCR base wraps after 2^33 ticks of 90 kHz; in us. */
const PCR_WRAP_US = (2 ** 33 / 90_000) * 1e6;

/** True when `bytes` begin like MPEG-TS: sync bytes where the first three packets would begin. Wants 189 or more. */
export function looksLikeTs(bytes: Uint8Array): boolean {
  if (bytes.length < TS_PACKET_BYTES) return false;
  for (let at = 0; at < Math.min(bytes.length, 3 * TS_PACKET_BYTES); at += TS_PACKET_BYTES) {
    if (bytes[at] !== SYNC) return false;
  }
  return true;
}

/** What one packet says about time and access. */
export interface TsPacketInfo {
  pid: number;
  /** Program clock in us (wraps), or -1. */
  pcrUs: number;
  randomAccess: boolean;
  /** The clock may jump here. */
  discontinuity: boolean;
}

/** Reads header and adaptation field of the packet at `at`; 188 bytes are there. */
export function readTsPacket(bytes: Uint8Array, at: number, info: TsPacketInfo): void {
  info.pid = (((bytes[at + 1] as number) & 0x1f) << 8) | (bytes[at + 2] as number);
  info.pcrUs = -1;
  info.randomAccess = false;
  info.discontinuity = false;
  const hasAdaptation = ((bytes[at + 3] as number) & 0x20) !== 0;
  const length = bytes[at + 4] as number;
  if (!hasAdaptation || length === 0 || length > TS_PACKET_BYTES - 5) return;
  const flags = bytes[at + 5] as number;
  info.discontinuity = (flags & 0x80) !== 0;
  info.randomAccess = (flags & 0x40) !== 0;
  if ((flags & 0x10) === 0 || length < 7) return;
  const high =
    ((bytes[at + 6] as number) * 16_777_216 +
      ((bytes[at + 7] as number) << 16) +
      ((bytes[at + 8] as number) << 8) +
      (bytes[at + 9] as number)) *
    2;
  const base = high + ((bytes[at + 10] as number) >> 7);
  const extension = (((bytes[at + 10] as number) & 1) << 8) | (bytes[at + 11] as number);
  info.pcrUs = (base * 300 + extension) / 27;
}

/** The clock of a transport stream, unwrapped: it never jumps, and begins where the first PCR is. */
export class TsClock {
  #pid = -1;
  #lastRaw = 0;
  #offsetUs = 0;
  #lastStepUs = 0;

  /** The PID whose clock is followed, or -1 before the first PCR. */
  get pid(): number {
    return this.#pid;
  }

  /** Media time of a packet that carries a PCR of the followed PID, integer us; undefined for any other packet. */
  read(info: TsPacketInfo): number | undefined {
    if (info.pcrUs < 0) return undefined;
    if (this.#pid < 0) {
      this.#pid = info.pid;
      this.#lastRaw = info.pcrUs;
    }
    if (info.pid !== this.#pid) return undefined;
    let step = info.pcrUs - this.#lastRaw;
    if (step < -PCR_WRAP_US / 2) step += PCR_WRAP_US;
    if (info.discontinuity || step < 0 || step > 10_000_000) {
      // A new time base: go on as if the last interval had passed.
      this.#offsetUs += this.#lastRaw + this.#lastStepUs - info.pcrUs;
      step = this.#lastStepUs;
    } else if (info.pcrUs < this.#lastRaw) this.#offsetUs += PCR_WRAP_US;
    this.#lastStepUs = step;
    this.#lastRaw = info.pcrUs;
    return Math.round(info.pcrUs + this.#offsetUs);
  }
}

export class TsParser implements FrameParser {
  readonly #frameBytes: () => number;
  readonly #clock: TsClock = new TsClock();
  readonly #info: TsPacketInfo = { pid: 0, pcrUs: -1, randomAccess: false, discontinuity: false };
  readonly #clockPids: Set<number> = new Set();
  /** The packet that is not complete yet. */
  readonly #packet: Uint8Array = new Uint8Array(TS_PACKET_BYTES);
  #packetFilled = 0;
  #frame: Uint8Array = new Uint8Array(0);
  #frameFilled = 0;
  #keyFrame = false;
  #timestampUs: number | undefined;
  /** Bytes that were not in step with the sync byte. */
  strayBytes = 0;

  /** @param frameBytes How long a media frame may be; asked once per frame. At least one packet goes in anyway. */
  constructor(frameBytes: () => number) {
    this.#frameBytes = frameBytes;
  }

  push(chunk: Uint8Array, emit: EmitUnit): void {
    let at = 0;
    while (at < chunk.length) {
      if (this.#packetFilled === 0 && chunk[at] !== SYNC) {
        const next = chunk.indexOf(SYNC, at);
        const end = next < 0 ? chunk.length : next;
        this.#stray(chunk.subarray(at, end), emit);
        at = end;
        continue;
      }
      const part = Math.min(TS_PACKET_BYTES - this.#packetFilled, chunk.length - at);
      this.#packet.set(chunk.subarray(at, at + part), this.#packetFilled);
      this.#packetFilled += part;
      at += part;
      if (this.#packetFilled === TS_PACKET_BYTES) {
        this.#packetFilled = 0;
        this.#add(emit);
      }
    }
  }

  /** Whole packets go; a piece of one waits for the rest. */
  flush(emit: EmitUnit): void {
    if (this.#frameFilled === 0) return;
    const data = this.#frame.subarray(0, this.#frameFilled);
    this.#frameFilled = 0;
    emit({ data, timestampUs: this.#timestampUs, keyFrame: this.#keyFrame, discardable: false, track: 0 });
    this.#keyFrame = false;
    this.#timestampUs = undefined;
  }

  end(emit: EmitUnit): void {
    this.flush(emit);
    if (this.#packetFilled === 0) return;
    const data = this.#packet.slice(0, this.#packetFilled);
    this.strayBytes += this.#packetFilled;
    this.#packetFilled = 0;
    emit({ data, timestampUs: undefined, keyFrame: false, discardable: false, track: 0 });
  }

  #add(emit: EmitUnit): void {
    if (this.#frameFilled === 0) {
      const packets = Math.max(1, Math.floor(this.#frameBytes() / TS_PACKET_BYTES));
      this.#frame = new Uint8Array(packets * TS_PACKET_BYTES);
    }
    const info = this.#info;
    readTsPacket(this.#packet, 0, info);
    const timeUs = this.#clock.read(info);
    if (info.pcrUs >= 0) this.#clockPids.add(info.pid);
    // A media frame has the time of the first clock in it: the pacer spreads what lies between two of them.
    this.#timestampUs ??= timeUs;
    if (info.randomAccess && this.#clockPids.has(info.pid)) this.#keyFrame = true;
    this.#frame.set(this.#packet, this.#frameFilled);
    this.#frameFilled += TS_PACKET_BYTES;
    if (this.#frameFilled === this.#frame.length) this.flush(emit);
  }

  #stray(bytes: Uint8Array, emit: EmitUnit): void {
    this.flush(emit);
    this.strayBytes += bytes.length;
    const step = Math.max(TS_PACKET_BYTES, this.#frameBytes());
    for (let at = 0; at < bytes.length; at += step) {
      const data = bytes.slice(at, at + step);
      emit({ data, timestampUs: undefined, keyFrame: false, discardable: false, track: 0 });
    }
  }
}
