/**
 * Takes a datagram apart: packets, then frames, each handed to its owner by a table. In: datagrams. Out: calls into the
 * parts; at most one error to close with. Nothing here throws for what a peer sends. Source: RFC 9000 §12; ARCHITECTURE.md.
 */
import { copyBytes, Reader } from '../base/bytes.ts';
import { WireError } from '../base/errors.ts';
import type { Micros } from '../base/protocol.ts';
import { TAG_BYTES } from '../crypto/protection.ts';
import { REFUSED } from '../stream/receive.ts';
import { AckFrame, TrackAckFrame } from '../wire/ack.ts';
import { readClose } from '../wire/control.ts';
import { FRAME_TYPES, FrameType } from '../wire/frame-types.ts';
import { DATAGRAM_BYTES_MIN, decodePacketNumber, HeaderReason, PacketHeader } from '../wire/header.ts';
import { readDatagramFrame, StreamFrame } from '../wire/stream.ts';
import { RepairFrame, SymbolFrame } from '../wire/symbol.ts';
import { InitialResult } from './handshake-phase.ts';
import type { Lifecycle } from './lifecycle.ts';
import type { ConnectionState } from './state.ts';

/** Bytes of 1-RTT packets kept by a server whose keys are not there yet (DESIGN D2). */
export const UNDECRYPTABLE_BYTES_MAX = 262_144;

/** What keeping a packet costs beside its bytes. */
const KEPT_BYTES = 128;

/** A frame could not be taken for want of room: the packet goes unacknowledged, so that the peer sends it again. */
const UNACKNOWLEDGED = -1;

/**
 * The frames with lists or bytes, shared by all connections of the process: each is read, handed out and done with before
 * the next one is begun. Ten thousand idle connections would hold 48 MB of them.
 */
const ack: AckFrame = new AckFrame();
const trackAck: TrackAckFrame = new TrackAckFrame();
const streamFrame: StreamFrame = new StreamFrame();
const symbolFrame: SymbolFrame = new SymbolFrame();
const repairFrame: RepairFrame = new RepairFrame();

/** Reads one frame of its type; returns 0 or the WireError to close with. */
type FrameHandler = (reader: Reader, type: number, now: Micros) => number;

export class Receiver {
  readonly #state: ConnectionState;
  readonly #lifecycle: Lifecycle;
  readonly #header: PacketHeader = new PacketHeader();
  readonly #reader: Reader = new Reader();
  readonly #handlers: (FrameHandler | undefined)[] = new Array(FRAME_TYPES).fill(undefined);
  #undecryptable: Uint8Array[] = [];
  #undecryptableBytes = 0;
  /** Number of the 1-RTT packet at hand. */
  #packetNumber = 0;
  /** It carries nothing but path frames, connection IDs and padding (RFC 9000 §9.1). */
  #isProbing = false;
  /** Number of the packet whose DATAGRAM_SIZE holds: one that comes late must not undo a newer one. */
  #sizeNumber = -1;

  constructor(state: ConnectionState, lifecycle: Lifecycle) {
    this.#state = state;
    this.#lifecycle = lifecycle;
    this.#fillHandlers();
  }

