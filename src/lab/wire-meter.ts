/**
 * Where the bytes of the media direction go, measured on the wire and not by whoever sent them. In: every packet that
 * enters the link. Out: sums by purpose that add up to the link's own count, byte by byte. Stand-in keys leave packets
 * readable, so millrace's are taken apart frame by frame. Source: DESIGN D14, D15; docs/wire-format.md §3.
 */
import { Reader } from '../base/bytes.ts';
import { TAG_BYTES } from '../crypto/protection.ts';
import { UDP_IPV4_HEADER_BYTES } from '../sim/link-options.ts';
import type { TcpSegment } from '../sim/tcp/segment.ts';
import { AckFrame, TrackAckFrame } from '../wire/ack.ts';
import { readClose } from '../wire/control.ts';
import { FrameType } from '../wire/frame-types.ts';
import { HeaderReason, PacketHeader, RESET_TOKEN_BYTES } from '../wire/header.ts';
import { StreamFrame } from '../wire/stream.ts';
import { RepairFrame, SourceSymbolHeader, SymbolFrame } from '../wire/symbol.ts';

/** Bytes on the wire (IP headers included) by purpose; `total` is their sum. */
export interface WireBytes {
  total: number;
  /** Media in their first transmission. */
  media: number;
  /** Headers of packets and frames, tags, handshake, control frames in packets with media. */
  headers: number;
  /** SYMBOL frames sent again, with their headers; TCP: payload sent again. */
  resend: number;
  /** REPAIR frames, with their headers. */
  repair: number;
  /** Datagrams that only prove a size, a path or a capacity. */
  probe: number;
  /** ACK and TRACK_ACK frames, and whole datagrams without media. */
  feedback: number;
}

/** All zero. */
export function noWireBytes(): WireBytes {
  return { total: 0, media: 0, headers: 0, resend: 0, repair: 0, probe: 0, feedback: 0 };
}

/** What is in `now` and not in `before`. */
export function wireBytesSince(now: WireBytes, before: WireBytes): WireBytes {
  return {
    total: now.total - before.total,
    media: now.media - before.media,
    headers: now.headers - before.headers,
    resend: now.resend - before.resend,
    repair: now.repair - before.repair,
    probe: now.probe - before.probe,
    feedback: now.feedback - before.feedback,
  };
}

/** What the parts miss of the total: 0, or something is counted wrongly. */
export function unaccountedBytes(bytes: WireBytes): number {
  return (
    bytes.total - (bytes.media + bytes.headers + bytes.resend + bytes.repair + bytes.probe + bytes.feedback)
  );
}

/** Without media in it, only a probe is padded; one byte of PADDING also saves a Length (docs/wire-format.md §1.2). */
const PROBE_PADDING_MIN = 2;
const PART = 2;
const SYMBOL_LAST = FrameType.SYMBOL + 7;
const STREAM_LAST = FrameType.STREAM + 7;

/** Sums one flow's packets. */
export class WireMeter {
  readonly bytes: WireBytes = noWireBytes();
  packets = 0;
  /** Datagrams counted as `probe`. */
  probes = 0;
  /** Packets that could not be taken apart: theirs are counted as headers. Must stay 0. */
  unreadable = 0;
  readonly #header: PacketHeader = new PacketHeader();
  readonly #reader: Reader = new Reader();
  readonly #ack: AckFrame = new AckFrame();
  readonly #trackAck: TrackAckFrame = new TrackAckFrame();
  readonly #stream: StreamFrame = new StreamFrame();
  readonly #symbol: SymbolFrame = new SymbolFrame();
  readonly #repair: RepairFrame = new RepairFrame();
  readonly #source: SourceSymbolHeader = new SourceSymbolHeader();
  #highestTcp = 0;
  /** Of the packet at hand. `#data` are the bytes counted as media, resend or repair. */
  #data = 0;
  #feedback = 0;
  #padding = 0;
  #hasMedia = false;
  #hasPathFrame = false;

  /** Counts a datagram of plain UDP: one fragment of a frame behind `headerBytes` of its own. */
  onUdp(sizeBytes: number, headerBytes: number): void {
    this.packets++;
    this.bytes.total += sizeBytes;
    this.bytes.headers += UDP_IPV4_HEADER_BYTES + headerBytes;
    this.bytes.media += sizeBytes - UDP_IPV4_HEADER_BYTES - headerBytes;
  }

