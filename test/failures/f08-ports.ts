/**
 * F8: a reset because nothing listened on the port. Here a closed port fails at once and says so, a silent host at the
 * timeout with another error. On loopback, in real time: the kernel says that a port is closed, and no simulator does.
 */
import { createSocket } from 'node:dgram';
import { connect } from '../../src/node/connect.ts';
import { freePort } from '../helpers/free-port.ts';
import type { Measured, SocketCase } from './case.ts';

export const PASSPHRASE = 'correct horse battery';
/** Far more than a closed port takes. */
const PATIENCE_MS = 60_000;
const TIMEOUT_MS = 300;
/** Timers count whole milliseconds, and may round down. */
const EARLY_MS = 10;
/** Most of it is the passphrase's scrypt, on a slow machine. */
const MOST_MS = 5_000;

/** Calls, and throws unless it fails with `code`. The figure is how long that took, ms. */
async function fails(port: number, timeout: number, code: string): Promise<Measured> {
  const startedAt = performance.now();
  const error: { code?: string; message: string } = await connect(
    { host: '127.0.0.1', port },
    { passphrase: PASSPHRASE, timeout },
  ).then(
    () => new Error('it connected'),
    (reason: Error) => reason,
  );
  if (error.code !== code) throw new Error(`${error.code ?? error.message} instead of ${code}`);
  return { value: performance.now() - startedAt };
}

export const ports: readonly SocketCase[] = [
  {
    row: 'F8',
    name: 'a closed port, on loopback',
    figure: 'until ERR_MILLRACE_REFUSED, real time',
    unit: 'ms',
    most: MOST_MS,
    seedsMax: 5,
    run: async () => fails(await freePort(), PATIENCE_MS, 'ERR_MILLRACE_REFUSED'),
  },
  {
    row: 'F8',
    name: `a silent host, on loopback, timeout ${TIMEOUT_MS} ms`,
    figure: 'until ERR_MILLRACE_TIMEOUT, real time',
    unit: 'ms',
    most: MOST_MS,
    seedsMax: 5,
    run: async () => {
      const socket = createSocket('udp4');
      await new Promise<void>((resolve) => socket.bind(0, '127.0.0.1', resolve));
      try {
        const measured = await fails(socket.address().port, TIMEOUT_MS, 'ERR_MILLRACE_TIMEOUT');
        if (measured.value < TIMEOUT_MS - EARLY_MS) throw new Error(`it gave up after ${measured.value} ms`);
        return measured;
      } finally {
        socket.close();
      }
    },
  },
];
