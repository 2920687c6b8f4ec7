/**
 * Connections for a command: one call (again and again with `--reconnect`), or whoever calls. In: the MILLRACE URI and
 * the options. Out: connections, one `serve` each, with the LISTENING and READY lines on stderr. Source: docs/cli.md.
 */
import { type ErrorCode, TransportError } from '../base/errors.ts';
import {
  BUSY_CODE,
  type CallRequest,
  type Connection,
  connect,
  type Listener,
  type ListenOptions,
  listen,
  type TransportOptions,
  type Verdict,
} from '../index.ts';
import { DOCTOR_RESOURCE } from '../node/doctor.ts';
import { setUsualStartRate } from '../node/known-rates.ts';
import type { Credentials } from './credentials.ts';
import { describeError } from './errors.ts';
import type { CliOptions } from './option-values.ts';
import { type Clock, systemClock } from './pace.ts';
import { formatAddress, type MillraceUri } from './uri.ts';

export interface SessionPlan {
  readonly uri: MillraceUri;
  readonly options: CliOptions;
  readonly credentials: Credentials;
  /** Bit/s to begin with unless `--start-bitrate` says otherwise. */
  readonly startBitrate: number | undefined;
  /** Bit/s to begin with towards a peer that is not known yet, where neither is said. */
  readonly usualStartBitrate?: number | undefined;
  /** How live tracks of the peer's are delivered; undefined = as it says. */
  readonly delivery?: 'asap' | 'timed' | undefined;
  /** Listening: refuses a caller before the handshake. */
  readonly admit: (request: CallRequest) => Verdict;
  /** A line on stderr. */
  readonly note: (line: string) => void;
  /** Ends the session; connections are for `serve` to close. */
  readonly signal: AbortSignal;
  readonly clock?: Clock;
}

const TIMEOUT_MS = 5_000;
const RETRY_FIRST_MS = 500;
const RETRY_MAX_MS = 4_000;
/** Failures that calling again cannot cure. */
const FATAL: readonly ErrorCode[] = [
  'ERR_MILLRACE_PASSPHRASE',
  'ERR_MILLRACE_CERTIFICATE',
  'ERR_MILLRACE_REJECTED',
  'ERR_MILLRACE_VERSION',
  'ERR_MILLRACE_IO',
  'ERR_MILLRACE_ABORTED',
  'ERR_MILLRACE_INTERNAL',
];
/** Application code for a resource that this listener does not have. */
export const NO_RESOURCE_CODE = 0x44;

/** A listener with a resource in its URI serves that one only; one without serves any. */
export function hasResource(uri: MillraceUri, request: CallRequest): boolean {
  return uri.resource === '' || uri.resource === request.resource;
}

/** The verdict on a caller who comes while the listener says good-bye to the others: it may try again. */
const CLOSING: Verdict = { reject: { code: BUSY_CODE, reason: 'the listener is closing' } };

/** The verdict on a caller who wants another resource. */
export const NO_RESOURCE: Verdict = {
  reject: { code: NO_RESOURCE_CODE, reason: 'there is no such resource here' },
};

/**
 * Serves connections until the session is over: a call ends with its connection, a listener with the signal or when
 * `serve` resolves to true. Rejects with the first failure that nothing cures.
 *
 * @param serve Runs for as long as its connection is of interest; true = the session is over.
 */
export async function runSession(
  plan: SessionPlan,
  serve: (connection: Connection) => Promise<boolean>,
): Promise<void> {
  if (plan.usualStartBitrate !== undefined) setUsualStartRate(plan.usualStartBitrate);
  return plan.uri.mode === 'call' ? runCalls(plan, serve) : runListener(plan, serve);
}

