/**
 * `millrace doctor MILLRACE`: calls a listener, measures the path both ways, and says what it found and what latency to
 * choose. In: arguments. Out: lines for people, or one JSON object, on stdout. Source: docs/cli.md.
 */
import { connect as connectTcp } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { type ErrorCode, TransportError } from '../base/errors.ts';
import { type Connection, connect } from '../index.ts';
import { DOCTOR_RESOURCE, type DoctorAnswer, type DoctorRequest, measure, readText } from '../node/doctor.ts';
import { withoutUnsent } from '../node/probe.ts';
import { readCredentials } from './credentials.ts';
import { type DoctorFindings, describeFindings, recommendLatency, type UdpVerdict } from './doctor-report.ts';
import { describeError, UsageError } from './errors.ts';
import type { CliIo } from './io.ts';
import { applyUriParameters, parseOptions } from './options.ts';
import { printable } from './printable.ts';
import { isMillraceUri, parseMillraceUri } from './uri.ts';

const TIMEOUT_MS = 5_000;
const DURATION_MS = 3_000;
/** A path that says nothing for so long in the middle of it has died, ms. */
const SILENCE_MS = 10_000;
/** Rate control finds its rate within this share of a measurement's time. */
const CAPACITY_SHARE = 2 / 3;
/** How often the doctor looks how late its own timers are. */
const LATENESS_STEP_MS = 10;
const MOVE_MS = 3_000;
const TCP_MS = 1_000;
const ANSWER_BYTES_MAX = 4_096;
const START_BITRATE = 4e6;

/** Runs the command. Rejects, after the findings, when the path does not carry a connection. */
export async function runDoctor(args: readonly string[], io: CliIo): Promise<void> {
  const { options: given, positionals } = parseOptions('doctor', args);
  const [target] = positionals;
  if (positionals.length !== 1 || target === undefined || !isMillraceUri(target)) {
    throw new UsageError('doctor needs whom to call: millrace doctor millrace://HOST:PORT');
  }
  const uri = parseMillraceUri(target);
  if (uri.mode === 'listen')
    throw new UsageError('the doctor calls: write millrace doctor millrace://HOST:PORT');
  const options = applyUriParameters(given, uri.parameters);
  const { requestCert: _, ...credentials } = readCredentials(uri, options, io.env);
  const show = (findings: DoctorFindings): void => {
    const lines = options.json === true ? [JSON.stringify(findings)] : describeFindings(findings);
    const text = lines.map(printable).join('\n');
    io.stdout.write(`${text}\n`);
  };
  let connection: Connection;
  try {
    connection = await connect(
      { host: uri.host, port: uri.port, resource: DOCTOR_RESOURCE },
      {
        ...credentials,
        startBitrate: options.startBitrate ?? START_BITRATE,
        timeout: options.timeout ?? TIMEOUT_MS,
        idleTimeout: SILENCE_MS,
        ...(options.inject === undefined ? {} : { faults: options.inject }),
      },
    );
  } catch (error) {
    if (!(error instanceof TransportError)) throw error;
    show({ udp: verdictOf(error.code), reason: error.code, message: error.message });
    if (error.code === 'ERR_MILLRACE_TIMEOUT' && (await answersTcp(uri.host, uri.port))) {
      io.stderr.write(
        'the host is up, it answers TCP: UDP, or its datagrams of 1200 bytes, are stopped on the way, or what listens there keeps silent\n',
      );
    }
    throw error;
  }
  io.onSignal(() => void connection.close());
  const findings: Found = { udp: 'passes' };
  let now = '';
  const note = (line: string): void => {
    now = line;
    io.stderr.write(`${line}\n`);
  };
  try {
    await examine(connection, options.duration ?? DURATION_MS, findings, note);
    show(findings);
  } catch (error) {
    // What has been measured is worth as much as before.
    const cause = await whyEnded(connection, error);
    show({ ...findings, reason: cause.code, message: cause.message, endedWhile: now });
    throw cause;
  } finally {
    await connection.close();
  }
}

/** Asks the listener for one measurement, and does this side's part of it. */
async function ask(
  connection: Connection,
  request: DoctorRequest,
): Promise<{ up: DoctorAnswer; down: DoctorAnswer }> {
  const stream = await connection.createBidirectionalStream();
  const writer = stream.writable.getWriter();
  await writer.write(Buffer.from(JSON.stringify(request)));
  await writer.close();
  const down = await measure(connection, request, true);
  const text = await readText(stream.readable, ANSWER_BYTES_MAX);
  return { up: JSON.parse(text ?? '') as DoctorAnswer, down };
}

