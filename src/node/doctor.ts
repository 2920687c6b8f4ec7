/**
 * The listener's side of `millrace doctor`: answers a caller who measures the path, and hands it to nobody else. In: a
 * connection to the doctor's resource. Out: probes towards the caller, and what arrived of the caller's. Source:
 * docs/cli.md. A visit is short, its measurements are bounded, and one listener receives one visitor at a time.
 */
import { BUSY_CODE } from '../connection/closing.ts';
import type { Connection } from './connection.ts';
import { nowUs } from './driver.ts';
import { ProbeReceiver, type ProbeResult, type ProbesSent, sendGreedily, sendSteadily } from './probe.ts';

/** The resource that a doctor calls. */
export const DOCTOR_RESOURCE = '.millrace/doctor';
/** Application close codes: the listener was told not to answer; somebody else is being answered. */
export const DOCTOR_REFUSED_CODE = 0x45;
/** One measurement, and a whole visit, at the most. */
export const MEASUREMENT_MS_MAX = 5_000;
const VISIT_MS_MAX = 60_000;
const LINE_BYTES_MAX = 1_024;

/** What the caller asks for: both sides send for so long, steadily or as much as the path takes. */
export interface DoctorRequest {
  readonly kind: 'steady' | 'up' | 'down';
  readonly durationMs: number;
}

/** What the listener saw and did. */
export interface DoctorAnswer extends Readonly<ProbesSent> {
  readonly result: ProbeResult;
}

/** Longer than any datagram of the measurement is on its way. */
const SETTLE_MS = 400;

/** Sends and receives probes for one measurement. Used by both sides. */
export async function measure(
  connection: Connection,
  request: DoctorRequest,
  isCaller: boolean,
): Promise<DoctorAnswer> {
  const receiver = new ProbeReceiver();
  const reader = connection.datagrams[Symbol.asyncIterator]();
  const reading = (async () => {
    for (let next = await reader.next(); next.done !== true; next = await reader.next()) {
      receiver.onDatagram(next.value, nowUs());
    }
  })();
  const { kind, durationMs } = request;
  const isSending = kind === 'steady' || (kind === 'up') === isCaller;
  const send = kind === 'steady' ? sendSteadily : sendGreedily;
  const probes = isSending ? await send(connection, durationMs) : { sent: 0, unsent: 0 };
  const restMs = (isSending ? 0 : durationMs) + SETTLE_MS;
  await new Promise((resolve) => setTimeout(resolve, restMs));
  // The next datagram is of the next measurement.
  await reader.return?.();
  await reading;
  return { ...probes, result: receiver.result() };
}

/** Parses what a caller asks; undefined if it is nonsense. */
function parseRequest(text: string): DoctorRequest | undefined {
  try {
    const { kind, durationMs } = JSON.parse(text) as DoctorRequest;
    if (kind !== 'steady' && kind !== 'up' && kind !== 'down') return undefined;
    if (!(durationMs > 0 && durationMs <= MEASUREMENT_MS_MAX)) return undefined;
    return { kind, durationMs };
  } catch {
    return undefined;
  }
}

/** Reads a stream to its end as text; undefined if it is longer than `bytesMax`. */
export async function readText(
  stream: AsyncIterable<Uint8Array>,
  bytesMax: number,
): Promise<string | undefined> {
  const pieces: Uint8Array[] = [];
  let bytes = 0;
  for await (const piece of stream) {
    bytes += piece.length;
    if (bytes > bytesMax) return undefined;
    pieces.push(piece);
  }
  return Buffer.concat(pieces).toString();
}

/** Answers one visitor until it leaves. Never rejects. */
async function answerDoctor(connection: Connection): Promise<void> {
  const timer = setTimeout(() => void connection.close({ reason: 'the visit is over' }), VISIT_MS_MAX);
  try {
    for await (const stream of connection.incomingBidirectionalStreams) {
      const request = parseRequest((await readText(stream.readable, LINE_BYTES_MAX)) ?? '');
      if (request === undefined) {
        await connection.close({ closeCode: DOCTOR_REFUSED_CODE, reason: 'not a question of the doctor' });
        return;
      }
      const answer = await measure(connection, request, false);
      const writer = stream.writable.getWriter();
      await writer.write(Buffer.from(JSON.stringify(answer)));
      await writer.close();
    }
  } catch {
    // The visitor left in the middle of it.
  } finally {
    clearTimeout(timer);
  }
}

/** One visitor at a time: measurements of two would disturb each other. */
export class DoctorVisits {
  #isBusy = false;

  async take(connection: Connection): Promise<void> {
    if (this.#isBusy) {
      await connection.close({
        closeCode: BUSY_CODE,
        reason: 'somebody else is measuring; try again in a minute',
      });
      return;
    }
    this.#isBusy = true;
    await answerDoctor(connection);
    this.#isBusy = false;
  }
}
