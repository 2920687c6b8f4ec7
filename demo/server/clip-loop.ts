/**
 * A short MPEG-TS clip repeated for ever as one stream: clocks and continuity counters go on where the last round ended.
 * In: whole TS packets of one round after the other. Out: the same with times and counters of the whole stream.
 * Source: ISO/IEC 13818-1 §2.4.3 (packets, adaptation field, PES header).
 */

const PACKET_BYTES = 188;
const PIDS = 8_192;
/** Times are counted in 90 kHz, modulo 2^33. */
export const TICKS_PER_SECOND = 90_000;
const TICKS_MODULO = 2 ** 33;

export class ClipLoop {
  readonly #roundTicks: number;
  /** Next continuity counter of each PID. */
  readonly #counters: Uint8Array = new Uint8Array(PIDS);
  #offsetTicks = 0;

  /** @param roundSeconds How long the clip is. */
  constructor(roundSeconds: number) {
    this.#roundTicks = Math.round(roundSeconds * TICKS_PER_SECOND);
  }

  /** The clip begins again. */
  nextRound(): void {
    this.#offsetTicks = (this.#offsetTicks + this.#roundTicks) % TICKS_MODULO;
  }

  /** A copy of these packets, as they belong here and now. */
  rewrite(packets: Uint8Array): Uint8Array {
    const copy = new Uint8Array(packets);
    for (let at = 0; at + PACKET_BYTES <= copy.length; at += PACKET_BYTES) {
      this.#rewritePacket(copy.subarray(at, at + PACKET_BYTES));
    }
    return copy;
  }

  #rewritePacket(packet: Uint8Array): void {
    const byte = (at: number): number => packet[at] ?? 0;
    const pid = ((byte(1) & 0x1f) << 8) | byte(2);
    const hasAdaptation = (byte(3) & 0x20) !== 0;
    const hasPayload = (byte(3) & 0x10) !== 0;
    if (hasPayload) {
      const counter = this.#counters[pid] ?? 0;
      packet[3] = (byte(3) & 0xf0) | counter;
      this.#counters[pid] = (counter + 1) & 0xf;
    }
    const adaptationBytes = hasAdaptation ? 1 + byte(4) : 0;
    if (adaptationBytes >= 8 && (byte(5) & 0x10) !== 0) this.#movePcr(packet.subarray(6, 12));
    const payload = packet.subarray(4 + adaptationBytes);
    const isStart = (byte(1) & 0x40) !== 0;
    if (hasPayload && isStart && payload.length >= 19 && isPes(payload)) this.#moveTimes(payload);
  }

  #moved(ticks: number): number {
    return (ticks + this.#offsetTicks) % TICKS_MODULO;
  }

  /** 33 bits of 90 kHz, 6 bits reserved, 9 bits of 27 MHz. */
  #movePcr(field: Uint8Array): void {
    const view = new DataView(field.buffer, field.byteOffset, field.length);
    const ticks = this.#moved(view.getUint32(0) * 2 + (view.getUint8(4) >> 7));
    view.setUint32(0, Math.floor(ticks / 2));
    view.setUint8(4, (view.getUint8(4) & 0x7f) | ((ticks % 2) << 7));
  }

  #moveTimes(pes: Uint8Array): void {
    const which = (pes[7] ?? 0) >> 6;
    if (which >= 2) this.#moveTime(pes.subarray(9, 14));
    if (which === 3) this.#moveTime(pes.subarray(14, 19));
  }

  /** 4 bits, then 3, 15 and 15 bits of time, each with a marker behind it. */
  #moveTime(field: Uint8Array): void {
    const [a = 0, b = 0, c = 0, d = 0, e = 0] = field;
    const low = (b << 22) | ((c >> 1) << 15) | (d << 7) | (e >> 1);
    const ticks = this.#moved(((a >> 1) & 7) * 2 ** 30 + low);
    const [high, rest] = [Math.floor(ticks / 2 ** 30), ticks % 2 ** 30];
    field[0] = (a & 0xf1) | (high << 1);
    field[1] = (rest >> 22) & 0xff;
    field[2] = (((rest >> 15) & 0x7f) << 1) | 1;
    field[3] = (rest >> 7) & 0xff;
    field[4] = ((rest & 0x7f) << 1) | 1;
  }
}

/** True for audio and video, which have times. */
function isPes(payload: Uint8Array): boolean {
  const [a, b, c, id = 0] = payload;
  return a === 0 && b === 0 && c === 1 && id >= 0xc0 && id <= 0xef;
}
