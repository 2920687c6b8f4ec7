/**
 * Sealing and opening of packets behind an interface: real AEADs live in node/seal.ts, a stand-in for simulations in
 * plain-protection.ts. In: packets laid out in a buffer, packet numbers. Out: the same, sealed or opened in place.
 * Source: RFC 9001 §5; docs/wire-format.md §2.
 */

/** Bytes an AEAD tag adds to a packet. */
export const TAG_BYTES = 16;
/** Bytes of a traffic secret (SHA-256). */
export const SECRET_BYTES = 32;

/** One direction, one key epoch. */
export interface PacketProtection {
  /**
   * Seals in place: associated data [headerStart, payloadStart), plaintext [payloadStart, payloadEnd); the tag is
   * written at payloadEnd, where 16 bytes must be free.
   */
  seal(
    packet: Uint8Array,
    headerStart: number,
    payloadStart: number,
    payloadEnd: number,
    packetNumber: number,
  ): void;
  /**
   * Opens in place; `end` includes the tag, and the plaintext is then [payloadStart, end - 16).
   * @returns True if the packet is authentic; false leaves its bytes undefined. Never throws.
   */
  open(
    packet: Uint8Array,
    headerStart: number,
    payloadStart: number,
    end: number,
    packetNumber: number,
  ): boolean;
}

/** Everything the core needs of cryptography. */
export interface CryptoProvider {
  /** Which implementation this is; `plain` protects nothing. */
  readonly engine: 'sodium-native' | 'node:crypto' | 'plain';
  /** Packet protection with the key and IV of one traffic secret. */
  protection(secret: Uint8Array): PacketProtection;
  /** The secret after a key update (docs/wire-format.md §2.2). */
  nextSecret(secret: Uint8Array): Uint8Array;
  /** Secrets of the Initial packets of both ends (docs/wire-format.md §2.1). */
  initialSecrets(originalId: Uint8Array): { readonly client: Uint8Array; readonly server: Uint8Array };
  sha256(bytes: Uint8Array): Uint8Array;
  /** HMAC-SHA256: tokens that only their maker can make. */
  hmac(key: Uint8Array, data: Uint8Array): Uint8Array;
}