type Found = { -readonly [Key in keyof DoctorFindings]: DoctorFindings[Key] };

/** What is known of UDP when no connection comes about. */
function verdictOf(code: ErrorCode): UdpVerdict {
  switch (code) {
    case 'ERR_MILLRACE_REFUSED':
      return 'closed';
    case 'ERR_MILLRACE_TIMEOUT':
      return 'unanswered';
    case 'ERR_MILLRACE_UNKNOWN_HOST':
    case 'ERR_MILLRACE_UNREACHABLE':
    case 'ERR_MILLRACE_ADDRESS':
    case 'ERR_MILLRACE_ABORTED':
      return 'untried';
    default:
      // Somebody has answered, and said no.
      return 'passes';
  }
}

/** What ended the connection says more than what it broke. */
async function whyEnded(connection: Connection, error: unknown): Promise<TransportError> {
  const closed = connection.closed.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  const reason = (await Promise.race([closed, sleep(0)])) ?? error;
  if (reason instanceof TransportError) return reason;
  return new TransportError('ERR_MILLRACE_INTERNAL', String(reason), { cause: reason });
}

/** Fills in `findings`, one measurement after the other: they count even if the path dies. */
async function examine(
  connection: Connection,
  durationMs: number,
  findings: Found,
  note: (line: string) => void,
): Promise<void> {
  note('measuring loss, delay and reordering');
  const lateness = monitorEventLoopDelay({ resolution: LATENESS_STEP_MS });
  lateness.enable();
  const steady = await ask(connection, { kind: 'steady', durationMs });
  lateness.disable();
  const busyMs = Math.max(0, lateness.percentile(95) / 1e6 - LATENESS_STEP_MS);
  const steadyUp = withoutUnsent(steady.up.result, steady.down);
  const steadyDown = withoutUnsent(steady.down.result, steady.up);
  const { rttMs, minRttMs } = connection.stats();
  const lossRatio = Math.max(steadyUp.lossRatio, steadyDown.lossRatio);
  const jitterMs = Math.max(steadyUp.jitterP95Ms, steadyDown.jitterP95Ms);
  Object.assign(findings, {
    rttMs,
    minRttMs,
    steadyUp,
    steadyDown,
    unsent: steady.down.unsent + steady.up.unsent,
    busyMs: Number(busyMs.toFixed(1)),
    latencyMs: recommendLatency(minRttMs, lossRatio, jitterMs),
  } satisfies Partial<DoctorFindings>);
  // Before the path is filled: what is lost then is lost by the measurement.
  findings.diagnosis = (await connection.report()).diagnosis;
  note('measuring capacity');
  const down = (await ask(connection, { kind: 'down', durationMs: durationMs * CAPACITY_SHARE })).down.result;
  const up = (await ask(connection, { kind: 'up', durationMs: durationMs * CAPACITY_SHARE })).up.result;
  Object.assign(findings, {
    capacityUpBps: up.bitsPerSecond,
    capacityDownBps: down.bitsPerSecond,
    capacityUpLossRatio: up.lossRatio,
    capacityDownLossRatio: down.lossRatio,
    datagramBytes: connection.stats().datagramBytes,
  } satisfies Partial<DoctorFindings>);
  note('changing the port');
  findings.rebinding = await survivesMove(connection, note);
}

/**
 * The same connection from another port: what a device on the path does when it forgets a flow. Throws if the path has died
 * without that.
 */
async function survivesMove(
  connection: Connection,
  note: (line: string) => void,
): Promise<'survived' | 'failed'> {
  let isMoved: boolean;
  try {
    const moved = connection.migrate().then(() => true);
    isMoved = await Promise.race([moved, sleep(MOVE_MS, false, { ref: false })]);
    if (await answers(connection)) return isMoved ? 'survived' : 'failed';
  } catch (error) {
    note(describeError(error, false));
    return 'failed';
  }
  if (isMoved) return 'failed';
  throw new TransportError('ERR_MILLRACE_IDLE_TIMEOUT', 'the peer fell silent');
}

async function answers(connection: Connection): Promise<boolean> {
  const report = connection.report().then(() => true);
  return await Promise.race([report, sleep(MOVE_MS, false, { ref: false })]);
}

/** True if the host answers TCP at that port, be it with a refusal. */
async function answersTcp(host: string, port: number): Promise<boolean> {
  const socket = connectTcp({ host, port, timeout: TCP_MS });
  try {
    return await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true));
      socket.once('timeout', () => resolve(false));
      socket.once('error', (error: NodeJS.ErrnoException) => resolve(error.code === 'ECONNREFUSED'));
    });
  } finally {
    socket.destroy();
  }
}
