/**
 * Packet headers: long (Initial), short (1-RTT), version negotiation. In: datagram bytes. Out: fields of one packet
 * and where its sealed payload lies. Source: RFC 8999; docs/wire-format.md §1.
 */
import type { Writer } from '../base/bytes.ts';

/** The version this implementation speaks. */
export const VERSION = 0x6d720001;
/** Connection IDs have at most 20 bytes (RFC 9000 §17.2); ours have 8. */
export const CONNECTION_ID_BYTES_MAX = 20;
/** Length of every connection ID this implementation issues. */
export const CONNECTION_ID_BYTES = 8;
/** What a stateless reset ends with (RFC 9000 §10.3). */
export const RESET_TOKEN_BYTES = 16;
/** Smallest datagram with an Initial packet, and the datagram size before larger ones are proven. */
export const DATAGRAM_BYTES_MIN = 1200;
/** Largest datagram this implementation sends: 1480 bytes of IPv4 payload on Ethernet and PPPoE less headers. */
export const DATAGRAM_BYTES_MAX = 1452;

const LONG_FORM = 0x80;
const FIXED_BIT = 0x40;
const INITIAL = 0xc0;
const SHORT_LENGTH = 0x20;
const SHORT_KEY_PHASE = 0x10;
const SHORT_RESERVED = 0x0c;

/** Why bytes are no packet of ours. */
export const HeaderReason = { OK: 0, MALFORMED: 1, VERSION: 2, RESERVED: 3 } as const;
/** One of {@link HeaderReason}. */
export type HeaderReason = (typeof HeaderReason)[keyof typeof HeaderReason];

/** True for a long header (any version). */
export function isLongHeader(datagram: Uint8Array): boolean {
  return datagram.length > 0 && ((datagram[0] as number) & LONG_FORM) !== 0;
}

/** The version field of a long header; 0 is version negotiation, -1 too short. */
export function versionOf(datagram: Uint8Array): number {
  if (datagram.length < 7) return -1;
  return readU32(datagram, 1);
}

function readU32(bytes: Uint8Array, at: number): number {
  const high = ((bytes[at] as number) << 8) | (bytes[at + 1] as number);
  return high * 65_536 + (((bytes[at + 2] as number) << 8) | (bytes[at + 3] as number));
}

/** Fields of one packet, reused for every packet parsed: numbers are copied, nothing is allocated. */
export class PacketHeader {
  isInitial = false;
  /** First byte of the packet in the datagram. */
  start = 0;
  /** One past its last byte, tag included. */
  end = 0;
  payloadStart = 0;
  dcidStart = 0;
  dcidEnd = 0;
  /** Initial only. */
  scidStart = 0;
  scidEnd = 0;
  tokenStart = 0;
  tokenEnd = 0;
  /** Low bits of the packet number, and how many. */
  truncatedNumber = 0;
  numberBits = 32;
  keyPhase = 0;
  isLengthPresent = false;

  /**
   * Parses the packet that begins at `start`.
   * @param announcedBytes The datagram size the peer announced: where a packet without Length ends at the latest.
   */
  parse(datagram: Uint8Array, start: number, announcedBytes: number): HeaderReason {
    if (start >= datagram.length) return HeaderReason.MALFORMED;
    const first = datagram[start] as number;
    if ((first & FIXED_BIT) === 0) return HeaderReason.MALFORMED;
    this.start = start;
    return (first & LONG_FORM) !== 0
      ? this.#parseInitial(datagram, start, first)
      : this.#parseShort(datagram, start, first, announcedBytes);
  }

  #parseInitial(datagram: Uint8Array, start: number, first: number): HeaderReason {
    this.isInitial = true;
    let at = start + 5;
    if (at + 2 > datagram.length) return HeaderReason.MALFORMED;
    if (readU32(datagram, start + 1) !== VERSION) return HeaderReason.VERSION;
    if ((first & 0x30) !== 0 || (first & 0x0f) !== 0) return HeaderReason.RESERVED;
    const dcidBytes = datagram[at++] as number;
    if (dcidBytes > CONNECTION_ID_BYTES_MAX || at + dcidBytes >= datagram.length)
      return HeaderReason.MALFORMED;
    this.dcidStart = at;
    this.dcidEnd = at += dcidBytes;
    const scidBytes = datagram[at++] as number;
    if (scidBytes > CONNECTION_ID_BYTES_MAX || at + scidBytes + 2 > datagram.length)
      return HeaderReason.MALFORMED;
    this.scidStart = at;
    this.scidEnd = at += scidBytes;
    // Token Length: varint of one or two bytes is all a token of ours needs.
    const tokenFirst = datagram[at++] as number;
    let tokenBytes = tokenFirst;
    if (tokenFirst >= 64) {
      if (tokenFirst >= 128) return HeaderReason.MALFORMED;
      tokenBytes = ((tokenFirst & 0x3f) << 8) | (datagram[at++] as number);
    }
    if (at + tokenBytes + 6 > datagram.length) return HeaderReason.MALFORMED;
    this.tokenStart = at;
    this.tokenEnd = at += tokenBytes;
    const length = ((datagram[at] as number) << 8) | (datagram[at + 1] as number);
    at += 2;
    this.end = at + length;
    if (length < 4 || this.end > datagram.length) return HeaderReason.MALFORMED;
    this.truncatedNumber = readU32(datagram, at);
    this.numberBits = 32;
    this.payloadStart = at + 4;
    return HeaderReason.OK;
  }

  #parseShort(datagram: Uint8Array, start: number, first: number, announcedBytes: number): HeaderReason {
    this.isInitial = false;
    if ((first & SHORT_RESERVED) !== 0) return HeaderReason.RESERVED;
    const numberBytes = (first & 3) + 1;
    if (numberBytes !== 2 && numberBytes !== 4) return HeaderReason.RESERVED;
    const lengthBytes = (first & SHORT_LENGTH) !== 0 ? 2 : 0;
    let at = start + 1 + CONNECTION_ID_BYTES + lengthBytes;
    if (at + numberBytes > datagram.length) return HeaderReason.MALFORMED;
    this.dcidStart = start + 1;
    this.dcidEnd = start + 1 + CONNECTION_ID_BYTES;
    this.isLengthPresent = lengthBytes !== 0;
    this.keyPhase = (first & SHORT_KEY_PHASE) === 0 ? 0 : 1;
    if (this.isLengthPresent) {
      this.end = at + (((datagram[at - 2] as number) << 8) | (datagram[at - 1] as number));
    } else {
      this.end = Math.min(datagram.length, start + announcedBytes);
    }
    this.numberBits = numberBytes * 8;
    if (numberBytes === 2) {
      this.truncatedNumber = ((datagram[at] as number) << 8) | (datagram[at + 1] as number);
    } else {
      this.truncatedNumber = readU32(datagram, at);
    }
    at += numberBytes;
    this.payloadStart = at;
    return this.end > datagram.length || at > this.end ? HeaderReason.MALFORMED : HeaderReason.OK;
  }
}

