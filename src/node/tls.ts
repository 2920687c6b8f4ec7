/**
 * TLS 1.3 by Node's own OpenSSL as a `Handshake`: bytes of CRYPTO frames in, bytes for CRYPTO frames out, 1-RTT secrets
 * by the exporter. A listener is passphrase xor certificate; with a passphrase nothing but the passphrase counts.
 * Source: DESIGN D2; docs/wire-format.md §2.2; RFC 8446 §7.5; RFC 9258 is not used.
 */
import { constants, createHash } from 'node:crypto';
import { isIP } from 'node:net';
import { Duplex } from 'node:stream';
import { connect, createServer, type TLSSocket } from 'node:tls';
import type { TransportError } from '../base/errors.ts';
import type { Handshake, PeerIdentity, TrafficSecrets } from '../crypto/handshake.ts';
import { SECRET_BYTES } from '../crypto/protection.ts';
import {
  clientCertificateMissing,
  endedEarly,
  type Failure,
  notByPassphrase,
  opensslFailure,
  pinDiffers,
  type Side,
  tooManyBytes,
  unknownIdentity,
  untrusted,
  wrongProtocol,
} from './tls-errors.ts';

const ALPN = 'millrace/1';
const EXPORTER_LABEL = 'EXPORTER-millrace/1';
/** Handshake bytes either end may send (DESIGN §6). */
const HANDSHAKE_BYTES_MAX = 65_536;
const DEFAULT_IDENTITY = 'millrace';
/** Keys of the external PSK: what scrypt gives. */
const PSK_BYTES_MIN = 16;
/** RFC 8446 §4.2.11 allows more; longer ones do not fit OpenSSL. */
const IDENTITY_BYTES_MAX = 128;
const ALERT_RECORD = 21;
const FATAL = 2;
/** type, version, length, level, description. */
const ALERT_RECORD_BYTES = 7;

