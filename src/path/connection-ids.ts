/**
 * The connection IDs of one connection: those that we issue for the peer to call us by, and those of the peer's that we
 * may use. In: NEW_CONNECTION_ID, RETIRE_CONNECTION_ID, their fate. Out: the same frames, an unused ID for a new path.
 * Source: RFC 9000 §5.1, §19.15, §19.16; docs/wire-format.md §3.7.
 */
import { copyBytes, equalBytes, type Reader, type Writer } from '../base/bytes.ts';
import { WireError } from '../base/errors.ts';
import { Ranges } from '../base/ranges.ts';
import { type FrameSource, type PacketRecord, TokenKind } from '../wire/frame-source.ts';
import { FrameType } from '../wire/frame-types.ts';
import { CONNECTION_ID_BYTES, RESET_TOKEN_BYTES } from '../wire/header.ts';

/** IDs that either end keeps for the other at one time, that of the handshake included. */
export const CONNECTION_IDS_MAX = 4;
/** IDs that we keep issued: that in use and two for new paths. */
const ISSUED = 3;
/** Retirements that wait to be told; a peer that makes more is not of this protocol. */
const RETIREMENTS_MAX = 16;
/** Gaps in the peer's sequence numbers: only loss and reordering make any. */
const GAPS_MAX = 16;
/** A type, two sequence numbers, the length, the ID, the token. */
const NEW_ID_BYTES_MAX: number = 1 + 8 + 8 + 1 + CONNECTION_ID_BYTES + RESET_TOKEN_BYTES;
const RETIRE_BYTES_MAX = 9;

/** An ID and the token by which its issuer, having forgotten the connection, can say so. */
export interface IssuedId {
  readonly id: Uint8Array;
  readonly resetToken: Uint8Array;
}

/** Whoever routes datagrams: makes IDs that reach this connection, and forgets them. */
export interface IdIssuer {
  /** The token of the ID that the handshake used. */
  firstResetToken(): Uint8Array;
  issue(): IssuedId;
  retire(id: Uint8Array): void;
  /** The peer's tokens that end this connection: whenever one is learnt, and whenever one must not count any more. */
  onResetToken(token: Uint8Array, isValid: boolean): void;
}

interface LocalId extends IssuedId {
  readonly sequence: number;
}

interface RemoteId {
  readonly sequence: number;
  readonly id: Uint8Array;
  readonly resetToken: Uint8Array | undefined;
  isUsed: boolean;
}

/** Both directions of one connection. Without an issuer it keeps the IDs of the handshake. */
export class ConnectionIds implements FrameSource {
  readonly #issuer: IdIssuer | undefined;
  readonly #local: LocalId[] = [];
  readonly #remote: RemoteId[] = [];
  /** Local sequence numbers to announce, remote ones to retire. */
  readonly #toIssue: number[] = [];
  readonly #toRetire: number[] = [];
  /** Sequence numbers of the peer's that have come, retired ones included: a frame may come twice, and late. */
  readonly #learnt: Ranges = new Ranges();
  #nextSequence = 1;
  /** The highest of our sequence numbers that the peer may know: the handshake's, then what was written. */
  #toldSequence = 0;
  /** The peer wants nothing below this used any more. */
  #retirePriorTo = 0;

  constructor(issuer: IdIssuer | undefined) {
    this.#issuer = issuer;
  }

