/**
 * `millrace doctor MILLRACE`: calls a listener, measures the path both ways, and says what it found and what latency to
 * choose. In: arguments. Out: lines for people, or one JSON object, on stdout. Source: docs/cli.md.
 */
import { connect as connectTcp } from 'node:net';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout as sleep } from 'node:timers/promises';
import { TransportError } from '../base/errors.ts';
import { type Connection, connect } from '../index.ts';
import { DOCTOR_RESOURCE, type DoctorAnswer, type DoctorRequest, measure, readText } from '../node/doctor.ts';
import { withoutUnsent } from '../node/probe.ts';
import { readCredentials } from './credentials.ts';
import { type DoctorFindings, describeFindings, recommendLatency } from './doctor-report.ts';
import { describeError, UsageError } from './errors.ts';
import type { CliIo } from './io.ts';
import { applyUriParameters, parseOptions } from './options.ts';
import { isMillraceUri, parseMillraceUri } from './uri.ts';

const TIMEOUT_MS = 5_000;
const DURATION_MS = 3_000;
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
    const text = options.json === true ? JSON.stringify(findings) : describeFindings(findings).join('\n');
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
        ...(options.inject === undefined ? {} : { faults: options.inject }),
      },
    );
  } catch (error) {
    const code = error instanceof TransportError ? error.code : '';
    if (code === 'ERR_MILLRACE_REFUSED') show({ udp: 'closed' });
    else if (code === 'ERR_MILLRACE_TIMEOUT') {
      show({ udp: 'unanswered' });
      if (await answersTcp(uri.host, uri.port))
        io.stderr.write(
          'the host is up, it answers TCP: UDP is stopped on the way, or what listens there keeps silent\n',
        );
    }
    throw error;
  }
  io.onSignal(() => void connection.close());
  try {
    show(await examine(connection, options.duration ?? DURATION_MS, (line) => io.stderr.write(`${line}\n`)));
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

async function examine(
  connection: Connection,
  durationMs: number,
  note: (line: string) => void,
): Promise<DoctorFindings> {
  note('measuring loss, delay and reordering');
  const lateness = monitorEventLoopDelay({ resolution: LATENESS_STEP_MS });
  lateness.enable();
  const steady = await ask(connection, { kind: 'steady', durationMs });
  lateness.disable();
  const busyMs = Math.max(0, lateness.percentile(95) / 1e6 - LATENESS_STEP_MS);
  const steadyUp = withoutUnsent(steady.up.result, steady.down);
  const steadyDown = withoutUnsent(steady.down.result, steady.up);
  const { rttMs, minRttMs } = connection.stats();
  note('measuring capacity');
  const down = await ask(connection, { kind: 'down', durationMs: durationMs * CAPACITY_SHARE });
  const up = await ask(connection, { kind: 'up', durationMs: durationMs * CAPACITY_SHARE });
  const { datagramBytes } = connection.stats();
  const { diagnosis } = await connection.report();
  note('changing the port');
  const rebinding = await survivesMove(connection, note);
  const lossRatio = Math.max(steadyUp.lossRatio, steadyDown.lossRatio);
  const jitterMs = Math.max(steadyUp.jitterP95Ms, steadyDown.jitterP95Ms);
  return {
    udp: 'passes',
    rttMs,
    minRttMs,
    datagramBytes,
    steadyUp,
    steadyDown,
    unsent: steady.down.unsent + steady.up.unsent,
    busyMs: Number(busyMs.toFixed(1)),
    capacityUpBps: up.up.result.bitsPerSecond,
    capacityDownBps: down.down.result.bitsPerSecond,
    rebinding,
    diagnosis,
    latencyMs: recommendLatency(minRttMs, lossRatio, jitterMs),
  };
}

/** The same connection from another port: what a device on the path does when it forgets a flow. */
async function survivesMove(
  connection: Connection,
  note: (line: string) => void,
): Promise<'survived' | 'failed'> {
  try {
    const moved = connection.migrate().then(() => true);
    const isMoved = await Promise.race([moved, sleep(MOVE_MS, false, { ref: false })]);
    if (!isMoved) return 'failed';
    await Promise.race([
      connection.report(),
      sleep(MOVE_MS).then(() => Promise.reject(new Error('silence'))),
    ]);
    return 'survived';
  } catch (error) {
    note(describeError(error, false));
    return 'failed';
  }
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