/** Full packet number nearest to the next expected one. Source: RFC 9000 A.3. */
export function decodePacketNumber(largest: number, truncated: number, bits: number): number {
  const window = bits === 16 ? 65_536 : 4_294_967_296;
  const expected = largest + 1;
  const candidate = Math.floor(expected / window) * window + truncated;
  if (candidate <= expected - window / 2) return candidate + window;
  if (candidate > expected + window / 2 && candidate >= window) return candidate - window;
  return candidate;
}

/** Bytes of an Initial header with these connection IDs and token. */
export function initialHeaderBytes(dcid: Uint8Array, scid: Uint8Array, token: Uint8Array): number {
  return 5 + 1 + dcid.length + 1 + scid.length + (token.length < 64 ? 1 : 2) + token.length + 2 + 4;
}

/** Writes an Initial header; returns where its Length field lies, for {@link patchLength}. */
export function writeInitialHeader(
  writer: Writer,
  dcid: Uint8Array,
  scid: Uint8Array,
  token: Uint8Array,
  packetNumber: number,
): number {
  writer.u8(INITIAL);
  writer.u32(VERSION);
  writer.u8(dcid.length);
  writer.copy(dcid);
  writer.u8(scid.length);
  writer.copy(scid);
  writer.varint(token.length);
  writer.copy(token);
  const lengthAt = writer.at;
  writer.u16(0);
  writer.u32(packetNumber);
  return lengthAt;
}

/** Bytes of packet number a sender needs: RFC 9000 §17.1, two sizes only. */
export function packetNumberBytes(packetNumber: number, largestAcked: number): 2 | 4 {
  return packetNumber - largestAcked < 16_384 ? 2 : 4;
}

/** Bytes of a short header. */
export function shortHeaderBytes(hasLength: boolean, numberBytes: number): number {
  return 1 + CONNECTION_ID_BYTES + (hasLength ? 2 : 0) + numberBytes;
}

/** Writes a short header; `lengthBytes` is what follows the Length field, or -1 for a packet without it. */
export function writeShortHeader(
  writer: Writer,
  dcid: Uint8Array,
  keyPhase: number,
  packetNumber: number,
  numberBytes: number,
  lengthBytes: number,
): void {
  writer.u8(
    FIXED_BIT |
      (lengthBytes >= 0 ? SHORT_LENGTH : 0) |
      (keyPhase === 0 ? 0 : SHORT_KEY_PHASE) |
      (numberBytes - 1),
  );
  writer.copy(dcid);
  if (lengthBytes >= 0) writer.u16(lengthBytes);
  if (numberBytes === 2) writer.u16(packetNumber % 65_536);
  else writer.u32(packetNumber);
}

/** Sets a 16-bit Length written earlier. */
export function patchLength(bytes: Uint8Array, at: number, length: number): void {
  bytes[at] = length >>> 8;
  bytes[at + 1] = length;
}

/** Writes a version negotiation packet that answers `datagram`; returns its size. Source: RFC 8999 §6. */
export function writeVersionNegotiation(out: Uint8Array, datagram: Uint8Array, randomByte: number): number {
  const dcidBytes = datagram[5] as number;
  const scidAt = 6 + dcidBytes;
  const scidBytes = datagram[scidAt] as number;
  let at = 0;
  out[at++] = LONG_FORM | FIXED_BIT | (randomByte & 0x3f);
  for (let i = 0; i < 4; i++) out[at++] = 0;
  out[at++] = scidBytes;
  out.set(datagram.subarray(scidAt + 1, scidAt + 1 + scidBytes), at);
  at += scidBytes;
  out[at++] = dcidBytes;
  out.set(datagram.subarray(6, 6 + dcidBytes), at);
  at += dcidBytes;
  out[at++] = VERSION >>> 24;
  out[at++] = (VERSION >>> 16) & 255;
  out[at++] = (VERSION >>> 8) & 255;
  out[at++] = VERSION & 255;
  return at;
}

/** True when both connection IDs of a long header of any version lie inside the datagram (RFC 8999 §5.1). */
export function hasInvariantHeader(datagram: Uint8Array): boolean {
  if (datagram.length < 7) return false;
  const scidAt = 6 + (datagram[5] as number);
  return scidAt < datagram.length && scidAt + 1 + (datagram[scidAt] as number) <= datagram.length;
}
