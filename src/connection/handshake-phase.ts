/**
 * Everything that exists only until the handshake is confirmed: the Initial packet number space, PARAMETERS, the TLS
 * bytes in CRYPTO frames. In: sealed Initial packets, progress of TLS. Out: Initial packets, the peer's parameters, the
 * secrets of the 1-RTT keys. Source: DESIGN D2; RFC 9000 §7, RFC 9001 §5.2; docs/wire-format.md §2.
 */
import { concatBytes, copyBytes, Reader, varintSize, Writer } from '../base/bytes.ts';
import { WireError } from '../base/errors.ts';
import { MILLISECOND, type Micros, NEVER } from '../base/protocol.ts';
import type { Handshake } from '../crypto/handshake.ts';
import { type PacketProtection, TAG_BYTES } from '../crypto/protection.ts';
import { LossRecovery } from '../recovery/loss-recovery.ts';
import { ReceivedPackets } from '../recovery/received-packets.ts';
import type { RttEstimator } from '../recovery/rtt.ts';
import { PacketFlag } from '../recovery/sent-packets.ts';
import { AckFrame } from '../wire/ack.ts';
import { type CloseFrame, encodeText, REASON_BYTES_MAX, readClose, writeClose } from '../wire/control.ts';
import { TOKEN_KINDS, TokenKind, type TokenOwner } from '../wire/frame-source.ts';
import { FrameType } from '../wire/frame-types.ts';
import {
  CONNECTION_ID_BYTES,
  decodePacketNumber,
  initialHeaderBytes,
  type PacketHeader,
  patchLength,
  VERSION,
  writeInitialHeader,
} from '../wire/header.ts';
import { encodeParameters, type Parameters, parseParameters } from '../wire/parameters.ts';
import { CryptoFrame } from '../wire/stream.ts';
import { CryptoReceive, CryptoSend } from './crypto-stream.ts';
import { initialKeys } from './initial-keys.ts';
import type { ConnectionOptions } from './options.ts';

/** A last flight up to this size is repeated in every datagram; a larger one (client certificates) when lost. */
const REPEATED_FLIGHT_BYTES_MAX = 400;
/** The client's question whether the server still lives is repeated after 64 probe timeouts at the latest. */
const STALL_DOUBLINGS_MAX = 6;
/**
 * A flight goes out twice, so much apart, unless it is answered before: at 10 % loss either way one copy each way gets
 * through in 81 of 100 handshakes, two in 96. Less than a fifth of the round trip of most paths, more than most bursts of
 * loss. The second copy is paid for like the first: by the amplification limit, on the side of a server.
 */
const ECHO_US: Micros = 5 * MILLISECOND;
/** A larger flight (chains of certificates) is not sent twice. */
const ECHO_BYTES_MAX = 4800;
/** What the peer repeats sooner than this after our last word may have crossed it. */
const CROSSED_US: Micros = 20 * MILLISECOND;
const NO_TOKEN: Uint8Array = new Uint8Array(0);
/** Shared by all connections of the process, as in receive.ts: read, handed out and done with. Callers half-way are many. */
const ack: AckFrame = new AckFrame();

/** What an Initial packet did to the connection. */
export const InitialResult = { OK: 0, AUTHENTICATION: -1, DUPLICATE: -2 } as const;

export class HandshakePhase {
  readonly recovery: LossRecovery;
  readonly #received: ReceivedPackets = new ReceivedPackets(0);
  readonly #options: ConnectionOptions;
  readonly #sealer: PacketProtection;
  readonly #opener: PacketProtection;
  readonly #send: CryptoSend = new CryptoSend();
  readonly #receive: CryptoReceive = new CryptoReceive();
  readonly #localParameters: Uint8Array;
  #remoteParameterBytes: Uint8Array | undefined;
  readonly #reader: Reader = new Reader();
  readonly #writer: Writer = new Writer();
  readonly #crypto: CryptoFrame = new CryptoFrame();
  #handshake: Handshake | undefined;
  /** From a Retry packet; the client's Initial packets carry it, and both ends' keys are bound to it. */
  #token: Uint8Array;
  #isParametersPending = true;
  #isParametersAcked = false;
  #isPingPending = false;
  /** When what was said last is said again. */
  #echoAtUs: Micros = NEVER;
  #isEchoing = false;
  #flightAt = 0;
  /** When the last Initial packet was sent. */
  #sentAtUs: Micros = 0;
  /** Times the client has asked because nothing else would have made it send; see `#stallDeadline`. */
  #stalls = 0;
  /** The peer's parameters, once they have come. */
  remoteParameters: Parameters | undefined;
  /** The peer's connection ID as its packets say; undefined before the first. */
  remoteId: Uint8Array | undefined;
  #closed: CloseFrame | undefined;

