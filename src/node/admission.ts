/**
 * Who is let in: asks `authorize` about a caller, then gives it its TLS side. In: what the caller says. Out: a handshake,
 * or a refusal. Whatever is not plainly a yes is a no. Source: docs/api.md.
 */
import { inspect } from 'node:util';
import type { Connection as Core } from '../connection/connection.ts';
import { checkCloseInfo } from './close-info.ts';
import type { Connection } from './connection.ts';
import { type Credentials, listenerCredentials } from './credentials.ts';
import { type Driver, nowUs } from './driver.ts';
import { logOnce } from './log.ts';
import { createServerHandshake } from './tls.ts';

/** What is known of a caller before TLS begins. */
export interface CallRequest {
  /** The path of the URI that was called. */
  readonly resource: string;
  /** Who the caller says it is; proven only once the handshake is complete. */
  readonly identity: string;
  readonly alpn: string;
  readonly address: string;
}

/**
 * `true`: go on. A string: the passphrase of that identity. An object: refused; the caller sees code and reason. Anything
 * else, `false` and nothing at all among it, is a refusal too.
 */
export type Verdict = true | string | { readonly reject: { readonly code: number; readonly reason: string } };

/** The part of a listener's options that decides about callers. */
interface Admission extends Credentials {
  readonly requestCert?: boolean | undefined;
  readonly authorize?: ((request: CallRequest) => unknown) | undefined;
}

/** Application code of a refusal that `authorize` gave none for. */
export const REFUSED_CODE = 1;

/** Asks `authorize`, then gives the caller its TLS side. Never rejects. */
export async function admit(
  admission: Admission,
  driver: Driver,
  core: Core,
  connection: Connection,
  request: CallRequest,
): Promise<void> {
  try {
    const verdict = admission.authorize === undefined ? true : await admission.authorize(request);
    if (verdict === true || typeof verdict === 'string') {
      await answer(admission, driver, core, connection, request.identity, verdict);
    } else {
      const { closeCode, reason } = refusalOf(verdict);
      core.close(true, closeCode, reason, nowUs());
    }
  } catch (error) {
    // Whatever went wrong here is the listener's own affair: the caller learns that it was refused.
    const why = error instanceof Error ? error.message : inspect(error);
    logOnce('authorize', `a caller was refused because the listener could not decide: ${why}`);
    core.close(true, REFUSED_CODE, 'the listener could not decide', nowUs());
  }
  driver.wake(core);
}

/** @param verdict What `authorize` gave, if it was no yes. @throws TypeError, RangeError if it was no verdict either. */
function refusalOf(verdict: unknown): { closeCode: number; reason: string } {
  if (verdict === false) return { closeCode: REFUSED_CODE, reason: '' };
  const { code, reason = '' } =
    (verdict as { reject?: { code: number; reason?: string } } | null | undefined)?.reject ?? {};
  if (code === undefined) {
    throw new TypeError('authorize gives true, a passphrase or { reject: { code, reason } }');
  }
  return checkCloseInfo({ closeCode: code, reason });
}

async function answer(
  admission: Admission,
  driver: Driver,
  core: Core,
  connection: Connection,
  identity: string,
  verdict: true | string,
): Promise<void> {
  // Both kinds on one listener would let in whoever has either.
  if (verdict !== true && admission.cert !== undefined)
    throw new TypeError('authorize gave a passphrase, and the listener has a certificate');
  const passphrase = verdict === true ? admission.passphrase : verdict;
  const handshake = createServerHandshake(await listenerCredentials(admission, passphrase, identity));
  handshake.onProgress = () => {
    connection.identity = handshake.peer.identity;
    core.handshakeProgress(nowUs());
    driver.wake(core);
  };
  core.attachHandshake(handshake, nowUs());
}