  /** The handshake is confirmed: spare IDs are issued. @param remoteId The one that the handshake agreed on. */
  start(localId: Uint8Array, remoteId: Uint8Array): void {
    this.#remote.push({ sequence: 0, id: remoteId, resetToken: undefined, isUsed: true });
    this.#learnt.add(0, 1);
    if (this.#issuer === undefined) return;
    // The first ID travelled in the clear with the handshake; its token must not.
    this.#local.push({ sequence: 0, id: localId, resetToken: this.#issuer.firstResetToken() });
    this.#toIssue.push(0);
    while (this.#local.length < ISSUED) this.#issue(this.#issuer);
  }

  #issue(issuer: IdIssuer): void {
    const sequence = this.#nextSequence++;
    this.#local.push({ sequence, ...issuer.issue() });
    this.#toIssue.push(sequence);
  }

  /** An ID of the peer's for a new path: an unused one if there is one, else `current` stays in use. */
  take(current: Uint8Array): Uint8Array {
    const spare = this.#remote.find((entry) => !entry.isUsed);
    if (spare === undefined) return current;
    spare.isUsed = true;
    return spare.id;
  }

  /** No path uses this ID of the peer's any more. */
  release(id: Uint8Array): void {
    const at = this.#remote.findIndex((entry) => entry.id === id);
    // The last one stays: something has to be put into headers.
    if (at >= 0 && this.#remote.length > 1) this.#retire(at);
  }

  #retire(at: number): void {
    const [entry] = this.#remote.splice(at, 1);
    if (entry === undefined) return;
    this.#toRetire.push(entry.sequence);
    if (entry.resetToken !== undefined) this.#issuer?.onResetToken(entry.resetToken, false);
  }

  /**
   * NEW_CONNECTION_ID. Returns 0 or the WireError to close with.
   *
   * @param onRetired Told of each ID in use that the peer wants retired, with its replacement.
   */
  onNewId(reader: Reader, onRetired: (old: Uint8Array, replacement: Uint8Array) => void): number {
    const sequence = reader.varint();
    const retirePriorTo = reader.varint();
    const length = reader.u8();
    const id = reader.take(length);
    const token = reader.take(RESET_TOKEN_BYTES);
    if (reader.failed || length !== CONNECTION_ID_BYTES || retirePriorTo > sequence) {
      return WireError.FRAME_ENCODING_ERROR;
    }
    const error = this.#learn(sequence, id, token);
    if (error !== 0) return error;
    this.#retirePriorTo = Math.max(this.#retirePriorTo, retirePriorTo);
    // Something has to be put into headers: an end that takes back all its IDs is not of this protocol.
    const kept = this.#remote.find((entry) => entry.sequence >= this.#retirePriorTo);
    if (kept === undefined) return WireError.PROTOCOL_VIOLATION;
    for (let at = this.#remote.length - 1; at >= 0; at--) {
      const entry = this.#remote[at] as RemoteId;
      if (entry.sequence >= this.#retirePriorTo) continue;
      this.#retire(at);
      if (entry.isUsed) onRetired(entry.id, this.take(kept.id));
    }
    if (this.#remote.length > CONNECTION_IDS_MAX) return WireError.CONNECTION_ID_LIMIT_ERROR;
    return this.#toRetire.length > RETIREMENTS_MAX ? WireError.CONNECTION_ID_LIMIT_ERROR : 0;
  }

  #learn(sequence: number, id: Uint8Array, token: Uint8Array): number {
    const at = this.#remote.findIndex((entry) => entry.sequence === sequence);
    const known = this.#remote[at];
    if (known !== undefined) {
      if (!equalBytes(known.id, id)) return WireError.PROTOCOL_VIOLATION;
      if (known.resetToken === undefined) this.#remote[at] = { ...known, resetToken: this.#accept(token) };
      return 0;
    }
    // One that was retired already: a repetition that comes late.
    if (this.#learnt.has(sequence)) return 0;
    this.#learnt.add(sequence, sequence + 1);
    if (this.#learnt.count > GAPS_MAX) return WireError.CONNECTION_ID_LIMIT_ERROR;
    if (sequence < this.#retirePriorTo) {
      this.#toRetire.push(sequence);
      return 0;
    }
    if (this.#remote.some((entry) => equalBytes(entry.id, id))) return WireError.PROTOCOL_VIOLATION;
    this.#remote.push({ sequence, id: copyBytes(id), resetToken: this.#accept(token), isUsed: false });
    return 0;
  }

  #accept(token: Uint8Array): Uint8Array {
    const copy = copyBytes(token);
    this.#issuer?.onResetToken(copy, true);
    return copy;
  }

  /** RETIRE_CONNECTION_ID: the peer will not use that ID of ours any more, and gets another one. */
  onRetireId(sequence: number): number {
    if (sequence > this.#toldSequence) return WireError.PROTOCOL_VIOLATION;
    const at = this.#local.findIndex((entry) => entry.sequence === sequence);
    const entry = this.#local[at];
    if (entry === undefined || this.#issuer === undefined) return 0;
    this.#local.splice(at, 1);
    this.#issuer.retire(entry.id);
    this.#issue(this.#issuer);
    return 0;
  }

  /** The connection is over: the peer's tokens count no more. */
  end(): void {
    for (const { resetToken } of this.#remote) {
      if (resetToken !== undefined) this.#issuer?.onResetToken(resetToken, false);
    }
    this.#remote.length = 0;
  }

  wantsToSend(): boolean {
    return this.#toIssue.length > 0 || this.#toRetire.length > 0;
  }

  writeFrames(writer: Writer, record: PacketRecord): boolean {
    const before = writer.at;
    while (this.#toRetire.length > 0 && writer.room >= RETIRE_BYTES_MAX) {
      const sequence = this.#toRetire.shift() as number;
      writer.u8(FrameType.RETIRE_CONNECTION_ID);
      writer.varint(sequence);
      record.note(TokenKind.PATH, FrameType.RETIRE_CONNECTION_ID, sequence, 0);
    }
    while (this.#toIssue.length > 0 && writer.room >= NEW_ID_BYTES_MAX) {
      const sequence = this.#toIssue.shift() as number;
      const entry = this.#local.find((local) => local.sequence === sequence);
      if (entry === undefined) continue;
      writer.u8(FrameType.NEW_CONNECTION_ID);
      writer.varint(sequence);
      writer.varint(0);
      writer.u8(entry.id.length);
      writer.copy(entry.id);
      writer.copy(entry.resetToken);
      this.#toldSequence = Math.max(this.#toldSequence, sequence);
      record.note(TokenKind.PATH, FrameType.NEW_CONNECTION_ID, sequence, 0);
    }
    return writer.at > before;
  }

  onAcked(): void {}

  onLost(type: number, sequence: number): void {
    const pending = type === FrameType.RETIRE_CONNECTION_ID ? this.#toRetire : this.#toIssue;
    if (!pending.includes(sequence)) pending.push(sequence);
  }
}
