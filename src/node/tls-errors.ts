/**
 * What went wrong in a TLS handshake, in words for people, and the alert that stands for it. In: errors of OpenSSL and of
 * certificate verification, the kind of credentials at this end. Out: one `TransportError`, one alert number.
 * Source: RFC 8446 §6; DESIGN D2.
 */
import { type ErrorCode, TransportError } from '../base/errors.ts';

/** Alert numbers of RFC 8446 §6 that are told apart. */
const Alert = {
  UNEXPECTED_MESSAGE: 10,
  BAD_RECORD_MAC: 20,
  RECORD_OVERFLOW: 22,
  HANDSHAKE_FAILURE: 40,
  BAD_CERTIFICATE: 42,
  CERTIFICATE_REVOKED: 44,
  CERTIFICATE_EXPIRED: 45,
  CERTIFICATE_UNKNOWN: 46,
  ILLEGAL_PARAMETER: 47,
  UNKNOWN_CA: 48,
  DECODE_ERROR: 50,
  DECRYPT_ERROR: 51,
  PROTOCOL_VERSION: 70,
  INTERNAL_ERROR: 80,
  UNKNOWN_PSK_IDENTITY: 115,
  CERTIFICATE_REQUIRED: 116,
  NO_APPLICATION_PROTOCOL: 120,
} as const;

/** How this end authenticates. */
export interface Side {
  readonly isServer: boolean;
  /** Passphrase; else certificates. */
  readonly hasPsk: boolean;
  /** The name the peer's certificate must have, for messages. */
  readonly servername: string;
}

/** Why a handshake failed. */
export interface Failure {
  readonly error: TransportError;
  /** For CONNECTION_CLOSE. */
  readonly alert: number;
}

/** OpenSSL numbers a received alert 1000 + alert. */
const ALERT_REASON_BASE = 1000;

/** Alerts that OpenSSL sends with its own errors, where a plaintext record does not show them. */
const ALERT_OF_REASON: Readonly<Record<string, number>> = {
  ERR_SSL_BINDER_DOES_NOT_VERIFY: Alert.ILLEGAL_PARAMETER,
  ERR_SSL_BAD_RECORD_TYPE: Alert.UNEXPECTED_MESSAGE,
  ERR_SSL_UNEXPECTED_MESSAGE: Alert.UNEXPECTED_MESSAGE,
  ERR_SSL_UNEXPECTED_RECORD: Alert.UNEXPECTED_MESSAGE,
  ERR_SSL_DECRYPTION_FAILED_OR_BAD_RECORD_MAC: Alert.BAD_RECORD_MAC,
  ERR_SSL_ENCRYPTED_LENGTH_TOO_LONG: Alert.RECORD_OVERFLOW,
  ERR_SSL_PACKET_LENGTH_TOO_LONG: Alert.RECORD_OVERFLOW,
  ERR_SSL_DIGEST_CHECK_FAILED: Alert.DECRYPT_ERROR,
  ERR_SSL_BAD_SIGNATURE: Alert.DECRYPT_ERROR,
  ERR_SSL_LENGTH_MISMATCH: Alert.DECODE_ERROR,
  ERR_SSL_WRONG_VERSION_NUMBER: Alert.PROTOCOL_VERSION,
  ERR_SSL_UNSUPPORTED_PROTOCOL: Alert.PROTOCOL_VERSION,
  ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE: Alert.CERTIFICATE_REQUIRED,
  ERR_SSL_NO_APPLICATION_PROTOCOL: Alert.NO_APPLICATION_PROTOCOL,
};

function failure(code: ErrorCode, alert: number, message: string, cause?: unknown): Failure {
  return { error: new TransportError(code, message, cause === undefined ? {} : { cause }), alert };
}

