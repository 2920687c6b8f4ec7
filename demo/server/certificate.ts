/**
 * A certificate for https on a local network: browsers give cameras and codecs to secure pages only.
 * In: the names of this machine. Out: PEM texts, valid for a week; browsers ask once whether to trust it.
 */
import { isIP } from 'node:net';
import { hostname, networkInterfaces } from 'node:os';
import { generate } from 'selfsigned';

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

const DAY_MS = 86_400_000;
const DAYS = 7;
/** Kinds of names in a certificate. Source: RFC 5280 §4.2.1.6. */
const DNS_NAME = 2;
const IP_ADDRESS = 7;

/** @param host What the page is served at: it is in the certificate, as is every name and address of this machine. */
export async function createCertificate(host: string): Promise<Certificate> {
  const addresses = Object.values(networkInterfaces()).flatMap((list) =>
    (list ?? []).map(({ address }) => address.split('%')[0] as string),
  );
  const names = new Set([host, 'localhost', hostname(), ...addresses]);
  const altNames = [...names].map((name) =>
    isIP(name) === 0 ? { type: DNS_NAME as 2, value: name } : { type: IP_ADDRESS as 7, ip: name },
  );
  const now = Date.now();
  const { cert, private: key } = await generate([{ name: 'commonName', value: 'millrace demo' }], {
    keyType: 'ec',
    curve: 'P-256',
    algorithm: 'sha256',
    notBeforeDate: new Date(now - DAY_MS),
    notAfterDate: new Date(now + DAYS * DAY_MS),
    extensions: [{ name: 'subjectAltName', altNames }],
  });
  return { cert, key };
}
