/**
 * One end of one TLS handshake as the core sees it: bytes of CRYPTO frames in, bytes for CRYPTO frames out, a verdict,
 * secrets. TLS itself reads and writes `pipe`. Source: DESIGN D2; RFC 8446 §7.5.
 */
import { Duplex } from 'node:stream';
import type { TLSSocket } from 'node:tls';
import type { TransportError } from '../base/errors.ts';
import type { Handshake, PeerIdentity, TrafficSecrets } from '../crypto/handshake.ts';
import { SECRET_BYTES } from '../crypto/protection.ts';
import { endedEarly, type Failure, opensslFailure, type Side, tooManyBytes } from './tls-errors.ts';

/** The protocol of docs/wire-format.md, version 1, as ALPN names it. */
export const ALPN = 'millrace/1';
const EXPORTER_LABEL = 'EXPORTER-millrace/1';
/** Handshake bytes either end may send (DESIGN §6). */
const HANDSHAKE_BYTES_MAX = 65_536;
const ALERT_RECORD = 21;
const FATAL = 2;
/** type, version, length, level, description. */
const ALERT_RECORD_BYTES = 7;

/** A fatal alert as a plaintext record (RFC 8446 §5.1, §6). */
function alertRecord(alert: number): Uint8Array {
  return Uint8Array.of(ALERT_RECORD, 3, 3, 0, 2, FATAL, alert);
}

/** One end of one handshake. The factories above give it its socket's events. */
export class TlsHandshake implements Handshake {
  state: 'running' | 'complete' | 'failed' = 'running';
  error: TransportError | undefined;
  alert: number | undefined;
  peer: PeerIdentity = { identity: '', alpn: '' };
  onProgress: (() => void) | undefined;
  /** What TLS takes for its network. */
  readonly pipe: Duplex;
  /** How this end authenticates. */
  readonly side: Side;
  #output: Uint8Array[] = [];
  #inputBytes = 0;
  #outputBytes = 0;
  /** The last alert OpenSSL wrote in the clear. */
  #alertSent: number | undefined;
  #context: Uint8Array | undefined;
  #secrets: TrafficSecrets | undefined;
  /** Authenticated, and only the exporter context is missing. */
  #waiting: TLSSocket | undefined;
  /** Node is still at work on the last write. */
  #isWriting = false;
  /** Input that came meanwhile. */
  #held: Buffer[] = [];
  #isMuted = false;
  #isClosed = false;
  #isProgressScheduled = false;

  constructor(side: Side) {
    this.side = side;
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
    if (this.#isClosed || this.pipe.destroyed || bytes.length === 0) return;
    this.#inputBytes += bytes.length;
    if (this.#inputBytes > HANDSHAKE_BYTES_MAX) this.fail(tooManyBytes('peer', HANDSHAKE_BYTES_MAX));
    else if (this.#isWriting) this.#held.push(Buffer.from(bytes));
    else this.pipe.push(Buffer.from(bytes));
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
    this.peer = { identity, alpn: ALPN };
    if (this.#context === undefined) this.#waiting = socket;
    else this.#complete(socket, this.#context);
  }

  #complete(socket: TLSSocket, context: Uint8Array): void {
    this.#waiting = undefined;
    const bytes = socket.exportKeyingMaterial(2 * SECRET_BYTES, EXPORTER_LABEL, Buffer.from(context));
    this.#secrets = { client: bytes.subarray(0, SECRET_BYTES), server: bytes.subarray(SECRET_BYTES) };
    this.state = 'complete';
    // A server has nothing more to learn from TLS; a client may still be told that its certificate is refused.
    if (this.side.isServer) this.#release();
    this.#scheduleProgress();
  }

  /** OpenSSL or the stream gave up. */
  onError(cause: Error): void {
    this.fail(opensslFailure(this.side, cause, this.#alertSent), true);
  }

  onClose(): void {
    if (this.state === 'running') this.fail(endedEarly(new Error('closed')));
  }

  /**
   * Ends the handshake; the peer learns of it by the alert. Later calls change nothing.
   * @param isByOpenssl OpenSSL has written its alert, or has got one.
   */
  fail({ error, alert }: Failure, isByOpenssl = false): void {
    // A server that is complete has let TLS go; what it still says concerns nobody.
    const isOver = this.state === 'failed' || (this.state === 'complete' && this.side.isServer);
    if (isOver || this.#isClosed) return;
    if (!isByOpenssl && this.#mayAlertInTheClear) this.#output.push(alertRecord(alert));
    this.state = 'failed';
    this.error = error;
    this.alert = alert;
    this.#waiting = undefined;
    this.#secrets = undefined;
    this.#isMuted = true;
    this.#release();
    this.#scheduleProgress();
  }

  /**
   * OpenSSL does not know of our own verdicts, and writes no alert for them. A server takes one in the clear until the
   * client's first sealed record, a client until the server's first flight. Later, CONNECTION_CLOSE alone tells.
   */
  get #mayAlertInTheClear(): boolean {
    return this.side.isServer
      ? this.#outputBytes === 0
      : this.state === 'running' && this.#waiting === undefined;
  }

  #release(): void {
    // Only the pipe is touched, and TLS closes itself after it in its own order: methods of a dying socket crash Node 20.
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
    this.#holdInput();
    this.#scheduleProgress();
  }

  /**
   * Node ends a write to a stream in JavaScript one turn of the event loop later, and drops the alert of a failure in
   * between. A peer is never that near except in tests and on loopback.
   */
  #holdInput(): void {
    if (this.#isWriting) return;
    this.#isWriting = true;
    // Node asks for its turn only after this call, so it has it between these two.
    setImmediate(() =>
      setImmediate(() => {
        this.#isWriting = false;
        for (const bytes of this.#held.splice(0)) if (!this.pipe.destroyed) this.pipe.push(bytes);
      }),
    );
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
