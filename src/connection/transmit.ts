/**
 * The packetiser: which frames go in the next datagram. In: what the parts want to send, window, pacer, time.
 * Out: one sealed datagram. Read `write` as the list of stages in order. Source: DESIGN D8; ARCHITECTURE.md; RFC 9000 §12, §13.
 */
import { Writer } from '../base/bytes.ts';
import { type Micros, NEVER, type PathId } from '../base/protocol.ts';
import { TAG_BYTES } from '../crypto/protection.ts';
import type { Path } from '../path/path.ts';
import { PacketFlag } from '../recovery/sent-packets.ts';
import { encodeText, REASON_BYTES_MAX, writeClose, writeControlFrame } from '../wire/control.ts';
import { TokenKind } from '../wire/frame-source.ts';
import { FrameType } from '../wire/frame-types.ts';
import { DATAGRAM_BYTES_MIN, packetNumberBytes, shortHeaderBytes, writeShortHeader } from '../wire/header.ts';
import { PathProbeWriter } from './path-probe.ts';
import type { ConnectionState } from './state.ts';
import { Timer } from './timers.ts';

const LENGTH_BYTES = 2;
/** Less room than this, of what may be sent to an address that is not proven, holds no packet worth sending. */
const PACKET_BYTES_MIN = 64;
/**
 * In flight at most until the peer has confirmed its keys. A server keeps 256 KiB of packets that it cannot open yet
 * (DESIGN D2): what a fast caller sends beyond that would be lost, and count as loss of the path.
 */
const UNCONFIRMED_BYTES_MAX = 196_608;
const ELICITING = PacketFlag.ACK_ELICITING | PacketFlag.IN_FLIGHT;

export class Transmitter {
  readonly #state: ConnectionState;
  readonly #writer: Writer = new Writer();
  /** The packet being written carries media, stream data or app datagrams. */
  #hasData = false;
  /** The packet being written is one of a train that proves capacity: it counts as probe, whatever rides in it. */
  #isTrain = false;
  readonly #pathProbes: PathProbeWriter;
  /** The peer must send before anything may leave: what is due cannot be met by waking up. */
  isStarved = false;
  /** The path of the datagram written last. */
  path: PathId;
  /** What waits did not fit behind the client's repeated flight. */
  #isRepeatTooLarge = false;

  constructor(state: ConnectionState) {
    this.#state = state;
    this.#pathProbes = new PathProbeWriter(state);
    this.path = state.paths.active.id;
  }

  /** Writes the next datagram into `out`; returns its size, 0 = nothing to send now. */
  write(out: Uint8Array, now: Micros): number {
    const state = this.#state;
    if (state.close.phase !== 'open') return this.#count(this.#writeClosing(out, now), now);
    const probed = this.#pathProbes.next(now);
    if (probed !== undefined) {
      const probeBytes = this.#pathProbes.write(out, probed, now);
      if (probeBytes > 0) return this.#count(probeBytes, now, probed);
    }
    const size = this.#room(now) < PACKET_BYTES_MIN ? 0 : this.#writeActive(out, now);
    this.isStarved = size === 0 && this.#room(now) !== Number.POSITIVE_INFINITY;
    return size;
  }

