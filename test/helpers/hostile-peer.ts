/**
 * A peer that holds the keys of its connection and does not keep to the protocol: frames made by hand on the caller's side
 * of a {@link Bench}, a whole endpoint on the other.
 */
import { Writer } from '../../src/base/bytes.ts';
import { MILLISECOND } from '../../src/base/protocol.ts';
import type { Connection } from '../../src/connection/connection.ts';
import { TAG_BYTES } from '../../src/crypto/protection.ts';
import { shortHeaderBytes, writeShortHeader } from '../../src/wire/header.ts';
import { Bench } from './endpoints.ts';

/** Higher than any that the caller itself has used. */
const FIRST_NUMBER = 1_000;
const NUMBER_BYTES = 4;

export class HostilePeer {
  readonly bench: Bench = new Bench();
  /** The end under attack. */
  readonly server: Connection;
  readonly #call: Connection;
  #packetNumber = FIRST_NUMBER;

  constructor() {
    this.#call = this.bench.dial();
    this.bench.run(300);
    this.server = this.bench.accepted[0] as Connection;
  }

  /** Sends one packet with these frames, in a datagram of at least `padTo` bytes; returns the datagram's bytes. */
  send(writeFrames: (writer: Writer) => void, path = 0, padTo = 0): number {
    return this.replay(this.make(writeFrames, padTo), path);
  }

  /** A datagram that is not sent yet. */
  make(writeFrames: (writer: Writer) => void, padTo = 0): Uint8Array {
    const { keys, paths } = this.#call.state;
    const out = new Uint8Array(1452);
    const headerBytes = shortHeaderBytes(true, NUMBER_BYTES);
    const writer = new Writer().reset(out, headerBytes, out.length - TAG_BYTES);
    writeFrames(writer);
    if (writer.at + TAG_BYTES < padTo) writer.zeros(padTo - TAG_BYTES - writer.at);
    const { at: end } = writer;
    const packetNumber = this.#packetNumber++;
    const sealer = keys as NonNullable<typeof keys>;
    const lengthBytes = NUMBER_BYTES + end - headerBytes + TAG_BYTES;
    const header = new Writer().reset(out);
    writeShortHeader(header, paths.active.remoteId, sealer.keyPhase, packetNumber, NUMBER_BYTES, lengthBytes);
    sealer.seal(out, 0, headerBytes, end, packetNumber);
    return out.slice(0, end + TAG_BYTES);
  }

  /** Hands the server a datagram, as often as one likes; returns its bytes. */
  replay(datagram: Uint8Array, path = 0): number {
    this.bench.server.handleDatagram(datagram.slice(), path, this.bench.now);
    return datagram.length;
  }

  /** Throws away what the server has to say; returns its bytes. */
  drain(): number {
    let bytes = 0;
    for (let next = this.bench.poll(this.server); next !== undefined; next = this.bench.poll(this.server)) {
      bytes += next.length;
    }
    return bytes;
  }

  /** Time goes on, for the server alone. */
  wait(ms: number): void {
    for (const untilUs = this.bench.now + ms * MILLISECOND; this.bench.now < untilUs; ) {
      this.bench.now += MILLISECOND;
      if (this.server.pollTimeout() <= this.bench.now) this.server.handleTimeout(this.bench.now);
      this.drain();
    }
  }
}
