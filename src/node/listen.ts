/** `listen`: one UDP socket for many callers. In: options. Out: connections whose callers are authenticated. */
import { createHmac } from 'node:crypto';
import { inspect } from 'node:util';
import { TransportError } from '../base/errors.ts';
import type { PathId } from '../base/protocol.ts';
import type { Connection as Core } from '../connection/connection.ts';
import type { EndpointCounters } from '../endpoint.ts';
import { admit, type CallRequest, REFUSED_CODE, type Verdict } from './admission.ts';
import { type CloseInfo, checkCloseInfo } from './close-info.ts';
import { Connection, DEFAULT_LATENCY_MS } from './connection.ts';
import { type Credentials, checkListener } from './credentials.ts';
import { AsyncQueue } from './deferred.ts';
import { DOCTOR_REFUSED_CODE, DOCTOR_RESOURCE, DoctorVisits } from './doctor.ts';
import { type Accept, Driver, nowUs } from './driver.ts';
import { inRange } from './in-range.ts';
import { routeOfListener } from './known-rates.ts';
import { logOnce } from './log.ts';
import type { Address } from './paths.ts';
import { resolveHost } from './resolve.ts';
import { sharedOptions, type TransportOptions } from './shared-options.ts';
import { checkSignal } from './signal.ts';

/** What a listener is made with. Milliseconds. */
export interface ListenOptions extends TransportOptions, Credentials {
  /** Local address; default: all of them, IPv4 and IPv6. */
  readonly host?: string | undefined;
  /** Default 0: the system chooses. */
  readonly port?: number | undefined;
  /** Demand a certificate from callers, signed by `ca`. */
  readonly requestCert?: boolean | undefined;
  /** Decides about each caller before TLS begins. Default: everyone with the right credentials. */
  readonly authorize?: ((request: CallRequest) => Verdict | Promise<Verdict>) | undefined;
  /**
   * Told of each caller whose handshake failed (another passphrase, no certificate); for logs. What it
   * throws is told as a warning of the process, once, and ends nothing: any stranger could bring it about.
   */
  readonly onCallerFailed?: ((error: TransportError, address: Address) => void) | undefined;
  /** Closes the listener. */
  readonly signal?: AbortSignal | undefined;
  /**
   * A secret of at least 16 characters that stays the same over restarts: callers then learn at once that a restarted
   * listener, on the same host and port, does not know them any more, and need not wait for their idle timeout. It belongs
   * to this one listener: whoever sees a connection to one of two that share it could end that with the other's help.
   * Default: another one each time.
   */
  readonly resetKey?: string | undefined;
  /**
   * False: `millrace doctor` is refused. By default it is answered like any caller with the right credentials: it measures
   * the path, one visitor at a time, and `incoming` tells nothing of it. `authorize` is asked about its resource too.
   */
  readonly doctor?: boolean | undefined;
}

/** Callers wait this long for `for await` to take them; beyond it the oldest is closed. */
const BACKLOG = 1024;
const HANDSHAKE_TIMEOUT_MS = 10_000;
const RESET_KEY_LENGTH_MIN = 16;
const ALPN = 'millrace/1';

/** Counters of a listener, from its start. */
export interface ListenerStats extends Readonly<EndpointCounters> {
  /** Connections of the moment, handshakes included. */
  readonly connections: number;
  /** Handshakes under way. */
  readonly handshakes: number;
}

/** Iterate for connections that are ready. */
export class Listener implements AsyncIterable<Connection>, AsyncDisposable {
  readonly #driver: Driver;
  readonly #ready: AsyncQueue<Connection>;
  readonly #live: Set<Connection>;

  /** @internal Made by `listen` only. */
  constructor(driver: Driver, ready: AsyncQueue<Connection>, live: Set<Connection>) {
    this.#driver = driver;
    this.#ready = ready;
    this.#live = live;
  }

  /** The local address; the real port when 0 was asked. */
  get address(): Address {
    return this.#driver.socket.address;
  }

  /** What came that belongs to no connection, and what was answered to it; how many there are. */
  getStats(): ListenerStats {
    const { counters, count, halfOpenCount } = this.#driver.endpoint;
    return { ...counters, connections: count, handshakes: halfOpenCount };
  }

  [Symbol.asyncIterator](): AsyncIterator<Connection> {
    return this.#ready[Symbol.asyncIterator]();
  }