  /** Takes every packet of one datagram. */
  packets(datagram: Uint8Array, now: Micros): void {
    const { counters } = this.#state;
    const header = this.#header;
    let at = 0;
    while (at < datagram.length) {
      const reason = header.parse(datagram, at, this.#state.peerDatagramBytes);
      if (reason !== HeaderReason.OK) {
        counters.rejected.malformed++;
        return;
      }
      at = header.end;
      const error = header.isInitial ? this.#initial(datagram, now) : this.#short(datagram, now);
      if (error > 0) {
        this.#lifecycle.fail(error, 'the peer broke the protocol', now);
        return;
      }
      if (this.#state.close.phase === 'closed') return;
    }
  }

  #initial(datagram: Uint8Array, now: Micros): number {
    const { handshake, counters } = this.#state;
    if (handshake === undefined) {
      counters.rejected.keys++;
      return 0;
    }
    const result = handshake.receive(datagram, this.#header, now);
    if (result === InitialResult.AUTHENTICATION) counters.rejected.authentication++;
    else if (result === InitialResult.DUPLICATE) counters.rejected.duplicate++;
    else if (result === InitialResult.OK) {
      counters.packetsReceived++;
      this.#state.paths.onInitial(now);
      this.#lifecycle.onAuthenticated(now);
      this.#lifecycle.onHandshakeMoved(now);
    }
    return Math.max(0, result);
  }

  #short(datagram: Uint8Array, now: Micros): number {
    const { keys, counters, received } = this.#state;
    const header = this.#header;
    if (keys === undefined) {
      this.#keep(datagram);
      return 0;
    }
    const packetNumber = decodePacketNumber(received.largest, header.truncatedNumber, header.numberBits);
    if (
      !keys.open(datagram, header.start, header.payloadStart, header.end, packetNumber, header.keyPhase, now)
    ) {
      counters.rejected.authentication++;
      return keys.isForgeryLimitReached ? WireError.AEAD_LIMIT_REACHED : 0;
    }
    if (received.has(packetNumber)) {
      counters.rejected.duplicate++;
      this.#state.paths.onDuplicate(packetNumber, now);
      return 0;
    }
    counters.packetsReceived++;
    this.#lifecycle.onAuthenticated(now);
    this.#lifecycle.onShortOpened(now);
    this.#packetNumber = packetNumber;
    const isNewest = packetNumber > received.largest;
    this.#isProbing = true;
    const reader = this.#reader.reset(datagram, header.payloadStart, header.end - TAG_BYTES);
    const isEliciting = this.#frames(reader, now);
    if (isEliciting === UNACKNOWLEDGED) {
      // Its first frames have had their effect: a copy of it must not have it again.
      received.markSeen(packetNumber);
      return 0;
    }
    if (isEliciting > 1) return isEliciting - 2;
    received.onPacket(packetNumber, isEliciting === 1, now);
    if (this.#state.hasFrameEnded) received.onFrameEnd(now);
    this.#state.hasFrameEnded = false;
    // After its frames: what they acknowledge did arrive, whatever path comes next.
    this.#state.paths.onPacket(packetNumber, isNewest, this.#isProbing, now);
    if (isEliciting === 1) this.#state.silence.onArrival(now);
    return 0;
  }

  /**
   * Hands each frame to its owner. Returns 1 if any is ack-eliciting, 0 if none, 2 + WireError on an error, or
   * {@link UNACKNOWLEDGED}.
   */
  #frames(reader: Reader, now: Micros): number {
    const isOpen = this.#state.close.phase === 'open';
    let isEliciting = 0;
    while (reader.remaining > 0) {
      const type = reader.u8();
      if (type === FrameType.PADDING) continue;
      const isClose = type === FrameType.CONNECTION_CLOSE || type === FrameType.APPLICATION_CLOSE;
      if (!isOpen && !isClose && type !== FrameType.COUNTERS) {
        // CONNECTION_CLOSE travels alone: whatever else comes after the end is absorbed unread.
        this.#lifecycle.onPacketAfterEnd();
        return 0;
      }
      if (this.#isProbing && !isProbingFrame(type)) this.#isProbing = false;
      const handler = this.#handlers[type];
      if (handler === undefined) return 2 + WireError.PROTOCOL_VIOLATION;
      if (!isClose && type !== FrameType.ACK) isEliciting = 1;
      const error = handler(reader, type, now);
      if (error === REFUSED) return UNACKNOWLEDGED;
      if (error !== 0) return 2 + error;
    }
    return isEliciting;
  }

  /** A 1-RTT packet before the keys: kept, within bounds, until they come. A view would keep the whole datagram. */
  #keep(datagram: Uint8Array): void {
    const { start, payloadStart, end } = this.#header;
    const heldBytes = KEPT_BYTES + end - start;
    if (end - payloadStart < TAG_BYTES || this.#undecryptableBytes + heldBytes > UNDECRYPTABLE_BYTES_MAX) {
      this.#state.counters.rejected.keys++;
      return;
    }
    this.#undecryptable.push(copyBytes(datagram, start, end));
    this.#undecryptableBytes += heldBytes;
  }

  /** The keys have come: the packets that waited for them are taken in order. */
  onKeys(now: Micros): void {
    const waiting = this.#undecryptable;
    this.#undecryptable = [];
    this.#undecryptableBytes = 0;
    for (const packet of waiting) this.packets(packet, now);
  }

  #on(first: number, last: number, handler: FrameHandler): void {
    for (let type = first; type <= last; type++) this.#handlers[type] = handler;
  }

