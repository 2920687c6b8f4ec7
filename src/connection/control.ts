/**
 * Control frames of the connection itself: HANDSHAKE_DONE, DATAGRAM_SIZE, PING. Each is sent until
 * acknowledged where its loss would matter. Source: RFC 9000 §13.3.
 */
import type { Writer } from '../base/bytes.ts';
import { writeControlFrame, writeDatagramSize } from '../wire/control.ts';
import { type FrameSource, type PacketRecord, TokenKind } from '../wire/frame-source.ts';
import { FrameType } from '../wire/frame-types.ts';

export class ControlFrames implements FrameSource {
  #isDonePending = false;
  #isPingPending = false;
  #sizePending = 0;
  /** Counts announcements: only the newest one's fate matters. */
  #announcement = 0;
  /**
   * Packets of exactly this size may leave out Length: the peer is known to know it (docs/wire-format.md §1.2). 0 while
   * an announcement is under way: which size the peer would take a packet without Length to have is then uncertain.
   */
  announcedBytes: number;

  constructor(announcedBytes: number) {
    this.announcedBytes = announcedBytes;
  }

  sendHandshakeDone(): void {
    this.#isDonePending = true;
  }

  /** Asks for an answer: keep-alive, probe timeout. */
  sendPing(): void {
    this.#isPingPending = true;
  }

  announceSize(bytes: number): void {
    this.#sizePending = bytes;
    this.#announcement++;
    this.announcedBytes = 0;
  }

  wantsToSend(): boolean {
    return this.#isDonePending || this.#isPingPending || this.#sizePending > 0;
  }

  writeFrames(writer: Writer, record: PacketRecord): boolean {
    const before = writer.at;
    if (this.#isDonePending && writer.room >= 1) {
      writeControlFrame(writer, FrameType.HANDSHAKE_DONE);
      record.note(TokenKind.CONTROL, FrameType.HANDSHAKE_DONE, 0, 0);
      this.#isDonePending = false;
    }
    if (this.#sizePending > 0 && writer.room >= 3) {
      writeDatagramSize(writer, this.#sizePending);
      record.note(TokenKind.CONTROL, FrameType.DATAGRAM_SIZE, this.#sizePending, this.#announcement);
      this.#sizePending = 0;
    }
    if (this.#isPingPending && writer.room >= 1) {
      writeControlFrame(writer, FrameType.PING);
      this.#isPingPending = false;
    }
    return writer.at > before;
  }

  onAcked(type: number, value: number, announcement: number): void {
    if (type !== FrameType.DATAGRAM_SIZE || announcement !== this.#announcement) return;
    this.announcedBytes = value;
    this.#sizePending = 0;
  }

  onLost(type: number, value: number, announcement: number): void {
    if (type === FrameType.HANDSHAKE_DONE) this.#isDonePending = true;
    else if (type === FrameType.DATAGRAM_SIZE && announcement === this.#announcement) {
      if (this.announcedBytes !== value) this.#sizePending = value;
    }
  }
}