  constructor(options: ConnectionOptions, rtt: RttEstimator) {
    this.#options = options;
    const { crypto, originalId, isServer } = options;
    const keys = options.initialKeys ?? initialKeys(crypto, originalId, isServer);
    this.#sealer = keys.sealer;
    this.#opener = keys.opener;
    this.#token = options.callerToken ?? NO_TOKEN;
    const owners: TokenOwner[] = new Array<TokenOwner>(TOKEN_KINDS).fill(this.#received);
    owners[TokenKind.CRYPTO] = this.#send;
    owners[TokenKind.PARAMETERS] = this.#parametersOwner;
    this.recovery = new LossRecovery({ rtt, owners, isAdaptive: false });
    this.#localParameters = encodeParameters(options.parameters);
    if (options.isServer) this.remoteId = options.remoteId;
    if (options.handshake !== undefined) this.attach(options.handshake);
  }

  readonly #parametersOwner: TokenOwner = {
    onAcked: () => {
      this.#isParametersAcked = true;
      this.#isParametersPending = false;
    },
    onLost: () => {
      this.#isParametersPending = !this.#isParametersAcked;
    },
  };

  get handshake(): Handshake | undefined {
    return this.#handshake;
  }

  /** Gives the TLS side; what has come for it is fed at once. */
  attach(handshake: Handshake): void {
    this.#handshake = handshake;
    this.progress();
  }

  /** Moves bytes between TLS and the CRYPTO stream, both ways. Call after every packet and whenever TLS has moved. */
  progress(): void {
    const handshake = this.#handshake;
    if (handshake === undefined) return;
    if (this.remoteParameters !== undefined) {
      for (let bytes = this.#receive.read(); bytes !== undefined; bytes = this.#receive.read()) {
        // Initial keys are no secret: once TLS has authenticated the peer, nothing under them may undo that.
        if (handshake.state !== 'running') continue;
        this.#flightAt = this.#send.length;
        handshake.receive(bytes);
      }
    }
    for (let bytes = handshake.read(); bytes !== undefined; bytes = handshake.read())
      this.#send.append(bytes);
  }