  /** Counts a segment of the modelled TCP. Length prefixes of media frames count as media: 4 bytes each. */
  onTcp(segment: TcpSegment, sizeBytes: number): void {
    const { bytes } = this;
    this.packets++;
    bytes.total += sizeBytes;
    if (segment.kind !== 'data') {
      bytes.feedback += sizeBytes;
      return;
    }
    bytes.headers += sizeBytes - segment.length;
    const end = segment.seq + segment.length;
    const fresh = Math.min(segment.length, Math.max(0, end - this.#highestTcp));
    bytes.media += fresh;
    bytes.resend += segment.length - fresh;
    this.#highestTcp = Math.max(this.#highestTcp, end);
  }

  /** Counts a datagram of a millrace connection with stand-in keys. `sizeBytes` includes IP and UDP headers. */
  onDatagram(datagram: Uint8Array, sizeBytes: number): void {
    const { bytes } = this;
    const header = this.#header;
    this.packets++;
    bytes.total += sizeBytes;
    const overheadBytes = sizeBytes - datagram.length;
    let at = 0;
    while (at < datagram.length) {
      if (header.parse(datagram, at, datagram.length) !== HeaderReason.OK) {
        this.unreadable++;
        bytes.headers += sizeBytes - at;
        return;
      }
      const isAlone = at === 0 && header.end === datagram.length;
      const packetBytes = header.end - at + (at === 0 ? overheadBytes : 0);
      at = header.end;
      if (header.isInitial) bytes.headers += packetBytes;
      else this.#onShort(datagram, packetBytes, isAlone);
    }
  }

  #onShort(datagram: Uint8Array, packetBytes: number, isAlone: boolean): void {
    const { bytes } = this;
    const header = this.#header;
    this.#data = 0;
    this.#feedback = 0;
    this.#padding = 0;
    this.#hasMedia = false;
    this.#hasPathFrame = false;
    const reader = this.#reader.reset(datagram, header.payloadStart, header.end - TAG_BYTES);
    while (reader.remaining > 0) {
      if (this.#onFrame(reader)) continue;
      this.unreadable++;
      break;
    }
    const isProbe = this.#hasPathFrame || this.#padding >= PROBE_PADDING_MIN;
    if (this.#hasMedia) {
      bytes.feedback += this.#feedback;
      bytes.headers += packetBytes - this.#data - this.#feedback;
    } else if (isAlone && isProbe) {
      this.probes++;
      bytes.probe += packetBytes;
    } else bytes.feedback += packetBytes;
  }

  /** False when the frame is of a kind unknown here. */
  #onFrame(reader: Reader): boolean {
    const start = reader.at;
    const type = reader.u8();
    if (type === FrameType.PADDING) this.#padding++;
    else if (type === FrameType.PING) return true;
    else if (type >= FrameType.SYMBOL && type <= SYMBOL_LAST) this.#onSymbol(reader, type, start);
    else if (type === FrameType.REPAIR || type === FrameType.REPAIR + 1) {
      this.#repair.parse(reader, type);
      this.#hasMedia = true;
      this.#data += reader.at - start;
      this.bytes.repair += reader.at - start;
    } else if (type === FrameType.ACK) {
      this.#ack.parse(reader);
      this.#feedback += reader.at - start;
    } else if (type === FrameType.TRACK_ACK) {
      this.#trackAck.parse(reader);
      this.#feedback += reader.at - start;
    } else if (type >= FrameType.STREAM && type <= STREAM_LAST) {
      this.#stream.parse(reader, type);
      this.#hasMedia = true;
      this.#data += this.#stream.bytes.length;
      this.bytes.media += this.#stream.bytes.length;
    } else return this.#onControl(reader, type);
    return !reader.failed;
  }

  #onSymbol(reader: Reader, type: number, start: number): void {
    const symbol = this.#symbol;
    symbol.parse(reader, type);
    this.#hasMedia = true;
    const frameBytes = reader.at - start;
    if (symbol.isResent) {
      this.#data += frameBytes;
      this.bytes.resend += frameBytes;
      return;
    }
    let sourceHeaderBytes = 0;
    if ((type & PART) === 0 || symbol.partOffset === 0) {
      this.#source.parse(symbol.bytes);
      sourceHeaderBytes = this.#source.dataAt;
    }
    const mediaBytes = symbol.bytes.length - sourceHeaderBytes;
    this.#data += mediaBytes;
    this.bytes.media += mediaBytes;
  }

  #onControl(reader: Reader, type: number): boolean {
    switch (type) {
      case FrameType.PATH_CHALLENGE:
      case FrameType.PATH_RESPONSE:
        this.#hasPathFrame = true;
        reader.take(8);
        return !reader.failed;
      case FrameType.DATAGRAM_SIZE:
        reader.u16();
        return !reader.failed;
      case FrameType.HANDSHAKE_DONE:
        return true;
      case FrameType.NEW_CONNECTION_ID:
        for (let i = 0; i < 2; i++) reader.varint();
        reader.take(reader.u8());
        reader.take(RESET_TOKEN_BYTES);
        return !reader.failed;
      case FrameType.CONNECTION_CLOSE:
      case FrameType.APPLICATION_CLOSE:
        return readClose(reader, type) !== undefined;
      case FrameType.TRACK:
        for (let i = 0; i < 3; i++) reader.varint();
        reader.take(reader.varint());
        return !reader.failed;
      default: {
        const count = CONTROL_VARINTS[type];
        if (count === undefined) return false;
        for (let i = 0; i < count; i++) reader.varint();
        return !reader.failed;
      }
    }
  }
}

/** Control frames that are nothing but varints: how many. */
const CONTROL_VARINTS: Readonly<Record<number, number>> = {
  [FrameType.RESET_STREAM]: 3,
  [FrameType.STOP_SENDING]: 2,
  [FrameType.MAX_DATA]: 1,
  [FrameType.MAX_STREAM_DATA]: 2,
  [FrameType.MAX_STREAMS_BIDIRECTIONAL]: 1,
  [FrameType.MAX_STREAMS_UNIDIRECTIONAL]: 1,
  [FrameType.DATA_BLOCKED]: 1,
  [FrameType.STREAM_DATA_BLOCKED]: 2,
  [FrameType.STREAMS_BLOCKED_BIDIRECTIONAL]: 1,
  [FrameType.STREAMS_BLOCKED_UNIDIRECTIONAL]: 1,
  [FrameType.RETIRE_CONNECTION_ID]: 1,
  [FrameType.TRACK_END]: 3,
  [FrameType.TRACK_STOP]: 2,
  [FrameType.KEY_FRAME_REQUEST]: 2,
  [FrameType.TRACK_SKIP]: 3,
};
