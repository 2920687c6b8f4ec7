/**
 * 1-RTT keys of one connection, through key updates. In: packets with their key phase bit. Out: sealed and opened
 * packets, the bit to send. Source: RFC 9001 §6.
 */
import { type Micros, NEVER } from '../base/protocol.ts';
import type { CryptoProvider, PacketProtection } from './protection.ts';

/**
 * Packets sealed with one key before it is replaced. ChaCha20-Poly1305 sets no limit of its own (RFC 9001 §6.6); this
 * bounds what the loss of one key gives away: about 10 minutes at 10 Gbit/s.
 */
const PACKETS_PER_KEY_MAX = 2 ** 29;
/** Forgeries after which the connection must end: integrity limit of ChaCha20-Poly1305 (RFC 9001 §6.6). */
const FORGERIES_MAX = 2 ** 36;
/** Old read keys are kept, and the next update waits, this many probe timeouts (RFC 9001 §6.5). */
const KEEP_TIMEOUTS = 3;

export interface OneRttKeysOptions {
  readonly crypto: CryptoProvider;
  readonly readSecret: Uint8Array;
  readonly writeSecret: Uint8Array;
  /** The present probe timeout, us. */
  readonly probeTimeoutUs: () => Micros;
}

export class OneRttKeys {
  /** The K bit of packets sealed now: 0 or 1. */
  keyPhase: 0 | 1 = 0;
  /** Key updates so far, of either side. */
  updates = 0;
  readonly #options: OneRttKeysOptions;
  #readSecret: Uint8Array;
  #writeSecret: Uint8Array;
  #reader: PacketProtection;
  #writer: PacketProtection;
  /** The reader of the phase before, for late packets. */
  #oldReader: PacketProtection | undefined;
  #oldUntilUs: Micros = -1;
  /** The reader of the phase to come, made ahead: trying it costs no more time than any other packet. */
  #nextReader: PacketProtection;
  #firstSealed = -1;
  #firstOpened: number = Number.POSITIVE_INFINITY;
  #sealed = 0;
  #forged = 0;
  /** A packet of ours of this phase is known to have arrived. */
  #isAcknowledged = false;
  #updateAllowedUs: Micros = NEVER;

  constructor(options: OneRttKeysOptions) {
    const { crypto, readSecret, writeSecret } = options;
    this.#options = options;
    this.#readSecret = readSecret;
    this.#writeSecret = writeSecret;
    this.#reader = crypto.protection(readSecret);
    this.#writer = crypto.protection(writeSecret);
    this.#nextReader = crypto.protection(crypto.nextSecret(readSecret));
  }

  /** True when so many forged packets came that the keys may not be used any more. */
  get isForgeryLimitReached(): boolean {
    return this.#forged >= FORGERIES_MAX;
  }

  /** Seals in place with the present phase; see `PacketProtection.seal`. */
  seal(
    packet: Uint8Array,
    headerStart: number,
    payloadStart: number,
    payloadEnd: number,
    packetNumber: number,
  ): void {
    if (this.#firstSealed < 0) this.#firstSealed = packetNumber;
    this.#sealed++;
    this.#writer.seal(packet, headerStart, payloadStart, payloadEnd, packetNumber);
  }

  /** Opens in place with the keys that the K bit calls for. False: not authentic. */
  open(
    packet: Uint8Array,
    headerStart: number,
    payloadStart: number,
    end: number,
    packetNumber: number,
    keyPhase: number,
    now: Micros,
  ): boolean {
    if (keyPhase === this.keyPhase) {
      const isOpen = this.#reader.open(packet, headerStart, payloadStart, end, packetNumber);
      if (!isOpen) this.#forged++;
      else if (packetNumber < this.#firstOpened) {
        // The peer has followed: only from here on may the old keys go (RFC 9001 §6.1, §6.5).
        if (this.#firstOpened === Number.POSITIVE_INFINITY) this.#retireOld(now);
        this.#firstOpened = packetNumber;
      }
      return isOpen;
    }
    return this.#openOther(packet, headerStart, payloadStart, end, packetNumber, now);
  }

  /** The other bit: a late packet of the phase before, or the first one of the phase to come. */
  #openOther(
    packet: Uint8Array,
    headerStart: number,
    payloadStart: number,
    end: number,
    packetNumber: number,
    now: Micros,
  ): boolean {
    if (this.#oldReader !== undefined && packetNumber < this.#firstOpened) {
      const isOpen =
        now < this.#oldUntilUs && this.#oldReader.open(packet, headerStart, payloadStart, end, packetNumber);
      if (!isOpen) this.#forged++;
      return isOpen;
    }
    // We have said nothing since the last update, so the peer cannot know that we followed it: it is too fast (RFC 9001
    // §6.2), and would have us derive keys with every packet.
    if (this.updates > 0 && this.#firstSealed < 0) return false;
    if (!this.#nextReader.open(packet, headerStart, payloadStart, end, packetNumber)) {
      this.#forged++;
      return false;
    }
    this.#update();
    this.#retireOld(now);
    this.#firstOpened = packetNumber;
    return true;
  }

  /** A packet of ours was acknowledged: once it is of the present phase, another update may follow. */
  onAcked(packetNumber: number, now: Micros): void {
    if (this.#isAcknowledged || this.#firstSealed < 0 || packetNumber < this.#firstSealed) return;
    this.#isAcknowledged = true;
    this.#updateAllowedUs = now + KEEP_TIMEOUTS * this.#options.probeTimeoutUs();
  }

  /** Replaces the keys if they have sealed enough. Call before a packet is sealed; cheap. */
  updateIfDue(now: Micros): void {
    if (this.#sealed >= PACKETS_PER_KEY_MAX) this.initiateUpdate(now);
  }

  /**
   * Begins a new phase; the peer follows with its next packet. False if the present phase has not been acknowledged for
   * three probe timeouts yet (RFC 9001 §6.1, §6.5).
   */
  initiateUpdate(now: Micros): boolean {
    if (!this.#isAcknowledged || now < this.#updateAllowedUs) return false;
    this.#update();
    this.#firstOpened = Number.POSITIVE_INFINITY;
    return true;
  }

  /** The keys before this phase are kept for late packets, three probe timeouts from now. */
  #retireOld(now: Micros): void {
    this.#oldUntilUs = now + KEEP_TIMEOUTS * this.#options.probeTimeoutUs();
  }

  #update(): void {
    const { crypto } = this.#options;
    this.#oldReader = this.#reader;
    this.#oldUntilUs = NEVER;
    this.#reader = this.#nextReader;
    this.#readSecret = crypto.nextSecret(this.#readSecret);
    this.#writeSecret = crypto.nextSecret(this.#writeSecret);
    this.#writer = crypto.protection(this.#writeSecret);
    this.#nextReader = crypto.protection(crypto.nextSecret(this.#readSecret));
    this.keyPhase = this.keyPhase === 0 ? 1 : 0;
    this.updates++;
    this.#sealed = 0;
    this.#firstSealed = -1;
    this.#isAcknowledged = false;
    this.#updateAllowedUs = NEVER;
  }
}
