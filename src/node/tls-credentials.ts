/**
 * What TLS is made with, checked before anything is made of it. In: credentials. Out: the same, or a TypeError that says
 * what is wrong. Source: DESIGN D2.
 */

/** A pre-shared key has at least this many bytes; scrypt gives 32. */
const PSK_BYTES_MIN = 16;
/** RFC 8446 §4.2.11 allows more; longer ones do not fit OpenSSL. */
const IDENTITY_BYTES_MAX = 128;

/** Who this end is, and how it knows the peer. */
export interface TlsCredentials {
  /** Pre-shared key: the scrypt result of the passphrase. */
  readonly psk?: Uint8Array;
  /** A caller's PSK identity; default `millrace`. */
  readonly identity?: string;
  /** PEM chain of this end. */
  readonly cert?: string | Buffer;
  /** PEM private key of `cert`. */
  readonly key?: string | Buffer;
  /** PEM certificates that may sign the peer's; default: Node's roots. */
  readonly ca?: string | Buffer;
  /** `sha256:HEX` of the peer certificate's DER; replaces the check of chain and name. */
  readonly pin?: string;
  /** A caller's: name or address that the listener's certificate must have. */
  readonly servername?: string;
  /** A listener's: demand a certificate of callers. */
  readonly requestCert?: boolean;
  /** A listener's, instead of `psk`: the key of one identity, or undefined. */
  readonly pskFor?: (identity: string) => Uint8Array | undefined;
  /** Gets NSS key log lines. */
  readonly onKeyLog?: (line: Buffer) => void;
}

/** Checks a caller's credentials. @returns The pin as lower-case hex, if there is one. */
export function checkClient({
  psk,
  identity,
  cert,
  key,
  pin,
  servername,
}: TlsCredentials): string | undefined {
  if (psk !== undefined) {
    checkKey(psk);
    if (cert !== undefined) throw new TypeError('a caller takes a passphrase or a certificate, not both');
    if (pin !== undefined)
      throw new TypeError('a pin is of a certificate; with a passphrase it has no meaning');
    checkIdentity(identity);
    return undefined;
  }
  if ((cert === undefined) !== (key === undefined)) throw new TypeError('`cert` and `key` belong together');
  if (pin === undefined && (servername === undefined || servername === '')) {
    throw new TypeError(
      'a caller needs a passphrase, a pin, or the `servername` that the certificate must have',
    );
  }
  return pin === undefined ? undefined : parsePin(pin);
}

/** Checks a listener's credentials. @returns The pin as lower-case hex, if there is one. */
export function checkServer({
  psk,
  pskFor,
  cert,
  key,
  pin,
  requestCert,
}: TlsCredentials): string | undefined {
  const hasPsk = psk !== undefined || pskFor !== undefined;
  if (psk !== undefined) checkKey(psk);
  if (hasPsk && (cert !== undefined || key !== undefined)) {
    throw new TypeError(
      'a listener takes a passphrase or a certificate, not both: with both, anyone would be let in',
    );
  }
  if (hasPsk && (pin !== undefined || requestCert === true)) {
    throw new TypeError('a listener with a passphrase asks for no certificates');
  }
  if (!hasPsk && (cert === undefined || key === undefined)) {
    throw new TypeError('a listener needs a passphrase, or a certificate and its key');
  }
  return pin === undefined ? undefined : parsePin(pin);
}

/** @throws TypeError unless `psk` is a usable key. */
export function checkKey(psk: Uint8Array): void {
  if (!(psk instanceof Uint8Array) || psk.length < PSK_BYTES_MIN) {
    throw new TypeError(`a pre-shared key is a Uint8Array of at least ${PSK_BYTES_MIN} bytes`);
  }
}

function checkIdentity(identity: string | undefined): void {
  if (identity === undefined) return;
  // OpenSSL takes it as a C string.
  if (identity === '' || identity.includes('\0') || Buffer.byteLength(identity) > IDENTITY_BYTES_MAX) {
    throw new TypeError(`an identity has 1 to ${IDENTITY_BYTES_MAX} bytes, none of them zero`);
  }
}

function parsePin(pin: string): string {
  const hex = /^sha256:([0-9a-f:]+)$/i.exec(pin)?.[1]?.replaceAll(':', '').toLowerCase();
  if (hex?.length !== 64)
    throw new TypeError('a pin is `sha256:` and the 64 hex digits of a certificate (DER)');
  return hex;
}
