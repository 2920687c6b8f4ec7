/**
 * TLS 1.3 by Node's own OpenSSL as a `Handshake`: bytes of CRYPTO frames in, bytes for CRYPTO frames out, 1-RTT secrets
 * by the exporter. A listener is passphrase xor certificate; with a passphrase nothing but the passphrase counts.
 * Source: DESIGN D2; docs/wire-format.md §2.2; RFC 8446 §4.2.11, §7.5.
 */
import { constants, createHash, type X509Certificate } from 'node:crypto';
import { isIP } from 'node:net';
import {
  connect,
  createSecureContext,
  createServer,
  type SecureContext,
  type SecureContextOptions,
  TLSSocket,
  type TLSSocketOptions,
} from 'node:tls';
import type { Handshake } from '../crypto/handshake.ts';
import { checkClient, checkKey, checkServer, type TlsCredentials } from './tls-credentials.ts';
import {
  certificateMissing,
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
/** A process has few listeners, and each has one certificate at a time. */
const CONTEXTS_MAX = 16;

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
 * @throws TypeError for credentials that contradict each other, do not say whom to trust, or are no PEM.
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
          secureContext: makeContext(credentials),
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
  const pin = checkServer(credentials);
  const hasPsk = credentials.psk !== undefined || credentials.pskFor !== undefined;
  const handshake = new TlsHandshake({ isServer: true, hasPsk, servername: '' });
  if (hasPsk) servePassphrase(handshake, credentials);
  else if (credentials.requestCert === true && pin === undefined)
    serveCallersOfAuthority(handshake, credentials);
  else serveCertificate(handshake, credentials, pin);
  return handshake;
}

/** A listener that lets in whoever has the passphrase. */
function servePassphrase(handshake: TlsHandshake, credentials: TlsCredentials): void {
  const seen: SeenIdentity = { proven: undefined, unknown: undefined, cause: undefined };
  const options = {
    pskCallback: (_socket: TLSSocket, identity: string): Uint8Array | null =>
      lookUp(credentials, seen, identity),
  };
  const socket = serverSocket(handshake, credentials, options);
  socket.on('secure', () => {
    const certificate = socket.getPeerX509Certificate();
    const isProven = socket.isSessionReused() && certificate === undefined && seen.proven !== undefined;
    const failure = isProven ? wrongAlpn(handshake.side, socket) : notByPassphrase(handshake.side);
    handshake.secure(socket, failure, seen.proven ?? '');
  });
  socket.on('error', (error) => {
    const { proven, unknown, cause = error } = seen;
    if (proven === undefined && unknown !== undefined) handshake.fail(unknownIdentity(unknown, cause), true);
    else handshake.onError(error);
  });
}

/** A listener with a certificate that lets in everyone, or the one caller whose certificate is pinned. */
function serveCertificate(
  handshake: TlsHandshake,
  credentials: TlsCredentials,
  pin: string | undefined,
): void {
  const { side } = handshake;
  const socket = serverSocket(handshake, credentials, {
    requestCert: pin !== undefined,
    rejectUnauthorized: false,
  });
  socket.on('secure', () => {
    const certificate = socket.getPeerX509Certificate();
    const failure =
      (pin === undefined ? undefined : wrongPin(side, certificate, pin)) ?? wrongAlpn(side, socket);
    handshake.secure(socket, failure, subjectOf(certificate));
  });
  socket.on('error', (error) => handshake.onError(error));
}

function serverSocket(
  handshake: TlsHandshake,
  credentials: TlsCredentials,
  options: ServerSocketOptions,
): TLSSocket {
  const { pipe } = handshake;
  const socket = new TLSSocket(pipe, {
    ...COMMON,
    ...options,
    isServer: true,
    secureContext: contextOf(credentials),
  });
  if (credentials.onKeyLog !== undefined) socket.on('keylog', credentials.onKeyLog);
  // Only session tickets are written from here on, and nobody may use them.
  socket.on('secure', () => handshake.mute());
  socket.on('close', () => handshake.onClose());
  socket.resume();
  return socket;
}

