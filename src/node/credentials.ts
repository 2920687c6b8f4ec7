/** Credentials as applications give them, checked once, and what TLS is made with. Source: DESIGN D2. */
import { appendFile } from 'node:fs';
import { checkPassphrase, derivePsk } from './passphrase.ts';
import { makeContext, type TlsCredentials } from './tls.ts';

/** PSK identity of a caller that states none. */
const DEFAULT_IDENTITY = 'millrace';

/** PEM text or bytes, one or several. */
export type Pem = string | Buffer | readonly (string | Buffer)[];

/** Who this end is, and whom it trusts. */
export interface Credentials {
  /** 10 to 79 characters, the same at both ends. Excludes `cert` on a listener. */
  readonly passphrase?: string | undefined;
  /** PEM certificate chain; a listener needs this or a passphrase. */
  readonly cert?: Pem | undefined;
  readonly key?: Pem | undefined;
  /** PEM certificates that may sign the peer's; default: the system's. */
  readonly ca?: Pem | undefined;
}

/** What a caller adds. */
export interface CallerCredentials extends Credentials {
  /** Who it says it is; the listener's `authorize` sees it. */
  readonly identity?: string | undefined;
  /** `sha256:` and the hex hash of the listener's certificate (DER): replaces the check of chain and name. */
  readonly pin?: string | undefined;
  /** The name the listener's certificate must have; default: the host called. */
  readonly servername?: string | undefined;
}

/** Writes NSS key log lines to the file that SSLKEYLOGFILE names, as browsers do, so that Wireshark can decrypt. */
function withKeyLog(): Pick<TlsCredentials, 'onKeyLog'> {
  const file = process.env.SSLKEYLOGFILE;
  if (file === undefined || file === '') return {};
  return { onKeyLog: (line) => appendFile(file, line, () => {}) };
}

function pem(value: Pem): string | Buffer {
  if (!Array.isArray(value)) return value as string | Buffer;
  return value.map(String).join('\n');
}

function common(credentials: Credentials): TlsCredentials {
  const { cert, key, ca } = credentials;
  return {
    ...(cert === undefined ? {} : { cert: pem(cert) }),
    ...(key === undefined ? {} : { key: pem(key) }),
    ...(ca === undefined ? {} : { ca: pem(ca) }),
    ...withKeyLog(),
  };
}

/** For a caller. With a passphrase no certificate authority is trusted. */
export async function callerCredentials(
  credentials: CallerCredentials,
  host: string,
): Promise<TlsCredentials> {
  const { passphrase, identity, pin, servername } = credentials;
  if (passphrase !== undefined) {
    if (pin !== undefined || credentials.cert !== undefined || credentials.ca !== undefined) {
      throw new TypeError('a passphrase excludes cert, ca and pin: give one kind of credentials');
    }
    const psk = await derivePsk(passphrase);
    return { psk, ...(identity === undefined ? {} : { identity }), ...withKeyLog() };
  }
  return {
    ...common(credentials),
    servername: servername ?? host,
    ...(pin === undefined ? {} : { pin }),
  };
}

/** Throws unless a listener has exactly one kind of credentials. */
export function checkListener(
  credentials: Credentials & {
    readonly requestCert?: boolean | undefined;
    readonly authorize?: unknown;
  },
): void {
  const { passphrase, cert, key, authorize } = credentials;
  if (authorize !== undefined && typeof authorize !== 'function') {
    throw new TypeError('authorize is a function that decides about each caller');
  }
  if (passphrase !== undefined) checkPassphrase(passphrase);
  if (passphrase !== undefined && cert !== undefined) {
    throw new TypeError(
      'a listener takes a passphrase or a certificate, not both: with both, anyone would be let in',
    );
  }
  if (credentials.requestCert === true && cert === undefined) {
    throw new TypeError('requestCert needs cert and key: a listener with a passphrase takes no certificates');
  }
  if (credentials.requestCert === true && credentials.ca === undefined) {
    throw new TypeError('requestCert needs ca: the certificates that may sign those of callers');
  }
  if (cert !== undefined && key === undefined)
    throw new TypeError('a certificate needs its private key: give `key` too');
  if (cert !== undefined) makeContext(common(credentials));
  if (passphrase === undefined && cert === undefined && authorize === undefined) {
    throw new TypeError(
      'a listener needs a passphrase, a certificate and key, or authorize() that returns passphrases',
    );
  }
}

/** For one caller of a listener. @param passphrase What `authorize` returned, or the listener's own. */
export async function listenerCredentials(
  credentials: Credentials & { readonly requestCert?: boolean | undefined },
  passphrase: string | undefined,
  identity: string,
): Promise<TlsCredentials> {
  if (passphrase === undefined)
    return { ...common(credentials), requestCert: credentials.requestCert ?? false };
  const psk = await derivePsk(passphrase);
  // The passphrase was chosen for the identity that the caller stated: TLS accepts no other under it.
  const stated = identity === '' ? DEFAULT_IDENTITY : identity;
  return { pskFor: (name) => (name === stated ? psk : undefined), ...withKeyLog() };
}