  /** True if an Initial packet would carry something. @param isKeyed The client has its 1-RTT keys. */
  wantsToSend(now: Micros, isKeyed: boolean): boolean {
    if (this.#isParametersPending || this.#isPingPending || this.#send.hasPending) return true;
    if (isKeyed && !this.#options.isServer) return false;
    return this.#received.ackDueAt() <= now;
  }

  /** A close that the peer sent in an Initial packet, once. */
  takeClose(): CloseFrame | undefined {
    const closed = this.#closed;
    this.#closed = undefined;
    return closed;
  }

  /** A Retry packet that answers our call: everything is said again, with its token. False: it comes too late. */
  onRetry(token: Uint8Array): boolean {
    if (this.#options.isServer || this.remoteId !== undefined || this.#token.length > 0) return false;
    this.#token = token;
    this.#isParametersPending = true;
    this.#repeatFlight();
    return true;
  }

  /** Queues the client's last flight again: it goes out in front of every datagram until the server answers. */
  repeatLastFlight(): void {
    if (this.#send.length - this.#flightAt <= REPEATED_FLIGHT_BYTES_MAX)
      this.#send.repeatFrom(this.#flightAt);
  }

  /** Bytes the repeated last flight takes from every datagram until the handshake is confirmed, 0 if it is not small. */
  get repeatedBytes(): number {
    const flight = this.#send.length - this.#flightAt;
    if (flight > REPEATED_FLIGHT_BYTES_MAX) return 0;
    return this.#headerBytes() + TAG_BYTES + flight + 16;
  }

  get #sentToken(): Uint8Array {
    return this.#options.isServer ? NO_TOKEN : this.#token;
  }

  #headerBytes(): number {
    return initialHeaderBytes(
      this.remoteId ?? this.#options.remoteId,
      this.#options.localId,
      this.#sentToken,
    );
  }

  /**
   * Writes one Initial packet at `out[0)`.
   * @param padTo The packet is padded to this size at least (0: another packet follows and is padded).
   * @param close Sent instead of everything else.
   * @returns Bytes written; 0 = nothing to say.
   */
  write(out: Uint8Array, limit: number, padTo: number, close: CloseFrame | undefined, now: Micros): number {
    const headerBytes = this.#headerBytes();
    if (!this.recovery.canSend() || limit < headerBytes + TAG_BYTES + 64) return 0;
    const packetNumber = this.recovery.begin();
    const writer = this.#writer.reset(out, 0, limit - TAG_BYTES);
    const lengthAt = writeInitialHeader(
      writer,
      this.remoteId ?? this.#options.remoteId,
      this.#options.localId,
      this.#sentToken,
      packetNumber,
    );
    const isEliciting =
      close === undefined ? this.#writeFrames(writer, now) : this.#writeClose(writer, close, padTo > 0);
    if (writer.at === headerBytes) {
      this.recovery.cancel();
      return 0;
    }
    if (writer.at + TAG_BYTES < padTo) writer.zeros(padTo - TAG_BYTES - writer.at);
    const end = writer.at + TAG_BYTES;
    patchLength(out, lengthAt, end - lengthAt - 2);
    this.#sealer.seal(out, 0, headerBytes, writer.at, packetNumber);
    const flags = isEliciting ? PacketFlag.ACK_ELICITING | PacketFlag.IN_FLIGHT : 0;
    this.recovery.commit(flags, end, now);
    this.#sentAtUs = now;
    if (close === undefined && isEliciting) this.#planEcho(now);
    return end;
  }

  #writeFrames(writer: Writer, now: Micros): boolean {
    const { record } = this.recovery;
    this.#received.writeAck(writer, record, now);
    let isEliciting = false;
    const parameters = this.#localParameters;
    // With the first flight until they are acknowledged: one of two packets is then enough for both.
    const isFirstFlight = this.#send.hasPending && (this.#options.isServer || this.#flightAt === 0);
    const isWanted = this.#isParametersPending || (isFirstFlight && !this.#isParametersAcked);
    if (isWanted && writer.room >= 1 + varintSize(parameters.length) + parameters.length) {
      writer.u8(FrameType.PARAMETERS);
      writer.varint(parameters.length);
      writer.copy(parameters);
      record.note(TokenKind.PARAMETERS, 0, 0, 0);
      this.#isParametersPending = false;
      isEliciting = true;
    }
    if (this.#send.write(writer, record)) isEliciting = true;
    if (this.#isPingPending && writer.room > 0) {
      writer.u8(FrameType.PING);
      this.#isPingPending = false;
      isEliciting = true;
    }
    return isEliciting;
  }

  /** The close comes first: a flight that waits may be larger than the packet, and must not push it out. */
  #writeClose(writer: Writer, close: CloseFrame, isAlone: boolean): boolean {
    writeClose(writer, close.isApplication, close.errorCode, 0, encodeText(close.reason, REASON_BYTES_MAX));
    // Alert bytes that TLS has made must reach the peer too; in front of a 1-RTT packet there are none.
    if (isAlone) this.#send.write(writer, this.recovery.record);
    return false;
  }

  /** Takes one Initial packet. Returns an {@link InitialResult} (<= 0), or the WireError to close with (> 0). */
  receive(datagram: Uint8Array, header: PacketHeader, now: Micros): number {
    const packetNumber = decodePacketNumber(this.#received.largest, header.truncatedNumber, 32);
    if (!this.#opener.open(datagram, header.start, header.payloadStart, header.end, packetNumber)) {
      return InitialResult.AUTHENTICATION;
    }
    if (this.#received.has(packetNumber)) return InitialResult.DUPLICATE;
    // What would go into short headers, which have no length of it.
    if (header.scidEnd - header.scidStart !== CONNECTION_ID_BYTES) return WireError.PROTOCOL_VIOLATION;
    if (this.remoteId === undefined) this.remoteId = copyBytes(datagram, header.scidStart, header.scidEnd);
    const reader = this.#reader.reset(datagram, header.payloadStart, header.end - TAG_BYTES);
    let isEliciting = false;
    while (reader.remaining > 0) {
      const type = reader.u8();
      if (type === FrameType.PADDING) continue;
      if (
        type !== FrameType.ACK &&
        type !== FrameType.CONNECTION_CLOSE &&
        type !== FrameType.APPLICATION_CLOSE
      ) {
        isEliciting = true;
      }
      const error = this.#onFrame(reader, type, now);
      if (error !== 0) return error;
    }
    this.#received.onPacket(packetNumber, isEliciting, now);
    this.progress();
    return InitialResult.OK;
  }

  #onFrame(reader: Reader, type: number, now: Micros): number {
    switch (type) {
      case FrameType.PING:
        return 0;
      case FrameType.ACK: {
        const error = ack.parse(reader);
        return error !== 0 ? error : this.recovery.onAckReceived(ack, now);
      }
      case FrameType.CRYPTO: {
        const error = this.#crypto.parse(reader);
        return error !== 0 ? error : this.#onCrypto(this.#crypto.offset, this.#crypto.bytes, now);
      }
      case FrameType.PARAMETERS:
        return this.#onParameters(reader);
      case FrameType.CONNECTION_CLOSE:
      case FrameType.APPLICATION_CLOSE:
        this.#closed = readClose(reader, type);
        return this.#closed === undefined ? WireError.FRAME_ENCODING_ERROR : 0;
      default:
        return WireError.PROTOCOL_VIOLATION;
    }
  }

  #onCrypto(offset: number, bytes: Uint8Array, now: Micros): number {
    const isRepetition = bytes.length > 0 && this.#receive.has(offset, offset + bytes.length);
    // RFC 9002 §6.2.3: a peer that says its own again has not heard ours.
    if (isRepetition && now - this.#sentAtUs >= CROSSED_US) this.#repeatFlight();
    return this.#receive.insert(offset, bytes);
  }

  /** Everything of the present flight that is not acknowledged is sent again. */
  #repeatFlight(): void {
    this.#send.repeatFrom(this.#options.isServer ? 0 : this.#flightAt);
  }

  #planEcho(now: Micros): void {
    const isSmall = this.#send.length - this.#flightAt <= ECHO_BYTES_MAX;
    this.#echoAtUs = this.#isEchoing || !isSmall ? NEVER : now + ECHO_US;
    if (!this.#send.hasPending) this.#isEchoing = false;
  }

  #onParameters(reader: Reader): number {
    const bytes = reader.take(reader.varint());
    if (reader.failed) return WireError.FRAME_ENCODING_ERROR;
    if (this.remoteParameters !== undefined) return 0;
    const parsed = parseParameters(bytes);
    if (typeof parsed === 'number') return parsed;
    this.remoteParameters = parsed;
    this.#remoteParameterBytes = copyBytes(bytes);
    return 0;
  }