/** A listener that demands certificates of an authority. */
function serveCallersOfAuthority(handshake: TlsHandshake, credentials: TlsCredentials): void {
  const { side } = handshake;
  // A server that never listens: the documented way to have Node judge callers' certificates on any stream.
  const server = createServer({
    ...COMMON,
    ...identityOptions(credentials),
    requestCert: true,
    rejectUnauthorized: true,
  });
  if (credentials.onKeyLog !== undefined) server.on('keylog', credentials.onKeyLog);
  server.on('secureConnection', (socket) => {
    handshake.mute();
    socket.on('error', (error) => handshake.onError(error));
    socket.on('close', () => handshake.onClose());
    socket.resume();
    const certificate = socket.getPeerX509Certificate();
    const isTrusted = certificate !== undefined && socket.authorized;
    const failure = isTrusted ? wrongAlpn(side, socket) : untrusted(side, String(socket.authorizationError));
    handshake.secure(socket, failure, subjectOf(certificate));
  });
  server.on('tlsClientError', (error, { authorizationError }) => {
    if (authorizationError) handshake.fail(untrusted(side, String(authorizationError)));
    else handshake.onError(error);
  });
  server.emit('connection', handshake.pipe);
}

/** Contexts of listeners by what is in them: to parse a private key takes longer than a whole handshake. */
const contexts: Map<string, SecureContext> = new Map();

function contextOf(credentials: TlsCredentials): SecureContext {
  const { cert = '', key = '' } = credentials;
  const name = createHash('sha256').update(cert).update(key).digest('hex');
  let context = contexts.get(name);
  if (context === undefined) {
    // No caller is judged by authorities here, so none are loaded.
    context = makeContext({ ...credentials, ca: [] });
    contexts.set(name, context);
    if (contexts.size > CONTEXTS_MAX) contexts.delete(contexts.keys().next().value as string);
  }
  return context;
}

/** @throws TypeError for a certificate or key that OpenSSL does not take. */
export function makeContext(identity: Identity): SecureContext {
  try {
    return createSecureContext({ ...COMMON, ...identityOptions(identity) });
  } catch (cause) {
    if (cause instanceof TypeError) throw cause;
    const { reason = (cause as Error).message } = cause as { reason?: string };
    const text = `cert and key cannot be used (${reason}): give a PEM certificate and its own private key, without a password`;
    throw new TypeError(text, { cause });
  }
}

/** Options of a server's socket; the types of Node 20 lack the last. */
type ServerSocketOptions = TLSSocketOptions & {
  readonly pskCallback?: (socket: TLSSocket, identity: string) => Uint8Array | null;
};

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

type Identity = Pick<SecureContextOptions, 'cert' | 'key' | 'ca'>;

function identityOptions({ cert, key, ca }: Identity): Identity {
  return {
    ...(cert === undefined ? {} : { cert }),
    ...(key === undefined ? {} : { key }),
    ...(ca === undefined ? {} : { ca }),
  };
}

/*
 * The verdicts call methods of the socket, so they belong to `secure` and its kin only: Node 20 crashes on a dead socket.
 * The certificate comes from outside because `getPeerX509Certificate` gives it only once.
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
    const failure = wrongPin(side, certificate, pin);
    if (failure !== undefined) return failure;
  } else if (certificate === undefined || !socket.authorized) {
    return untrusted(side, String(socket.authorizationError ?? 'no certificate'));
  }
  return wrongAlpn(side, socket);
}

function wrongAlpn(side: Side, { alpnProtocol }: TLSSocket): Failure | undefined {
  return alpnProtocol === ALPN ? undefined : wrongProtocol(side);
}

function wrongPin(side: Side, certificate: X509Certificate | undefined, pin: string): Failure | undefined {
  if (certificate === undefined) return certificateMissing(side);
  const found = fingerprint(certificate);
  return found === pin ? undefined : pinDiffers(side, found);
}

function fingerprint(certificate: X509Certificate): string {
  return createHash('sha256').update(certificate.raw).digest('hex');
}

/** The subject of a certificate on one line; empty without. */
function subjectOf(certificate: X509Certificate | undefined): string {
  return certificate?.subject.split('\n').join(', ') ?? '';
}
