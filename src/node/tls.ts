/**
 * TLS 1.3 by Node's own OpenSSL as a `Handshake`: bytes of CRYPTO frames in, bytes for CRYPTO frames out, 1-RTT secrets
 * by the exporter. A listener is passphrase xor certificate; with a passphrase nothing but the passphrase counts.
 * Source: DESIGN D2; docs/wire-format.md §2.2; RFC 8446 §4.2.11, §7.5.
 */
import { constants, createHash, type X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import { connect, createServer, type TLSSocket } from 'node:tls';
import type { Handshake } from '../crypto/handshake.ts';
import { checkClient, checkKey, checkServer, type TlsCredentials } from './tls-credentials.ts';
import {
  clientCertificateMissing,
  type Failure,
  notByPassphrase,
  pinDiffers,
  type Side,
  unknownIdentity,
  untrusted,
  wrongProtocol,
} from './tls-errors.ts';
import { ALPN, TlsHandshake } from './tls-handshake.ts';

export type { TlsCredentials } from './tls-credentials.ts';

const DEFAULT_IDENTITY = 'millrace';

const COMMON = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  ciphers: 'TLS_CHACHA20_POLY1305_SHA256',
  // Named, for the default of later OpenSSL has a hybrid key share of 1216 bytes: the first flight would need two datagrams.
  ecdhCurve: 'X25519:prime256v1',
  ALPNProtocols: [ALPN],
  secureOptions: constants.SSL_OP_NO_TICKET,
} as const;

/**
 * A caller's end: speaks first. With a passphrase it trusts no certificate at all.
 * @throws TypeError for credentials that contradict each other or do not say whom to trust.
 */
export function createClientHandshake(credentials: TlsCredentials): Handshake {
  const { psk, identity = DEFAULT_IDENTITY, servername, onKeyLog } = credentials;
  const pin = checkClient(credentials);
  const side: Side = { isServer: false, hasPsk: psk !== undefined, servername: servername ?? '' };
  const handshake = new TlsHandshake(side);
  const socket = connect({
    ...COMMON,
    socket: handshake.pipe,
    ...(psk !== undefined
      ? {
          ca: [],
          pskCallback: () => ({ psk, identity }),
          checkServerIdentity: () => new Error('a certificate instead of the passphrase'),
        }
      : {
          ...identityOptions(credentials),
          ...(pin !== undefined ? { checkServerIdentity: () => undefined } : {}),
          // An address may not be sent as a server name (RFC 6066 §3); the certificate is checked against it as `host`.
          ...(servername === undefined ? {} : isIP(servername) ? { host: servername } : { servername }),
        }),
    // All is verified, and `secure` below insists on the verdict. Node itself would tell of a failure only after the
    // client's Finished is on its way, and the listener would take the call for accepted.
    rejectUnauthorized: false,
  });
  if (onKeyLog !== undefined) socket.on('keylog', onKeyLog);
  socket.on('secureConnect', () => {
    const certificate = socket.getPeerX509Certificate();
    handshake.secure(socket, clientVerdict(side, socket, certificate, pin), subjectOf(certificate));
  });
  socket.on('error', (error) => handshake.onError(error));
  socket.on('close', () => handshake.onClose());
  socket.resume();
  return handshake;
}

/**
 * A listener's end, for one caller.
 * @throws TypeError unless the credentials are a passphrase or a certificate with its key, and not both.
 */
export function createServerHandshake(credentials: TlsCredentials): Handshake {
  const { requestCert = false, onKeyLog } = credentials;
  const pin = checkServer(credentials);
  const hasPsk = credentials.psk !== undefined || credentials.pskFor !== undefined;
  const side: Side = { isServer: true, hasPsk, servername: '' };
  const handshake = new TlsHandshake(side);
  const seen: SeenIdentity = { proven: undefined, unknown: undefined, cause: undefined };
  const needsCertificate = requestCert || pin !== undefined;
  // A server that never listens: the documented way to have Node judge callers' certificates on any stream.
  const server = createServer({
    ...COMMON,
    ...(hasPsk
      ? { ca: [], pskCallback: (_socket: TLSSocket, identity: string) => lookUp(credentials, seen, identity) }
      : {
          ...identityOptions(credentials),
          requestCert: needsCertificate,
          rejectUnauthorized: pin === undefined,
        }),
  });
  if (onKeyLog !== undefined) server.on('keylog', onKeyLog);
  server.on('secureConnection', (socket) => {
    // Only session tickets are written from here on, and nobody may use them.
    handshake.mute();
    socket.on('error', (error) => handshake.onError(error));
    socket.on('close', () => handshake.onClose());
    socket.resume();
    const certificate = socket.getPeerX509Certificate();
    const failure = hasPsk
      ? serverPskVerdict(side, socket, certificate, seen)
      : serverVerdict(side, socket, certificate, needsCertificate, pin);
    handshake.secure(socket, failure, hasPsk ? (seen.proven ?? '') : subjectOf(certificate));
  });
  server.on('tlsClientError', (error, socket) => {
    const { authorizationError } = socket;
    const { proven, unknown, cause = error } = seen;
    if (authorizationError) handshake.fail(untrusted(side, String(authorizationError)));
    else if (proven === undefined && unknown !== undefined) {
      handshake.fail(unknownIdentity(unknown, cause), true);
    } else handshake.onError(error);
  });
  server.emit('connection', handshake.pipe);
  return handshake;
}