  /**
   * Takes no more callers, closes every connection, then the socket: the port is free when it is fulfilled. Callers in the
   * middle of a handshake are told once.
   *
   * @throws RangeError, TypeError for a code or reason that does not travel; nothing is closed then.
   */
  async close(info: CloseInfo = {}): Promise<void> {
    const checked = checkCloseInfo(info);
    this.#driver.endpoint.stopAccepting();
    this.#ready.end();
    const closing: Promise<void>[] = [];
    for (const connection of this.#live) {
      const closed = connection.close(checked);
      if (connection.hasKeys) closing.push(closed);
    }
    await Promise.all(closing);
    this.#driver.forgetCallers();
    this.#driver.closeWhenIdle();
    await this.#driver.closed;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/**
 * Listens for callers.
 *
 * @throws TypeError, RangeError for bad options; TransportError ERR_MILLRACE_ADDRESS if the address cannot be bound.
 */
export async function listen(options: ListenOptions = {}): Promise<Listener> {
  checkListener(options);
  checkSignal(options.signal);
  const port = inRange(options.port, 'port', 0, 65_535, 0);
  throwIfAborted(options.signal);
  let driver!: Driver;
  const routeOf = (path: PathId): string => routeOfListener(driver.socket.paths.describe(path));
  const shared = sharedOptions(options, HANDSHAKE_TIMEOUT_MS, {}, routeOf);
  const ready = new AsyncQueue<Connection>(
    BACKLOG,
    (connection) => void connection.close({ closeCode: REFUSED_CODE }),
  );
  const live = new Set<Connection>();
  const visits = new DoctorVisits();
  const accept = (core: Core, address: string): Connection => {
    const connection = new Connection({
      core,
      resource: '',
      remoteAddress: driver.socket.paths.describe(core.path),
      latency: options.latency ?? DEFAULT_LATENCY_MS,
      wake: () => driver.wake(core),
      addressNow: () => driver.addressOf(core),
      routeNow: () => routeOfListener(connection.remoteAddress),
    });
    live.add(connection);
    connection.addEventListener('close', () => live.delete(connection), { once: true });
    connection.onIncoming = (resource, identity) => {
      if (resource === DOCTOR_RESOURCE && options.doctor === false) {
        core.close(true, DOCTOR_REFUSED_CODE, 'this listener answers no doctor', nowUs());
        driver.wake(core);
        return;
      }
      void admit(options, driver, core, connection, { resource, identity, alpn: ALPN, address });
    };
    connection.ready
      .then(
        () => {
          if (connection.resource === DOCTOR_RESOURCE) void visits.take(connection);
          else ready.push(connection);
        },
        async (error: TransportError) => {
          // Our own refusal is no failure of the caller.
          if (error.code !== 'ERR_MILLRACE_CLOSED')
            await options.onCallerFailed?.(error, connection.remoteAddress);
        },
      )
      // Any stranger can bring it about: it must not end the process.
      .catch((thrown) => logOnce('onCallerFailed', `onCallerFailed failed: ${inspect(thrown)}`));
    return connection;
  };
  const resetKey = resetKeyOf(options, port);
  driver = await open(options.host, port, options, shared, { onCaller: accept, resetKey });
  const listener = new Listener(driver, ready, live);
  const close = (): void => void listener.close({ reason: 'the listener was closed' });
  if (isAborted(options.signal)) close();
  options.signal?.addEventListener('abort', close, { once: true });
  void driver.closed.then(() => options.signal?.removeEventListener('abort', close));
  return listener;
}

function isAborted(signal: AbortSignal | undefined): boolean {
  return signal?.aborted === true;
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (!isAborted(signal)) return;
  const message = 'the listener was aborted before it began';
  throw new TransportError('ERR_MILLRACE_ABORTED', message, { cause: signal?.reason });
}

/**
 * What stateless reset tokens are made with; undefined: at random. Connection IDs travel in the clear, so two listeners that
 * make the same token of one would let an observer ask this for that one's (RFC 9000 §21.11): hence host and port.
 */
function resetKeyOf({ resetKey, host = '' }: ListenOptions, port: number): Uint8Array | undefined {
  if (resetKey === undefined) return undefined;
  if (typeof resetKey !== 'string' || resetKey.length < RESET_KEY_LENGTH_MIN) {
    throw new RangeError(`resetKey has at least ${RESET_KEY_LENGTH_MIN} characters`);
  }
  // Callers of before would not find a listener that has another port each time.
  if (port === 0) return undefined;
  return createHmac('sha256', resetKey).update(`millrace reset key ${host} ${port}`).digest();
}

/** All addresses: one socket for IPv6 and IPv4 where the system has both, else IPv4. */
async function open(
  host: string | undefined,
  port: number,
  options: ListenOptions,
  shared: Parameters<typeof Driver.open>[1],
  accept: Accept,
): Promise<Driver> {
  const { faults } = options;
  if (host !== undefined && host !== '') {
    const [{ address, family }] = await resolveHost(host);
    return Driver.open({ host: address, port, family, faults }, shared, accept);
  }
  try {
    return await Driver.open({ host: '::', port, family: 6, faults }, shared, accept);
  } catch (error) {
    const cause = (error as TransportError).cause as NodeJS.ErrnoException | undefined;
    if (cause?.code !== 'EAFNOSUPPORT' && cause?.code !== 'EADDRNOTAVAIL') throw error;
    return Driver.open({ host: '0.0.0.0', port, family: 4, faults }, shared, accept);
  }
}
