/** Certificates for tests, PEM: fixtures of test/vectors/certs, whose make.sh says how they came about. */
import { createHash, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';

function pem(name: string): string {
  return readFileSync(new URL(`../vectors/certs/${name}.pem`, import.meta.url), 'utf8');
}

/** A certificate and its private key. */
export interface CertificateAndKey {
  readonly cert: string;
  readonly key: string;
}

function pair(name: string): CertificateAndKey {
  return { cert: pem(`${name}.cert`), key: pem(`${name}.key`) };
}

/** What the tests trust. */
export const ca: string = pem('ca.cert');
/** Signed by `ca` for localhost, 127.0.0.1 and ::1. */
export const server: CertificateAndKey = pair('server');
/** The same, but it expired in 2021. */
export const expired: CertificateAndKey = pair('expired');
/** The same names, signed by an authority that no test trusts. */
export const untrusted: CertificateAndKey = pair('untrusted');
/** A caller's, signed by `ca`: subject `CN=camera 1`. */
export const client: CertificateAndKey = pair('client');
/** A caller's, signed by an authority that no test trusts. */
export const untrustedClient: CertificateAndKey = pair('untrusted-client');

/** The pin of a certificate: `sha256:` and the hash of its DER form. */
export function pinOf(cert: string): string {
  return `sha256:${createHash('sha256').update(new X509Certificate(cert).raw).digest('hex')}`;
}