const COMMON = {
  minVersion: 'TLSv1.3',
  maxVersion: 'TLSv1.3',
  ciphers: 'TLS_CHACHA20_POLY1305_SHA256',
  // Named, for the default of later OpenSSL has a hybrid key share of 1216 bytes: the first flight would need two datagrams.
  ecdhCurve: 'X25519:prime256v1',
  ALPNProtocols: [ALPN],
  secureOptions: constants.SSL_OP_NO_TICKET,
} as const;

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
  socket.on('secureConnect', () => handshake.secure(socket, clientVerdict(side, socket, pin), ''));
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
  const seen: SeenIdentity = { proven: undefined, unknown: undefined };
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
    const failure = serverVerdict(side, socket, seen, needsCertificate, pin);
    handshake.secure(socket, failure, hasPsk ? (seen.proven ?? '') : subjectOf(socket));
  });
  server.on('tlsClientError', (error, socket) => {
    const { authorizationError } = socket;
    if (authorizationError) handshake.fail(untrusted(side, String(authorizationError)));
    else if (seen.unknown !== undefined && seen.proven === undefined)
      handshake.fail(unknownIdentity(seen.unknown, error));
    else handshake.onError(error);
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
}

function lookUp({ psk, pskFor }: TlsCredentials, seen: SeenIdentity, identity: string): Uint8Array | null {
  const key = pskFor === undefined ? psk : pskFor(identity);
  if (key === undefined) seen.unknown = identity;
  else seen.proven = identity;
  return key ?? null;
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

/** What the client makes of the listener. Call at `secureConnect` only: Node 20 crashes on a dead socket. */
function clientVerdict(side: Side, socket: TLSSocket, pin: string | undefined): Failure | undefined {
  const certificate = socket.getPeerX509Certificate();
  if (side.hasPsk) {
    if (!socket.isSessionReused() || certificate !== undefined) return notByPassphrase(side);
  } else if (pin !== undefined) {
    const found = certificate === undefined ? 'none' : fingerprint(certificate.raw);
    if (found !== pin) return pinDiffers(side, found);
  } else if (certificate === undefined || !socket.authorized) {
    return untrusted(side, String(socket.authorizationError ?? 'no certificate'));
  }
  return socket.alpnProtocol === ALPN ? undefined : wrongProtocol(side);
}

/** What the server makes of the caller. Call at `secureConnection` only. */
function serverVerdict(
  side: Side,
  socket: TLSSocket,
  seen: SeenIdentity,
  needsCertificate: boolean,
  pin: string | undefined,
): Failure | undefined {
  const certificate = socket.getPeerX509Certificate();
  if (side.hasPsk) {
    if (!socket.isSessionReused() || certificate !== undefined || seen.proven === undefined)
      return notByPassphrase(side);
  } else if (needsCertificate) {
    if (certificate === undefined) return clientCertificateMissing();
    const found = fingerprint(certificate.raw);
    if (pin !== undefined && found !== pin) return pinDiffers(side, found);
    if (pin === undefined && !socket.authorized) return untrusted(side, String(socket.authorizationError));
  }
  return socket.alpnProtocol === ALPN ? undefined : wrongProtocol(side);
}

function fingerprint(der: Uint8Array): string {
  return createHash('sha256').update(der).digest('hex');
}

/** The subject of the peer's certificate on one line; empty without. */
function subjectOf(socket: TLSSocket): string {
  return socket.getPeerX509Certificate()?.subject.split('\n').join(', ') ?? '';
}

function checkClient({ psk, identity, cert, key, pin, servername }: TlsCredentials): string | undefined {
  if (psk !== undefined) {
    checkKey(psk);
    if (cert !== undefined) throw new TypeError('a caller takes a passphrase or a certificate, not both');
    if (pin !== undefined)
      throw new TypeError('a pin is of a certificate; with a passphrase it has no meaning');
    if (identity !== undefined && (identity === '' || Buffer.byteLength(identity) > IDENTITY_BYTES_MAX)) {
      throw new TypeError(`an identity has 1 to ${IDENTITY_BYTES_MAX} bytes`);
    }
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

function checkServer({ psk, pskFor, cert, key, pin, requestCert }: TlsCredentials): string | undefined {
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

function checkKey(psk: Uint8Array): void {
  if (!(psk instanceof Uint8Array) || psk.length < PSK_BYTES_MIN) {
    throw new TypeError(`a pre-shared key is a Uint8Array of at least ${PSK_BYTES_MIN} bytes`);
  }
}

function parsePin(pin: string): string {
  const hex = /^sha256:([0-9a-f:]+)$/i.exec(pin)?.[1]?.replaceAll(':', '').toLowerCase();
  if (hex?.length !== 64)
    throw new TypeError('a pin is `sha256:` and the 64 hex digits of a certificate (DER)');
  return hex;
}

/** One end of one handshake. The factories above give it its socket's events. */
class TlsHandshake implements Handshake {
  state: 'running' | 'complete' | 'failed' = 'running';
  error: TransportError | undefined;
  alert: number | undefined;
  peer: PeerIdentity = { identity: '', alpn: '' };
  onProgress: (() => void) | undefined;
  /** What TLS takes for its network. */
  readonly pipe: Duplex;
  readonly #side: Side;
  #output: Uint8Array[] = [];
  #inputBytes = 0;
  #outputBytes = 0;
  /** The last alert OpenSSL wrote in the clear. */
  #alertSent: number | undefined;
  #context: Uint8Array | undefined;
  #secrets: TrafficSecrets | undefined;
  /** Authenticated, and only the exporter context is missing. */
  #waiting: TLSSocket | undefined;
  #isMuted = false;
  #isClosed = false;
  #isProgressScheduled = false;

  constructor(side: Side) {
    this.#side = side;
    this.pipe = new Duplex({
      read: () => {},
      write: (bytes: Buffer, _encoding, done) => {
        this.#onOutput(bytes);
        done();
      },
    });
    // Whatever goes wrong is heard on the TLS socket; an 'error' without a listener would end the process.
    this.pipe.on('error', () => {});
  }

  setExporterContext(context: Uint8Array): void {
    this.#context = context;
    const socket = this.#waiting;
    if (socket === undefined) return;
    if (socket.destroyed) this.fail(endedEarly(new Error('closed')));
    else this.#complete(socket, context);
  }

  receive(bytes: Uint8Array): void {
    if (this.#isClosed || this.state === 'failed' || bytes.length === 0) return;
    this.#inputBytes += bytes.length;
    if (this.#inputBytes > HANDSHAKE_BYTES_MAX) this.fail(tooManyBytes('peer', HANDSHAKE_BYTES_MAX));
    else this.pipe.push(bytes);
  }

  read(): Uint8Array | undefined {
    return this.#output.shift();
  }

  exportSecrets(): TrafficSecrets {
    if (this.#secrets === undefined) throw new Error('exportSecrets before the handshake is complete');
    return this.#secrets;
  }

  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.onProgress = undefined;
    this.#output = [];
    this.#release();
  }

  /** No more output: what TLS writes from here on is for nobody. */
  mute(): void {
    this.#isMuted = true;
  }

  /** TLS is done; `failure` is what is wrong with the peer all the same. Call at `secure` itself. */
  secure(socket: TLSSocket, failure: Failure | undefined, identity: string): void {
    if (this.state !== 'running' || this.#isClosed) return;
    if (failure !== undefined) {
      this.fail(failure);
      return;
    }
    this.peer = {
      identity: this.#side.isServer || this.#side.hasPsk ? identity : subjectOf(socket),
      alpn: ALPN,
    };
    if (this.#context === undefined) this.#waiting = socket;
    else this.#complete(socket, this.#context);
  }

  #complete(socket: TLSSocket, context: Uint8Array): void {
    this.#waiting = undefined;
    const bytes = socket.exportKeyingMaterial(2 * SECRET_BYTES, EXPORTER_LABEL, Buffer.from(context));
    this.#secrets = { client: bytes.subarray(0, SECRET_BYTES), server: bytes.subarray(SECRET_BYTES) };
    this.state = 'complete';
    this.#scheduleProgress();
  }

  /** OpenSSL or the stream gave up. */
  onError(cause: Error): void {
    this.fail(opensslFailure(this.#side, cause, this.#alertSent));
  }

  onClose(): void {
    if (this.state === 'running') this.fail(endedEarly(new Error('closed')));
  }

  /** Ends the handshake; the peer learns of it by the alert. Later calls change nothing. */
  fail({ error, alert }: Failure): void {
    if (this.state === 'failed' || this.#isClosed) return;
    this.state = 'failed';
    this.error = error;
    this.alert = alert;
    this.#waiting = undefined;
    this.#secrets = undefined;
    this.#sayAlert(alert);
    this.#isMuted = true;
    this.#release();
    this.#scheduleProgress();
  }

  /** TODO */
  #sayAlert(_alert: number): void {}

  #release(): void {
    // Only the pipe is touched: TLS closes itself after it, in its own order. See DESIGN D2 on dead sockets.
    this.pipe.destroy();
  }

  #onOutput(bytes: Buffer): void {
    if (this.#isMuted || this.#isClosed) return;
    this.#outputBytes += bytes.length;
    if (this.#outputBytes > HANDSHAKE_BYTES_MAX) {
      this.fail(tooManyBytes('own', HANDSHAKE_BYTES_MAX));
      return;
    }
    if (bytes.length === ALERT_RECORD_BYTES && bytes[0] === ALERT_RECORD && bytes[5] === FATAL)
      this.#alertSent = bytes[6];
    this.#output.push(new Uint8Array(bytes));
    this.#scheduleProgress();
  }

  /** Never from inside OpenSSL: the driver may well close this handshake in answer. */
  #scheduleProgress(): void {
    if (this.#isProgressScheduled || this.#isClosed) return;
    this.#isProgressScheduled = true;
    queueMicrotask(() => {
      this.#isProgressScheduled = false;
      this.onProgress?.();
    });
  }
}