/** PSK identities a caller has named. */
interface SeenIdentity {
  /** The last one that has a key. OpenSSL takes the first such of a ClientHello, and checks that the caller has the key. */
  proven: string | undefined;
  /** The last one that has none. */
  unknown: string | undefined;
  /** What `pskFor` threw. */
  cause: unknown;
}

function lookUp({ psk, pskFor }: TlsCredentials, seen: SeenIdentity, identity: string): Uint8Array | null {
  try {
    const key = pskFor === undefined ? psk : pskFor(identity);
    if (key !== undefined) {
      checkKey(key);
      seen.proven = identity;
      return key;
    }
  } catch (cause) {
    // OpenSSL has called us: an exception would end the process and not the handshake.
    seen.cause = cause;
  }
  seen.unknown = identity;
  return null;
}

function identityOptions({ cert, key, ca }: TlsCredentials): {
  cert?: string | Buffer;
  key?: string | Buffer;
  ca?: string | Buffer;
} {
  return {
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(ca === undefined ? {} : { ca }),
  };
}

/*
 * The verdicts call methods of the socket, so they belong to `secureConnect` and `secureConnection` only: Node 20 crashes
 * on a dead socket. The certificate comes from outside because `getPeerX509Certificate` gives it only once.
 */

/** What a caller makes of the listener. */
function clientVerdict(
  side: Side,
  socket: TLSSocket,
  certificate: X509Certificate | undefined,
  pin: string | undefined,
): Failure | undefined {
  if (side.hasPsk) {
    if (!socket.isSessionReused() || certificate !== undefined) return notByPassphrase(side);
  } else if (pin !== undefined) {
    const found = certificate === undefined ? 'none' : fingerprint(certificate);
    if (found !== pin) return pinDiffers(side, found);
  } else if (certificate === undefined || !socket.authorized) {
    return untrusted(side, String(socket.authorizationError ?? 'no certificate'));
  }
  return socket.alpnProtocol === ALPN ? undefined : wrongProtocol(side);
}

/** What a listener with a passphrase makes of the caller. */
function serverPskVerdict(
  side: Side,
  socket: TLSSocket,
  certificate: X509Certificate | undefined,
  seen: SeenIdentity,
): Failure | undefined {
  if (!socket.isSessionReused() || certificate !== undefined || seen.proven === undefined)
    return notByPassphrase(side);
  return socket.alpnProtocol === ALPN ? undefined : wrongProtocol(side);
}

/** What a listener with a certificate makes of the caller. */
function serverVerdict(
  side: Side,
  socket: TLSSocket,
  certificate: X509Certificate | undefined,
  needsCertificate: boolean,
  pin: string | undefined,
): Failure | undefined {
  if (needsCertificate) {
    if (certificate === undefined) return clientCertificateMissing();
    const found = fingerprint(certificate);
    if (pin !== undefined && found !== pin) return pinDiffers(side, found);
    if (pin === undefined && !socket.authorized) return untrusted(side, String(socket.authorizationError));
  }
  return socket.alpnProtocol === ALPN ? undefined : wrongProtocol(side);
}

function fingerprint(certificate: X509Certificate): string {
  return createHash('sha256').update(certificate.raw).digest('hex');
}

/** The subject of a certificate on one line; empty without. */
function subjectOf(certificate: X509Certificate | undefined): string {
  return certificate?.subject.split('\n').join(', ') ?? '';
}