async function runCalls(
  plan: SessionPlan,
  serve: (connection: Connection) => Promise<boolean>,
): Promise<void> {
  const { uri, options, signal } = plan;
  const { requestCert: _, ...credentials } = plan.credentials;
  const address = formatAddress(uri.host, uri.port);
  let pauseMs = RETRY_FIRST_MS;
  let wasServed = false;
  while (!signal.aborted) {
    try {
      const connection = await connect(
        { host: uri.host, port: uri.port, resource: uri.resource },
        { ...transportOptions(plan), ...credentials, timeout: options.timeout ?? TIMEOUT_MS, signal },
      );
      plan.note(`READY ${address}`);
      pauseMs = RETRY_FIRST_MS;
      wasServed = true;
      if (await serve(connection)) return;
      if (options.reconnect !== true) return;
    } catch (error) {
      const code = error instanceof TransportError ? error.code : undefined;
      if (signal.aborted && code === 'ERR_MILLRACE_ABORTED') return;
      // A connection that failed while the session was ending has failed all the same: a file may not have arrived.
      // What was read of a file cannot be read again: another call would get the rest of it alone.
      const isHalfSent = wasServed && options.pace === 'off';
      const isFatal = signal.aborted || code === undefined || FATAL.includes(code) || isHalfSent;
      if (isFatal || options.reconnect !== true) throw error;
      plan.note(`${describeError(error, false)}; calling again in ${pauseMs} ms`);
    }
    const clock = plan.clock ?? systemClock;
    await clock.waitUntil(clock.nowUs() + pauseMs * 1000, signal);
    pauseMs = Math.min(RETRY_MAX_MS, pauseMs * 2);
  }
}

async function runListener(
  plan: SessionPlan,
  serve: (connection: Connection) => Promise<boolean>,
): Promise<void> {
  let isOver = false;
  const listener = await listen({
    ...transportOptions(plan),
    ...plan.credentials,
    ...(plan.uri.host === '' ? {} : { host: plan.uri.host }),
    port: plan.uri.port,
    doctor: plan.options.doctor !== false,
    authorize: (request) => {
      if (isOver || plan.signal.aborted) return CLOSING;
      return request.resource === DOCTOR_RESOURCE || plan.admit(request);
    },
    onCallerFailed: (error, { host, port }) => {
      // A caller that fell silent is no news, and may be many.
      if (error.code === 'ERR_MILLRACE_TIMEOUT') return;
      plan.note(`${describeError(error, false)} (caller ${formatAddress(host, port)})`);
    },
  } satisfies ListenOptions);
  plan.note(`LISTENING ${formatAddress(listener.address.host, listener.address.port)}`);
  const serving = new Set<Promise<void>>();
  let failure: unknown;
  const stop = endOf(plan.signal, listener);
  for await (const connection of stop.connections) {
    plan.note(`READY ${formatAddress(connection.remoteAddress.host, connection.remoteAddress.port)}`);
    const task = serve(connection).then(
      (isLast) => {
        if (!isLast) return;
        isOver = true;
        stop.now();
      },
      (error: unknown) => {
        failure ??= error;
        isOver = true;
        stop.now();
      },
    );
    serving.add(task);
    void task.then(() => serving.delete(task));
  }
  await Promise.all(serving);
  await listener.close();
  if (failure !== undefined) throw failure;
}

/** The listener's connections until the signal fires or `now` is called. */
function endOf(
  signal: AbortSignal,
  listener: Listener,
): { connections: AsyncIterable<Connection>; now: () => void } {
  let stop = (): void => {};
  const stopped = new Promise<undefined>((resolve) => {
    stop = () => resolve(undefined);
  });
  if (signal.aborted) stop();
  signal.addEventListener('abort', stop, { once: true });
  async function* connections(): AsyncGenerator<Connection> {
    const source = listener[Symbol.asyncIterator]();
    for (;;) {
      const next = await Promise.race([source.next(), stopped]);
      if (next === undefined || next.done === true) return;
      yield next.value;
    }
  }
  return { connections: connections(), now: stop };
}

function transportOptions(plan: SessionPlan): TransportOptions {
  const { options } = plan;
  return {
    ...(options.latency === undefined ? {} : { latency: options.latency }),
    startBitrate: options.startBitrate ?? plan.startBitrate,
    delivery: plan.delivery,
    ...(options.inject === undefined ? {} : { faults: options.inject }),
  };
}
