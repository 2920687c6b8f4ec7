/**
 * Writes one source symbol as a SYMBOL frame: whole, or half of it if it is too large for any packet now.
 * Source: docs/wire-format.md §3.6 (SYMBOL, PART).
 */
import type { Writer } from '../base/bytes.ts';
import type { Micros } from '../base/protocol.ts';
import { type PacketRecord, TokenKind } from '../wire/frame-source.ts';
import { symbolHeaderSize, writeSymbolHeader } from '../wire/symbol.ts';
import type { SentFrame } from './sent-frame.ts';
import { Piece, type SymbolWindow } from './symbol-window.ts';
import type { PathView, SendStatistics } from './types.ts';

/** What is left in a packet is no use to another frame below this: then Length is omitted and the packet is full. */
const USEFUL_ROOM_BYTES = 64;

/** See the file header. One per track. */
export class SymbolWriter {
  readonly #trackId: number;
  readonly #path: PathView;
  readonly #window: SymbolWindow;
  readonly #statistics: SendStatistics;

  constructor(trackId: number, path: PathView, window: SymbolWindow, statistics: SendStatistics) {
    this.#trackId = trackId;
    this.#path = path;
    this.#window = window;
    this.#statistics = statistics;
  }

  /** Writes symbol `id` of the window and notes its token. Returns bytes written; 0: it does not fit. */
  write(writer: Writer, record: PacketRecord, id: number, now: Micros): number {
    const frame = this.#window.owner(id) as SentFrame;
    const symbol = frame.symbols[id - frame.first] as Uint8Array;
    const isResend = this.#window.transmissions(id) > 0;
    const start = writer.at;
    let piece: number = Piece.WHOLE;
    if (symbolHeaderSize(this.#trackId, -1, 0, -1) + symbol.length > this.#path.maxPayloadBytes) {
      piece = this.#window.nextHalf(id);
      const half = Math.ceil(symbol.length / 2);
      const from = piece === Piece.SECOND ? half : 0;
      const part = piece === Piece.SECOND ? symbol.subarray(half) : symbol.subarray(0, half);
      if (!this.#copy(writer, id, isResend, from, symbol.length, part)) return 0;
    } else if (!this.#copy(writer, id, isResend, -1, symbol.length, symbol)) {
      return 0;
    }
    record.note(TokenKind.TRACK, this.#trackId, id, this.#window.sent(id, piece, now));
    const size = writer.at - start;
    this.#count(frame, id, piece, size, isResend);
    return size;
  }

  #copy(
    writer: Writer,
    id: number,
    isResend: boolean,
    partAt: number,
    symbolBytes: number,
    bytes: Uint8Array,
  ): boolean {
    const left = writer.room - symbolHeaderSize(this.#trackId, partAt, symbolBytes, -1) - bytes.length;
    if (left < 0) return false;
    const fillsPacket = left < USEFUL_ROOM_BYTES;
    const length = fillsPacket ? -1 : bytes.length;
    writeSymbolHeader(writer, this.#trackId, id, isResend, partAt, symbolBytes, length);
    writer.copy(bytes);
    if (fillsPacket) writer.end = writer.at;
    return true;
  }

  #count(frame: SentFrame, id: number, piece: number, size: number, isResend: boolean): void {
    const statistics = this.#statistics;
    if (isResend) {
      statistics.resendBytes += size;
      statistics.symbolsResent++;
      return;
    }
    // The media bytes of a symbol in two parts are counted with its first.
    const media = piece === Piece.SECOND ? 0 : frame.dataBytes(id - frame.first);
    statistics.mediaBytes += media;
    statistics.headerBytes += size - media;
    if (piece !== Piece.SECOND) statistics.symbolsSent++;
  }
}
