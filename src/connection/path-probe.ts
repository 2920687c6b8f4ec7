/**
 * Writes path frames, alone in a datagram of their own on the path that they are about. In: the paths of a connection.
 * Out: one sealed datagram. Source: RFC 9000 §8.2.1, §9.1; docs/wire-format.md §3.7.
 */
import { Writer } from '../base/bytes.ts';
import type { Micros } from '../base/protocol.ts';
import { TAG_BYTES } from '../crypto/protection.ts';
import type { Path } from '../path/path.ts';
import { DATAGRAM_BYTES_MIN, packetNumberBytes, shortHeaderBytes, writeShortHeader } from '../wire/header.ts';
import type { ConnectionState } from './state.ts';

export class PathProbeWriter {
  readonly #state: ConnectionState;
  readonly #writer: Writer = new Writer();

  constructor(state: ConnectionState) {
    this.#state = state;
  }

  /** The path on which path frames are due, or undefined. */
  next(now: Micros): Path | undefined {
    const { handshake, paths, recovery } = this.#state;
    if (handshake !== undefined) return undefined;
    const path = paths.nextProbe(now);
    if (path === undefined || recovery.canSend()) return path;
    path.isStarved = true;
    return undefined;
  }

  /**
   * Writes the datagram; returns its size. It is padded to 1200 bytes where that is allowed: whether
   * such datagrams pass is a part of the proof. It does not count as in flight, for it may travel another path than what
   * does: frames of this kind are repeated by their own clock.
   */
  write(out: Uint8Array, path: Path, now: Micros): number {
    const { paths, recovery, keys, pacer, counters } = this.#state;
    if (keys === undefined) return 0;
    const limit = Math.min(DATAGRAM_BYTES_MIN, path.credit(now));
    const packetNumber = recovery.begin();
    const numberBytes = packetNumberBytes(packetNumber, recovery.largestAcked);
    const payloadStart = shortHeaderBytes(true, numberBytes);
    const writer = this.#writer.reset(out, payloadStart, limit - TAG_BYTES);
    paths.writeProbe(path, writer, now);
    if (limit === DATAGRAM_BYTES_MIN) writer.zeros(writer.room);
    const end = writer.at;
    const length = numberBytes + end - payloadStart + TAG_BYTES;
    keys.updateIfDue(now);
    writeShortHeader(writer.reset(out, 0), path.remoteId, keys.keyPhase, packetNumber, numberBytes, length);
    keys.seal(out, 0, payloadStart, end, packetNumber);
    const sizeBytes = end + TAG_BYTES;
    recovery.commit(0, sizeBytes, now);
    pacer.onSent(now, sizeBytes);
    counters.packetsSent++;
    counters.probeBytesSent += sizeBytes;
    return sizeBytes;
  }
}