  /** A datagram on the path in use. */
  #writeActive(out: Uint8Array, now: Micros): number {
    const state = this.#state;
    let size = 0;
    if (state.handshake !== undefined) {
      size = this.#writeHandshake(out, now);
      if (size >= DATAGRAM_BYTES_MIN) return this.#count(size, now);
    }
    if (state.keys !== undefined) {
      const padTo = size > 0 ? DATAGRAM_BYTES_MIN : 0;
      const short = this.#writeShort(out, size, padTo, now);
      if (size > 0 && short === 0) {
        // What waits does not fit behind the repeated flight: it goes alone, with the next datagram. The flight is sealed
        // and counts as sent, so it leaves, with nothing but padding behind it.
        this.#isRepeatTooLarge = true;
        return this.#count(size + this.#writePadding(out, size, now), now);
      }
      this.#isRepeatTooLarge = false;
      size += short;
    }
    return this.#count(size, now);
  }

  #count(size: number, now: Micros, path: Path = this.#state.paths.active): number {
    if (size > 0) {
      const { counters, timers, options } = this.#state;
      counters.datagramsSent++;
      counters.bytesSent += size;
      path.bytesSent += size;
      this.path = path.id;
      timers.set(Timer.KEEP_ALIVE, now + options.keepAliveUs);
    }
    return size;
  }

  /** Bytes that may go to the peer's address now: all, once it is proven. During the handshake full datagrams or none. */
  #room(now: Micros): number {
    const { paths, handshake } = this.#state;
    const credit = paths.active.credit(now);
    return handshake !== undefined && credit < DATAGRAM_BYTES_MIN ? 0 : credit;
  }

  /**
   * An Initial packet, if one is due. A client with keys repeats its last flight in front of whatever it sends, and the
   * short packet behind it is padded; otherwise the Initial packet itself is padded to a full datagram.
   */
  #writeHandshake(out: Uint8Array, now: Micros): number {
    const { state } = this;
    const handshake = state.handshake as NonNullable<typeof state.handshake>;
    const isKeyed = state.keys !== undefined;
    const isFollowed = isKeyed && this.#wantsShort(now);
    if (isFollowed && !state.options.isServer && !this.#isRepeatTooLarge) handshake.repeatLastFlight();
    if (!handshake.wantsToSend(now, isKeyed)) return 0;
    // A server's Initial packets stand alone: what follows would not fit behind a flight anyway.
    const isAlone = !isFollowed || state.options.isServer || handshake.repeatedBytes === 0;
    return handshake.write(out, DATAGRAM_BYTES_MIN, isAlone ? DATAGRAM_BYTES_MIN : 0, undefined, now);
  }

  get state(): ConnectionState {
    return this.#state;
  }

  #wantsShort(now: Micros): boolean {
    const { received, recovery, control, ids, streams, tracks, exchange } = this.#state;
    return (
      received.ackDueAt() <= now ||
      recovery.probesDue > 0 ||
      control.wantsToSend() ||
      exchange.wantsToSend() ||
      ids.wantsToSend() ||
      streams.wantsToSend(now) ||
      tracks.wantsToSend(now) ||
      this.#mayWriteData(now)
    );
  }

  /** Window and pacer let data go, and somebody has some. */
  #mayWriteData(now: Micros): boolean {
    const { recovery, controller, pacer, scheduler, timers, handshake } = this.#state;
    timers.clear(Timer.PACING);
    if (!scheduler.hasData(now)) {
      // Nobody has data, but a train that proves capacity has to be filled.
      if (controller.probeBytesWanted === 0 || handshake !== undefined) return false;
    } else if (recovery.probesDue > 0) return true;
    if (handshake !== undefined && recovery.bytesInFlight >= UNCONFIRMED_BYTES_MAX) return false;
    if (recovery.bytesInFlight >= controller.congestionWindowBytes) return false;
    pacer.setRate(controller.pacingRateBps, now);
    if (pacer.canSend(now)) return true;
    timers.set(Timer.PACING, pacer.nextSendTime(now));
    return false;
  }

  /** One short packet at `out[start)`; returns its bytes, 0 = nothing to say. */
  #writeShort(out: Uint8Array, start: number, padTo: number, now: Micros): number {
    const state = this.#state;
    const { recovery, control, exchange, ids, streams, tracks } = state;
    if (!recovery.canSend()) return 0;
    if (!this.#wantsShort(now)) return start === 0 ? this.#writeSizeProbe(out, now) : 0;
    const mayWriteData = this.#mayWriteData(now);
    const isProbing = recovery.probesDue > 0;
    const packetNumber = recovery.begin();
    const numberBytes = packetNumberBytes(packetNumber, recovery.largestAcked);
    const headerBytes = shortHeaderBytes(false, numberBytes);
    const sizeMax = start === 0 ? Math.min(state.path.datagramBytes, this.#room(now)) : DATAGRAM_BYTES_MIN;
    // Frames are written where they lie in a packet without Length; §1.2 of the wire format decides afterwards. Only a
    // packet of the announced size may go without: any other keeps room for it.
    const lengthBytes = start === 0 && sizeMax === control.announcedBytes ? 0 : LENGTH_BYTES;
    const writer = this.#writer.reset(out, start + headerBytes, sizeMax - TAG_BYTES - lengthBytes);
    const frames = writer.at;
    this.#hasData = false;
    const acksEnd = this.#writeFeedback(writer, now);
    if (control.wantsToSend()) control.writeFrames(writer, recovery.record);
    if (exchange.wantsToSend()) exchange.writeFrames(writer, recovery.record);
    if (ids.wantsToSend()) ids.writeFrames(writer, recovery.record);
    streams.writeFrames(writer, recovery.record, now);
    tracks.writeFrames(writer, recovery.record, now);
    if (mayWriteData) this.#writeData(writer, now);
    if (mayWriteData && !this.#hasData) this.#fillTrain(writer);
    if (isProbing && writer.at === acksEnd && writer.room > 0) {
      writeControlFrame(writer, FrameType.PING);
      recovery.record.note(TokenKind.NONE, 0, 0, 0);
    }
    if (writer.at === frames) {
      recovery.cancel();
      return 0;
    }
    const flags = writer.at > acksEnd ? ELICITING : 0;
    return this.#finish(out, start, sizeMax, numberBytes, packetNumber, padTo, flags, now);
  }

  /** A short packet of PADDING alone that fills the datagram behind an Initial packet. */
  #writePadding(out: Uint8Array, start: number, now: Micros): number {
    const { recovery } = this.#state;
    if (!recovery.canSend()) return 0;
    const packetNumber = recovery.begin();
    const numberBytes = packetNumberBytes(packetNumber, recovery.largestAcked);
    this.#writer.reset(out, start + shortHeaderBytes(false, numberBytes), DATAGRAM_BYTES_MIN - TAG_BYTES);
    this.#hasData = false;
    const padTo = DATAGRAM_BYTES_MIN;
    return this.#finish(out, start, DATAGRAM_BYTES_MIN, numberBytes, packetNumber, padTo, 0, now);
  }

  /** ACK when it is due or rides along, TRACK_ACK when there is news. Returns where the ACK, which asks for none, ends. */
  #writeFeedback(writer: Writer, now: Micros): number {
    const { received, recovery, tracks, control, streams } = this.#state;
    if (received.ackDueAt() !== NEVER) {
      streams.onFeedback();
      if (received.wantsAckOfAck) control.sendPing();
      received.writeAck(writer, recovery.record, now);
    }
    const acksEnd = writer.at;
    // It rides with feedback that is due: symbols that arrive out of order make an ACK due at once.
    if (tracks.hasFeedback) tracks.writeFeedback(writer, recovery.record, now);
    return acksEnd;
  }

  /** Fills a packet that only proves capacity: PING asks for an acknowledgement, PADDING makes it large. */
  #fillTrain(writer: Writer): void {
    const { controller, recovery } = this.#state;
    if (controller.probeBytesWanted === 0 || writer.room === 0) return;
    writeControlFrame(writer, FrameType.PING);
    recovery.record.note(TokenKind.NONE, 0, 0, 0);
    writer.zeros(Math.min(writer.room, controller.probePacketBytes));
    this.#isTrain = true;
  }

  #writeData(writer: Writer, now: Micros): void {
    const { scheduler, recovery, controller } = this.#state;
    scheduler.beginPacket();
    while (writer.room > 0) {
      if (scheduler.writeFrame(writer, recovery.record, now) === 0) break;
      this.#hasData = true;
    }
    if (!scheduler.hasData(now) && controller.probeBytesWanted === 0) recovery.onAppLimited();
  }

  /** Adds header, Length and padding around the frames, seals, and notes the packet as sent. */
  #finish(
    out: Uint8Array,
    start: number,
    sizeMax: number,
    numberBytes: number,
    packetNumber: number,
    padTo: number,
    flags: number,
    now: Micros,
  ): number {
    const { keys, control, recovery, pacer, counters, paths } = this.#state;
    const { remoteId } = paths.active;
    const writer = this.#writer;
    const framesStart = start + shortHeaderBytes(false, numberBytes);
    let end = writer.at;
    const announced = control.announcedBytes;
    let length = -1;
    let bodyStart = framesStart;
    if (start !== 0 || end + TAG_BYTES !== announced) {
      // Padding goes in front: the last frame may extend to the end of the packet.
      const missing = Math.max(0, padTo - TAG_BYTES - LENGTH_BYTES - end);
      bodyStart = framesStart + LENGTH_BYTES;
      let shift = LENGTH_BYTES + missing;
      if (end + shift + TAG_BYTES > sizeMax) {
        // One byte short of the announced size: a PADDING byte makes the packet full, and Length unnecessary.
        shift = sizeMax - TAG_BYTES - end;
        bodyStart = framesStart;
      }
      out.copyWithin(framesStart + shift, framesStart, end);
      out.fill(0, bodyStart, framesStart + shift);
      end += shift;
      if (bodyStart !== framesStart) length = numberBytes + end - bodyStart + TAG_BYTES;
    }
    (keys as NonNullable<typeof keys>).updateIfDue(now);
    const phase = (keys as NonNullable<typeof keys>).keyPhase;
    writeShortHeader(writer.reset(out, start), remoteId, phase, packetNumber, numberBytes, length);
    (keys as NonNullable<typeof keys>).seal(out, start, bodyStart, end, packetNumber);
    const sizeBytes = end + TAG_BYTES - start;
    recovery.commit(flags, sizeBytes, now);
    pacer.onSent(now, sizeBytes);
    counters.packetsSent++;
    if (this.#isTrain) counters.probeBytesSent += sizeBytes;
    else if (!this.#hasData) counters.feedbackBytesSent += sizeBytes;
    this.#isTrain = false;
    return sizeBytes;
  }

  /** A datagram size probe travels alone: PING, then PADDING up to the size in question. */
  #writeSizeProbe(out: Uint8Array, now: Micros): number {
    const { prober, recovery, keys, paths, pacer, counters, handshake } = this.#state;
    const { remoteId, isValidated } = paths.active;
    if (handshake !== undefined || !isValidated) return 0;
    const size = prober.probeSize(now);
    if (size === 0 || size > out.length || !recovery.canSend()) return 0;
    const packetNumber = recovery.begin();
    const numberBytes = packetNumberBytes(packetNumber, recovery.largestAcked);
    const writer = this.#writer.reset(out, 0, size - TAG_BYTES);
    const length = size - shortHeaderBytes(true, 0);
    const phase = (keys as NonNullable<typeof keys>).keyPhase;
    writeShortHeader(writer, remoteId, phase, packetNumber, numberBytes, length);
    const payloadStart = writer.at;
    writeControlFrame(writer, FrameType.PING);
    recovery.record.note(TokenKind.PROBE, size, prober.pathNumber, 0);
    writer.zeros(writer.room);
    (keys as NonNullable<typeof keys>).seal(out, 0, payloadStart, writer.at, packetNumber);
    recovery.commit(ELICITING | PacketFlag.SIZE_PROBE, size, now);
    prober.onProbeSent();
    pacer.onSent(now, size);
    counters.packetsSent++;
    counters.probeBytesSent += size;
    return size;
  }

  /** CONNECTION_CLOSE in every packet number space that the peer may be able to open. */
  #writeClosing(out: Uint8Array, now: Micros): number {
    const { close, handshake, keys } = this.#state;
    const sizeMax = Math.min(DATAGRAM_BYTES_MIN, this.#room(now));
    if (!close.isDue || sizeMax < PACKET_BYTES_MIN) return 0;
    close.isDue = false;
    let size = 0;
    if (handshake !== undefined) {
      size = handshake.write(
        out,
        DATAGRAM_BYTES_MIN,
        keys === undefined ? DATAGRAM_BYTES_MIN : 0,
        close.frame,
        now,
      );
    }
    if (keys === undefined || size >= DATAGRAM_BYTES_MIN) return size;
    const { recovery, exchange } = this.#state;
    if (!recovery.canSend()) return size;
    const packetNumber = recovery.begin();
    const numberBytes = packetNumberBytes(packetNumber, recovery.largestAcked);
    const headerBytes = shortHeaderBytes(false, numberBytes);
    const { isApplication, errorCode, reason } = close.frame;
    const writer = this.#writer.reset(out, size + headerBytes, sizeMax - TAG_BYTES - LENGTH_BYTES);
    this.#hasData = false;
    exchange.writeNow(writer);
    writeClose(writer, isApplication, errorCode, 0, encodeText(reason, REASON_BYTES_MAX));
    const padTo = size > 0 ? DATAGRAM_BYTES_MIN : 0;
    return size + this.#finish(out, size, DATAGRAM_BYTES_MIN, numberBytes, packetNumber, padTo, 0, now);
  }
}
