/**
 * A certificate for https on a local network, made by openssl: browsers give cameras and codecs to secure pages only.
 * In: the names of this machine. Out: PEM texts, valid for a week; browsers ask once whether to trust it.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { hostname, networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';

export interface Certificate {
  readonly cert: string;
  readonly key: string;
}

/** @throws Error in plain words where openssl is missing. */
export function createCertificate(): Certificate {
  const folder = mkdtempSync(join(tmpdir(), 'millrace-certificate-'));
  const addresses = Object.values(networkInterfaces()).flatMap((list) =>
    (list ?? []).map(({ address }) => address),
  );
  const names = [
    'DNS:localhost',
    `DNS:${hostname()}`,
    ...addresses.map((address) => `IP:${address.split('%')[0]}`),
  ];
  const [cert, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')];
  try {
    const request = [
      'req',
      '-x509',
      '-newkey',
      'ec',
      '-pkeyopt',
      'ec_paramgen_curve:P-256',
      '-nodes',
      '-days',
      '7',
    ];
    const subject = ['-subj', '/CN=millrace demo', '-addext', `subjectAltName=${names.join(',')}`];
    execFileSync('openssl', [...request, ...subject, '-out', cert, '-keyout', key], { stdio: 'pipe' });
    return { cert: readFileSync(cert, 'utf8'), key: readFileSync(key, 'utf8') };
  } catch (cause) {
    throw new Error(
      '--host needs the program openssl, which makes the certificate for https: please install it',
      {
        cause,
      },
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
