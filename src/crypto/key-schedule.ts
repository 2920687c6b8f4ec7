/**
 * Keys from secrets: HKDF of RFC 5869 with SHA-256, labels of RFC 8446 §7.1. The hash is handed in, so that the core
 * needs no library. Source: docs/wire-format.md §2; RFC 9001 §5.
 */
import { concatBytes } from '../base/bytes.ts';
import { SECRET_BYTES } from './protection.ts';

/** HMAC-SHA256 of `data` under `key`. */
export type Hmac = (key: Uint8Array, data: Uint8Array) => Uint8Array;

/** "millrace/1 initial s" in ASCII: changes with every version. */
const INITIAL_SALT: Uint8Array = ascii('millrace/1 initial s');

/** Key and IV of an AEAD. */
export interface PacketKey {
  /** 32 bytes. */
  readonly key: Uint8Array;
  /** 12 bytes. */
  readonly iv: Uint8Array;
}

/** HKDF-Extract of RFC 5869 §2.2. */
export function hkdfExtract(hmac: Hmac, salt: Uint8Array, secret: Uint8Array): Uint8Array {
  return hmac(salt, secret);
}

/** HKDF-Expand-Label of RFC 8446 §7.1 with an empty context; up to one block of SHA-256 (32 bytes). */
export function hkdfExpandLabel(hmac: Hmac, secret: Uint8Array, label: string, length: number): Uint8Array {
  const name = ascii(`tls13 ${label}`);
  const info = concatBytes([
    Uint8Array.of(length >>> 8, length & 255, name.length),
    name,
    Uint8Array.of(0, 1),
  ]);
  return hmac(secret, info).slice(0, length);
}

/** Packet key and IV of one traffic secret. */
export function packetKey(hmac: Hmac, secret: Uint8Array): PacketKey {
  return {
    key: hkdfExpandLabel(hmac, secret, 'millrace key', 32),
    iv: hkdfExpandLabel(hmac, secret, 'millrace iv', 12),
  };
}

/** The traffic secret that follows a key update. Source: RFC 9001 §6.1. */
export function nextSecret(hmac: Hmac, secret: Uint8Array): Uint8Array {
  return hkdfExpandLabel(hmac, secret, 'millrace ku', SECRET_BYTES);
}

/** Secrets of Initial packets. They keep a flipped byte away from TLS; they keep no secret. */
export function initialSecrets(
  hmac: Hmac,
  originalId: Uint8Array,
): { client: Uint8Array; server: Uint8Array } {
  const initial = hkdfExtract(hmac, INITIAL_SALT, originalId);
  return {
    client: hkdfExpandLabel(hmac, initial, 'client in', SECRET_BYTES),
    server: hkdfExpandLabel(hmac, initial, 'server in', SECRET_BYTES),
  };
}

function ascii(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) bytes[i] = text.charCodeAt(i);
  return bytes;
}