/** An error that OpenSSL reported: our own finding, or an alert of the peer's. @param alert Seen in what was sent. */
export function opensslFailure(side: Side, cause: Error, alert: number | undefined): Failure {
  const received = receivedAlert(cause);
  if (received !== undefined) return alertFailure(side, received, cause);
  const { code = '' } = cause as NodeJS.ErrnoException;
  if (!code.startsWith('ERR_SSL_')) return endedEarly(cause);
  const number = alert ?? ALERT_OF_REASON[code] ?? Alert.HANDSHAKE_FAILURE;
  switch (code) {
    case 'ERR_SSL_BINDER_DOES_NOT_VERIFY':
      return passphraseDiffers(number, cause);
    case 'ERR_SSL_NO_SUITABLE_SIGNATURE_ALGORITHM':
    case 'ERR_SSL_NO_SHARED_CIPHER':
      if (side.isServer && side.hasPsk) return callerWithoutPassphrase(number, cause);
      break;
    case 'ERR_SSL_PEER_DID_NOT_RETURN_A_CERTIFICATE':
      return certificateMissing(side, cause);
    case 'ERR_SSL_NO_APPLICATION_PROTOCOL':
      return wrongProtocol(side, cause);
    default:
  }
  const { reason = cause.message } = cause as { reason?: string };
  const text = `the TLS handshake failed: ${oneLine(reason)}; check that the peer is millrace and of this version`;
  return failure('ERR_MILLRACE_HANDSHAKE', number, text, cause);
}

/** The alert an OpenSSL error says the peer sent. */
function receivedAlert(cause: Error): number | undefined {
  const match = /error:[0-9A-F]{2}([0-9A-F]{6}):/i.exec(cause.message);
  const alert = match === null ? -1 : Number.parseInt(match[1] as string, 16) - ALERT_REASON_BASE;
  return alert >= 0 && alert <= 255 ? alert : undefined;
}

/** The peer gave up and said why. */
function alertFailure(side: Side, alert: number, cause: Error): Failure {
  switch (alert) {
    case Alert.ILLEGAL_PARAMETER:
    case Alert.DECRYPT_ERROR:
      if (side.hasPsk) return passphraseDiffers(alert, cause);
      break;
    case Alert.UNKNOWN_PSK_IDENTITY:
      return failure(
        'ERR_MILLRACE_PASSPHRASE',
        alert,
        'the listener knows no passphrase for this identity; use one that it knows',
        cause,
      );
    case Alert.HANDSHAKE_FAILURE:
      return failure('ERR_MILLRACE_PASSPHRASE', alert, mixedText(side), cause);
    case Alert.CERTIFICATE_REQUIRED:
      return failure(
        'ERR_MILLRACE_CERTIFICATE',
        alert,
        'the listener demands a certificate of its callers; give `cert` and `key`',
        cause,
      );
    case Alert.CERTIFICATE_EXPIRED:
      return failure(
        'ERR_MILLRACE_CERTIFICATE',
        alert,
        'the peer says that the certificate of this end has expired; renew it',
        cause,
      );
    case Alert.NO_APPLICATION_PROTOCOL:
      return wrongProtocol(side, cause);
    default:
      if ((alert >= 42 && alert <= 46) || alert === Alert.UNKNOWN_CA) {
        return failure(
          'ERR_MILLRACE_CERTIFICATE',
          alert,
          'the peer does not accept the certificate of this end; give one that it trusts, or give the peer its CA or pin',
          cause,
        );
      }
  }
  const text = `the peer ended the TLS handshake with alert ${alert}; check that it is millrace and of this version`;
  return failure('ERR_MILLRACE_HANDSHAKE', alert, text, cause);
}

/** handshake_failure from the peer: nothing in common, so most likely one passphrase and one certificate. */
function mixedText({ isServer, hasPsk }: Side): string {
  if (isServer) {
    return hasPsk
      ? 'the caller ended the handshake; give both ends the same passphrase'
      : 'the caller refused a certificate; call this listener without a passphrase';
  }
  return hasPsk
    ? 'the listener refused the call; it does not know this passphrase or identity'
    : 'the listener refused a call without passphrase; it most likely has one: give the same';
}

/** Both hold a PSK, and they are not the same. */
function passphraseDiffers(alert: number, cause?: unknown): Failure {
  return failure(
    'ERR_MILLRACE_PASSPHRASE',
    alert,
    'the passphrase differs; give both ends the same one',
    cause,
  );
}

/** A passphrase listener was called without one. */
function callerWithoutPassphrase(alert: number, cause: unknown): Failure {
  const text = 'the caller gave no passphrase, and this listener has one; give the caller the same';
  return failure('ERR_MILLRACE_PASSPHRASE', alert, text, cause);
}