  /** What the 1-RTT secrets are bound to (docs/wire-format.md §2.2). Both ends' parameters and IDs must be known. */
  exporterContext(): Uint8Array {
    const { isServer, localId, originalId, crypto } = this.#options;
    const remoteId = this.remoteId ?? this.#options.remoteId;
    const remote = this.#remoteParameterBytes ?? NO_TOKEN;
    const version = new Uint8Array(4);
    new Writer().reset(version).u32(VERSION);
    const items = [
      version,
      originalId,
      isServer ? remoteId : localId,
      isServer ? localId : remoteId,
      this.#token,
      isServer ? remote : this.#localParameters,
      isServer ? this.#localParameters : remote,
    ];
    return crypto.sha256(concatBytes(items.flatMap((item) => [lengthPrefix(item), item])));
  }

  onTimeout(now: Micros): void {
    if (this.#stallDeadline() <= now) {
      this.#stalls++;
      this.#sentAtUs = now;
      this.#isPingPending = true;
    }
    if (this.#echoAtUs <= now) {
      this.#echoAtUs = NEVER;
      this.#repeatFlight();
      this.#isEchoing = this.#send.hasPending;
    }
    this.recovery.onTimeout(now);
    if (this.recovery.probesDue > 0) this.#isPingPending = true;
  }

  nextDeadline(): Micros {
    const next = Math.min(this.#echoAtUs, this.recovery.nextDeadline());
    if (!this.#options.isServer) return Math.min(next, this.#stallDeadline());
    // With as many packets in flight as are remembered, an answer has to wait for an acknowledgement.
    return this.recovery.canSend() ? Math.min(next, this.#received.ackDueAt()) : next;
  }

  /**
   * A server that may not send more before it has heard from the client again waits for ever if everything of the
   * client's is acknowledged: so the client asks, ever more rarely, until the handshake is over (RFC 9002 §6.2.2.1).
   */
  #stallDeadline(): Micros {
    if (this.#options.isServer || this.#isPingPending || this.recovery.nextDeadline() !== NEVER) return NEVER;
    return this.#sentAtUs + this.recovery.probeTimeoutUs * 2 ** Math.min(this.#stalls, STALL_DOUBLINGS_MAX);
  }
}

function lengthPrefix(bytes: Uint8Array): Uint8Array {
  return Uint8Array.of(bytes.length >>> 8, bytes.length & 255);
}
