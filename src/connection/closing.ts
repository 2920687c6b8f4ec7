/**
 * How a connection ends: what goes into CONNECTION_CLOSE, how often it is repeated, how long late packets are absorbed,
 * and what the application is told. The end is confirmed: whoever hears CONNECTION_CLOSE answers with one, and whoever
 * said it repeats it until then, so a lost one does not leave the peer waiting for its idle timeout.
 * Source: RFC 9000 §10.2, with the confirmation added.
 */
import { type ErrorCode, TransportError, WireError } from '../base/errors.ts';
import type { Micros } from '../base/protocol.ts';
import type { CloseFrame } from '../wire/control.ts';
import type { Closing } from './events.ts';

/** Repetitions of an unconfirmed CONNECTION_CLOSE, one probe timeout (doubling) apart. */
export const CLOSE_REPEATS_MAX = 5;
/** Application close code by which a listener says that the resource has its publisher already. */
export const BUSY_CODE = 0x42;

export type ClosePhase = 'open' | 'closing' | 'draining' | 'closed';

/** The close of one connection, as its own small state machine. */
export class CloseState {
  phase: ClosePhase = 'open';
  /** What we send while closing or draining. */
  frame: CloseFrame = { isApplication: false, errorCode: 0, reason: '' };
  /** A CONNECTION_CLOSE is to be sent now. */
  isDue = false;
  /** Repetitions left. */
  repeats: number = CLOSE_REPEATS_MAX;
  /** Doubles with every repetition, us. */
  intervalUs: Micros = 0;
}

/** What the application learns of a close that this end began. */
export function localClosing(frame: CloseFrame, error: TransportError | undefined): Closing {
  return { isLocal: true, ...frame, error };
}

/** What the application learns of the peer's close. */
export function remoteClosing(frame: CloseFrame, isHandshake: boolean): Closing {
  return { isLocal: false, ...frame, error: remoteError(frame, isHandshake) };
}

function remoteError(frame: CloseFrame, isHandshake: boolean): TransportError | undefined {
  const { isApplication, errorCode, reason } = frame;
  const said = reason === '' ? '' : `: ${reason}`;
  if (isApplication) {
    if (errorCode === 0 && !isHandshake) return undefined;
    const code: ErrorCode =
      errorCode === BUSY_CODE
        ? 'ERR_MILLRACE_BUSY'
        : isHandshake
          ? 'ERR_MILLRACE_REJECTED'
          : 'ERR_MILLRACE_PEER_CLOSED';
    const what =
      isHandshake || errorCode === BUSY_CODE ? 'the peer refused the call' : 'the peer closed the connection';
    return new TransportError(code, `${what} (code ${errorCode})${said}`, { wireCode: errorCode });
  }
  if (errorCode >= WireError.CRYPTO_ERROR && errorCode < WireError.CRYPTO_ERROR + 256) {
    return alertError(errorCode - WireError.CRYPTO_ERROR, reason);
  }
  if (errorCode === WireError.CONNECTION_REFUSED) {
    return new TransportError('ERR_MILLRACE_REJECTED', `the peer refused the call${said}`, {
      wireCode: errorCode,
    });
  }
  if (errorCode === WireError.NO_ERROR) return undefined;
  return new TransportError(
    'ERR_MILLRACE_PROTOCOL',
    `the peer found a protocol error (code ${errorCode})${said}`,
    {
      wireCode: errorCode,
    },
  );
}

/** TLS alerts about certificates: bad_certificate .. certificate_unknown, unknown_ca, certificate_required. */
function isCertificateAlert(alert: number): boolean {
  return (alert >= 42 && alert <= 46) || alert === 48 || alert === 116;
}

/** Alerts that mean different keys: bad_record_mac, handshake_failure, illegal_parameter (binder), decrypt_error, unknown_psk_identity. */
const KEY_ALERTS: ReadonlySet<number> = new Set([20, 40, 47, 51, 115]);

function alertError(alert: number, reason: string): TransportError {
  const wireCode = WireError.CRYPTO_ERROR + alert;
  const said = reason === '' ? '' : ` (the peer says: ${reason})`;
  if (isCertificateAlert(alert)) {
    return new TransportError(
      'ERR_MILLRACE_CERTIFICATE',
      `the peer does not accept this end's certificate; give one that it trusts${said}`,
      { wireCode },
    );
  }
  if (!KEY_ALERTS.has(alert)) {
    return new TransportError(
      'ERR_MILLRACE_HANDSHAKE',
      `the peer ended the handshake (TLS alert ${alert})${said}`,
      {
        wireCode,
      },
    );
  }
  return new TransportError(
    'ERR_MILLRACE_PASSPHRASE',
    `the peer refused the keys: give both ends the same passphrase, or the same kind of credentials${said}`,
    { wireCode },
  );
}