/** A listener looked the identity up and found no passphrase. */
export function unknownIdentity(identity: string, cause: unknown): Failure {
  const text = `no passphrase is known for the identity ${JSON.stringify(identity)}; add it or correct the caller's`;
  return failure('ERR_MILLRACE_PASSPHRASE', Alert.HANDSHAKE_FAILURE, text, cause);
}

/** At the end of the handshake the PSK turns out not to have been used. */
export function notByPassphrase({ isServer }: Side): Failure {
  const text = isServer
    ? 'the caller did not prove that it knows the passphrase; give it the same one'
    : 'the listener has a certificate and not this passphrase; call it without one, or check that it is the right listener';
  return failure('ERR_MILLRACE_PASSPHRASE', Alert.HANDSHAKE_FAILURE, text);
}

/** ALPN found nothing in common. */
export function wrongProtocol({ isServer }: Side, cause?: unknown): Failure {
  const text = `the ${isServer ? 'caller' : 'listener'} does not speak millrace/1; check address, port and versions`;
  return failure('ERR_MILLRACE_HANDSHAKE', Alert.NO_APPLICATION_PROTOCOL, text, cause);
}

/** More handshake bytes than any honest handshake has. */
export function tooManyBytes(whose: 'peer' | 'own', max: number): Failure {
  const text =
    whose === 'peer'
      ? `the peer sent more than ${max} bytes of handshake`
      : `this end has more than ${max} bytes of handshake; shorten its certificate chain`;
  return failure('ERR_MILLRACE_HANDSHAKE', Alert.INTERNAL_ERROR, text);
}

/** The transport below TLS went away. */
export function endedEarly(cause: Error): Failure {
  const text = `the TLS handshake ended early: ${oneLine(cause.message)}; try again`;
  return failure('ERR_MILLRACE_HANDSHAKE', Alert.INTERNAL_ERROR, text, cause);
}

/** The peer's certificate has another fingerprint. */
export function pinDiffers(side: Side, found: string): Failure {
  const text = `the certificate of the ${peerName(side)} is not the pinned one but sha256:${found}; check the pin`;
  return failure('ERR_MILLRACE_CERTIFICATE', Alert.BAD_CERTIFICATE, text);
}

/** A peer that must show a certificate showed none. */
export function certificateMissing({ isServer }: Side, cause?: unknown): Failure {
  const text = isServer
    ? 'the caller has no certificate, and this listener demands one; give the caller `cert` and `key`'
    : 'the listener has no certificate; check that it is the right listener';
  return failure('ERR_MILLRACE_CERTIFICATE', Alert.CERTIFICATE_REQUIRED, text, cause);
}

/** Verification of the peer's certificate failed. @param reason X509 or Node error code, as `authorizationError`. */
export function untrusted(side: Side, reason: string): Failure {
  const whose = `the certificate of the ${peerName(side)}`;
  switch (reason) {
    case 'CERT_HAS_EXPIRED':
      return certificate(Alert.CERTIFICATE_EXPIRED, `${whose} has expired; renew it`);
    case 'CERT_NOT_YET_VALID':
      return certificate(
        Alert.CERTIFICATE_EXPIRED,
        `${whose} is not valid yet; check the clocks of both ends`,
      );
    case 'CERT_REVOKED':
      return certificate(Alert.CERTIFICATE_REVOKED, `${whose} was revoked; renew it`);
    case 'ERR_TLS_CERT_ALTNAME_INVALID':
    case 'HOSTNAME_MISMATCH':
      return certificate(
        Alert.BAD_CERTIFICATE,
        `${whose} is not for ${side.servername}; call it by a name in the certificate, or set \`servername\``,
      );
    default:
      return certificate(
        Alert.UNKNOWN_CA,
        `${whose} is not trusted (${reason}); give its CA as \`ca\`${side.isServer ? '' : ', or its `pin`'}`,
      );
  }
}

function certificate(alert: number, text: string): Failure {
  return failure('ERR_MILLRACE_CERTIFICATE', alert, text);
}

function peerName({ isServer }: Side): string {
  return isServer ? 'caller' : 'listener';
}

function oneLine(text: string): string {
  return text.trim().split('\n', 1)[0] as string;
}
