/** `connect`: from a URI to a connection that is ready. In: URI, options. Out: a connection, or one error with a code. */
import { TransportError } from '../base/errors.ts';
import type { Micros } from '../base/protocol.ts';
import type { SharedOptions } from '../endpoint.ts';
import { IDENTITY_BYTES_MAX } from '../wire/parameters.ts';
import { Connection, DEFAULT_LATENCY_MS } from './connection.ts';
import { type CallerCredentials, callerCredentials } from './credentials.ts';
import { deferred } from './deferred.ts';
import { Driver, nowUs } from './driver.ts';
import { inRange } from './in-range.ts';
import { routeOfCaller } from './known-rates.ts';
import { type ResolvedHost, resolveHost } from './resolve.ts';
import { sharedOptions, type TransportOptions } from './shared-options.ts';
import { checkSignal } from './signal.ts';
import { parseTarget, type Target } from './target.ts';
import { createClientHandshake } from './tls.ts';

export type { Target } from './target.ts';

/** What a caller gives. Milliseconds. */
export interface ConnectOptions extends TransportOptions, CallerCredentials {
  /** Give up when nobody has answered for so long; default 5000. */
  readonly timeout?: number | undefined;
  /** Ends the attempt. */
  readonly signal?: AbortSignal | undefined;
}

/**
 * Calls a listener.
 *
 * @param target `millrace://host:port/resource?latency=120&passphrase=...`, or its parts. Options win over the URI.
 * @returns A connection whose keys are agreed: media may be sent at once.
 * @throws TypeError, RangeError for bad options; TransportError ERR_MILLRACE_UNKNOWN_HOST, _UNREACHABLE (no route to the
 * peer: at once, call again later; a connection that is open outlives that), _REFUSED, _TIMEOUT, _PASSPHRASE,
 * _CERTIFICATE, _REJECTED, _BUSY, _VERSION, _HANDSHAKE, _ABORTED.
 */
export async function connect(target: string | Target, options: ConnectOptions = {}): Promise<Connection> {
  const { host, port, resource, ...fromUri } = parseTarget(target);
  const merged: ConnectOptions = { ...fromUri, ...withoutUndefined(options) };
  const timeoutMs = inRange(merged.timeout, 'timeout', 1, 600_000, 5000);
  const { identity = '', signal } = merged;
  checkSignal(signal);
  if (Buffer.byteLength(identity) > IDENTITY_BYTES_MAX) {
    throw new RangeError(`identity has more than ${IDENTITY_BYTES_MAX} bytes`);
  }
  const route: Route = { now: () => '' };
  const shared = sharedOptions(merged, timeoutMs, { resource, identity }, () => route.now());
  throwIfAborted(signal);
  const startedUs = nowUs();
  let isLookedUp = false;
  const looking = resolveHost(host).finally(() => {
    isLookedUp = true;
  });
  const lateText = (): string => tooLate(isLookedUp, timeoutMs);
  const prepared = Promise.all([callerCredentials(merged, host), looking]);
  const [credentials, addresses] = await within(prepared, timeoutMs, signal, lateText);
  const call: Call = { merged, resource, port, shared, route, startedUs, credentials };
  for (const address of addresses.slice(0, -1)) {
    try {
      return await dial(call, address);
    } catch (error) {
      if (!ELSEWHERE.has((error as TransportError).code)) throw error;
    }
  }
  return dial(call, addresses.at(-1) as ResolvedHost);
}

/**
 * What is learnt at once of an address where nobody listens, without a way to it, or of a family that this system has not:
 * the host may have another one (`localhost` often has two).
 */
const ELSEWHERE: ReadonlySet<string> = new Set([
  'ERR_MILLRACE_REFUSED',
  'ERR_MILLRACE_UNREACHABLE',
  'ERR_MILLRACE_ADDRESS',
]);

/** What the rate that the path carries is remembered under: known once a socket is open. */
interface Route {
  now: () => string;
}

/** What is the same for every address of a host. */
interface Call {
  readonly merged: ConnectOptions;
  readonly resource: string;
  readonly port: number;
  readonly shared: SharedOptions;
  readonly route: Route;
  /** When the look-up began: its time counts. */
  readonly startedUs: Micros;
  readonly credentials: Parameters<typeof createClientHandshake>[0];
}

/** Calls one address. */
async function dial(call: Call, address: ResolvedHost): Promise<Connection> {
  const { merged, resource, port, shared, route, startedUs, credentials } = call;
  const { signal, faults } = merged;
  const remote = { host: address.address, port };
  const driver = await Driver.open({ port: 0, family: address.family, remote, faults }, shared);
  route.now = () => routeOfCaller(driver.socket.address.host, remote);
  let handshake: ReturnType<typeof createClientHandshake>;
  try {
    throwIfAborted(signal);
    handshake = createClientHandshake(credentials);
  } catch (error) {
    driver.closeNow();
    throw error;
  }
  let connection!: Connection;
  const core = driver.dial({ handshake, path: 0 }, startedUs, (dialed) => {
    connection = new Connection({
      core: dialed,
      resource,
      remoteAddress: remote,
      latency: merged.latency ?? DEFAULT_LATENCY_MS,
      wake: () => driver.wake(dialed),
      addressNow: () => remote,
      routeNow: route.now,
      strayDatagrams: () => driver.endpoint.counters.unroutable,
    });
    return connection;
  });
  handshake.onProgress = () => {
    connection.identity = handshake.peer.identity;
    core.handshakeProgress(nowUs());
    driver.wake(core);
  };
  driver.closeWhenIdle();
  await untilReady(connection, signal);
  return connection;
}

/** What the attempt waited for before its first datagram. An address is looked up at once; a key takes its time. */
function tooLate(isLookedUp: boolean, timeoutMs: number): string {
  const seconds = timeoutMs / 1000;
  return isLookedUp
    ? `the key of the passphrase was not ready within ${seconds} s; this machine is busy, or the timeout is short`
    : `no answer from the name service within ${seconds} s; check the network`;
}

/** What comes before the first datagram must not outlast the attempt either: a name server may be silent. */
async function within<T>(
  work: Promise<T>,
  timeoutMs: number,
  signal: AbortSignal | undefined,
  lateText: () => string,
): Promise<T> {
  const { promise, reject } = deferred<never>();
  const onAbort = (): void => reject(abortError(signal));
  const onLate = (): void => reject(new TransportError('ERR_MILLRACE_TIMEOUT', lateText()));
  let timer: NodeJS.Timeout | undefined;
  try {
    timer = setTimeout(onLate, timeoutMs);
    signal?.addEventListener('abort', onAbort, { once: true });
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
    signal?.removeEventListener('abort', onAbort);
  }
}

async function untilReady(connection: Connection, signal: AbortSignal | undefined): Promise<void> {
  const aborted = deferred<never>();
  const onAbort = (): void => {
    connection.fail(abortError(signal));
  };
  signal?.addEventListener('abort', onAbort, { once: true });
  try {
    await Promise.race([connection.ready, aborted.promise]);
  } finally {
    signal?.removeEventListener('abort', onAbort);
  }
}

function abortError(signal: AbortSignal | undefined): TransportError {
  return new TransportError('ERR_MILLRACE_ABORTED', 'the attempt was aborted', { cause: signal?.reason });
}

function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw abortError(signal);
}

function withoutUndefined<T extends object>(options: T): T {
  return Object.fromEntries(Object.entries(options).filter(([, value]) => value !== undefined)) as T;
}