  #fillHandlers(): void {
    const state = this.#state;
    const { tracks, events } = state;
    const lifecycle = this.#lifecycle;
    this.#on(FrameType.PING, FrameType.PING, () => 0);
    this.#on(FrameType.ACK, FrameType.ACK, (reader, _type, now) => {
      const error = ack.parse(reader);
      if (error !== 0) return error;
      const before = state.recovery.lastProgressUs;
      const wireError = state.recovery.onAckReceived(ack, now);
      if (state.recovery.lastProgressUs > before) state.paths.onProgress();
      state.keys?.onAcked(state.recovery.largestAcked, now);
      state.received.onFeedbackLoss(state.recovery.statistics.lossRatio);
      return wireError;
    });
    this.#on(FrameType.CRYPTO, FrameType.CRYPTO, () => WireError.PROTOCOL_VIOLATION);
    this.#fillStreamHandlers();
    this.#fillPathHandlers();
    this.#on(FrameType.CONNECTION_CLOSE, FrameType.APPLICATION_CLOSE, (reader, type, now) => {
      const frame = readClose(reader, type);
      if (frame === undefined) return WireError.FRAME_ENCODING_ERROR;
      lifecycle.onPeerClose(frame, now);
      return 0;
    });
    this.#on(FrameType.COUNTERS_REQUEST, FrameType.COUNTERS_REQUEST, () => {
      state.exchange.onRequest();
      return 0;
    });
    this.#on(FrameType.COUNTERS, FrameType.COUNTERS, (reader) => {
      const error = state.exchange.onCounters(reader);
      if (error === 0) events.push({ type: 'counters' });
      return error;
    });
    this.#on(FrameType.HANDSHAKE_DONE, FrameType.HANDSHAKE_DONE, () =>
      state.options.isServer ? WireError.PROTOCOL_VIOLATION : 0,
    );
    this.#on(FrameType.DATAGRAM_SIZE, FrameType.DATAGRAM_SIZE, (reader) => {
      const size = reader.u16();
      if (reader.failed || size < DATAGRAM_BYTES_MIN) return WireError.FRAME_ENCODING_ERROR;
      if (this.#packetNumber < this.#sizeNumber) return 0;
      this.#sizeNumber = this.#packetNumber;
      state.peerDatagramBytes = size;
      return 0;
    });
    this.#on(FrameType.TRACK_ACK, FrameType.TRACK_ACK, (reader, _type, now) => {
      const error = trackAck.parse(reader);
      return error !== 0 ? error : tracks.onTrackAck(trackAck, now);
    });
    this.#on(FrameType.SYMBOL, FrameType.SYMBOL + 7, (reader, type, now) => {
      const error = symbolFrame.parse(reader, type);
      return error !== 0 ? error : tracks.onSymbol(symbolFrame, now);
    });
    this.#on(FrameType.REPAIR, FrameType.REPAIR + 1, (reader, type, now) => {
      const error = repairFrame.parse(reader, type);
      return error !== 0 ? error : tracks.onRepair(repairFrame, now);
    });
    for (const type of [FrameType.TRACK, FrameType.TRACK_END, FrameType.TRACK_STOP]) {
      this.#on(type, type, (reader, frameType, now) => tracks.onControlFrame(frameType, reader, now));
    }
    for (const type of [FrameType.KEY_FRAME_REQUEST, FrameType.TRACK_SKIP]) {
      this.#on(type, type, (reader, frameType, now) => tracks.onControlFrame(frameType, reader, now));
    }
    this.#on(FrameType.DATAGRAM, FrameType.DATAGRAM + 1, (reader, type) => {
      const bytes = readDatagramFrame(reader, type);
      if (reader.failed) return WireError.FRAME_ENCODING_ERROR;
      events.push({ type: 'datagram', bytes });
      return 0;
    });
  }

  #fillPathHandlers(): void {
    const { paths, ids } = this.#state;
    this.#on(FrameType.NEW_CONNECTION_ID, FrameType.NEW_CONNECTION_ID, (reader) =>
      ids.onNewId(reader, (old, replacement) => paths.replaceId(old, replacement)),
    );
    this.#on(FrameType.RETIRE_CONNECTION_ID, FrameType.RETIRE_CONNECTION_ID, (reader) => {
      const sequence = reader.varint();
      return reader.failed ? WireError.FRAME_ENCODING_ERROR : ids.onRetireId(sequence);
    });
    this.#on(FrameType.PATH_CHALLENGE, FrameType.PATH_CHALLENGE, (reader, _type, now) => {
      const data = reader.take(8);
      if (reader.failed) return WireError.FRAME_ENCODING_ERROR;
      paths.onChallenge(data, now);
      return 0;
    });
    this.#on(FrameType.PATH_RESPONSE, FrameType.PATH_RESPONSE, (reader, _type, now) => {
      const data = reader.take(8);
      if (reader.failed) return WireError.FRAME_ENCODING_ERROR;
      paths.onResponse(data, now);
      return 0;
    });
  }

  #fillStreamHandlers(): void {
    const { streams } = this.#state;
    this.#on(FrameType.STREAM, FrameType.STREAM + 7, (reader, type) => {
      const error = streamFrame.parse(reader, type);
      return error !== 0 ? error : streams.onStreamFrame(streamFrame);
    });
    const three = (type: number, handle: (a: number, b: number, c: number) => number): void => {
      this.#on(type, type, (reader) => {
        const a = reader.varint();
        const b = reader.varint();
        const c = reader.varint();
        return reader.failed ? WireError.FRAME_ENCODING_ERROR : handle(a, b, c);
      });
    };
    const two = (type: number, handle: (a: number, b: number) => number): void => {
      this.#on(type, type, (reader) => {
        const a = reader.varint();
        const b = reader.varint();
        return reader.failed ? WireError.FRAME_ENCODING_ERROR : handle(a, b);
      });
    };
    const one = (type: number, handle: (a: number) => number): void => {
      this.#on(type, type, (reader) => {
        const a = reader.varint();
        return reader.failed ? WireError.FRAME_ENCODING_ERROR : handle(a);
      });
    };
    three(FrameType.RESET_STREAM, (id, code, finalSize) => streams.onResetStream(id, code, finalSize));
    two(FrameType.STOP_SENDING, (id, code) => streams.onStopSending(id, code));
    one(FrameType.MAX_DATA, (limit) => streams.onMaxData(limit));
    two(FrameType.MAX_STREAM_DATA, (id, limit) => streams.onMaxStreamData(id, limit));
    one(FrameType.MAX_STREAMS_BIDIRECTIONAL, (limit) => streams.onMaxStreams(true, limit));
    one(FrameType.MAX_STREAMS_UNIDIRECTIONAL, (limit) => streams.onMaxStreams(false, limit));
    one(FrameType.DATA_BLOCKED, (limit) => streams.onDataBlocked(limit));
    two(FrameType.STREAM_DATA_BLOCKED, (id, limit) => streams.onStreamDataBlocked(id, limit));
    one(FrameType.STREAMS_BLOCKED_BIDIRECTIONAL, (limit) => streams.onStreamsBlocked(true, limit));
    one(FrameType.STREAMS_BLOCKED_UNIDIRECTIONAL, (limit) => streams.onStreamsBlocked(false, limit));
  }
}

/** Frames that probe a path without moving to it. */
function isProbingFrame(type: number): boolean {
  return (
    type === FrameType.PATH_CHALLENGE ||
    type === FrameType.PATH_RESPONSE ||
    type === FrameType.NEW_CONNECTION_ID
  );
}
