/** The certificate that the demo makes for other machines on the network. */
import { X509Certificate } from 'node:crypto';
import { createSecureContext } from 'node:tls';
import { expect, it } from 'vitest';
import { createCertificate } from '../../demo/server/certificate.ts';

it('is valid today, for what was asked for and for this machine', async () => {
  const { cert, key } = await createCertificate('192.0.2.7');
  const certificate = new X509Certificate(cert);
  expect(certificate.checkIP('192.0.2.7')).toBe('192.0.2.7');
  expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1');
  expect(certificate.checkHost('localhost')).toBe('localhost');
  expect(certificate.checkHost('example.com')).toBeUndefined();
  expect(Date.parse(certificate.validFrom)).toBeLessThan(Date.now());
  expect(Date.parse(certificate.validTo)).toBeGreaterThan(Date.now());
  // Throws unless the key belongs to it.
  createSecureContext({ cert, key });
});

it('has another key each time', async () => {
  const [one, other] = await Promise.all([createCertificate('localhost'), createCertificate('localhost')]);
  expect(one.key).not.toBe(other.key);
});
