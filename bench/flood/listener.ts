/** The end under test: takes the caller's media; says how late each frame was, what it answered and what it holds. */
import process from 'node:process';
import { type Connection, type Listener, listen } from '../../src/index.ts';
import { bytesInUse } from '../../test/helpers/memory.ts';
import { HOST, machineUs, PASSPHRASE } from './media.ts';

/** What the listener says of a stretch of time. */
export interface Stretch {
  readonly seconds: number;
  readonly frames: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
  /** Processor time of the process, share of one core. */
  readonly cpuShare: number;
  /** First packets that a handshake was begun for. */
  readonly handshakes: number;
  /** First packets that were answered by a Retry. */
  readonly retries: number;
}

/** What it can be asked; `begin` is answered by 0, the last two by bytes and by a number of handshakes under way. */
export type Question = 'begin' | 'end' | 'memory' | 'handshakes';

interface Count {
  readonly atUs: number;
  readonly cpuUs: number;
  readonly handshakes: number;
  readonly retries: number;
}

/** Frames of the present stretch. */
let latenciesMs: number[] = [];
/** Callers that were let go on, from the start. */
let callers = 0;

async function receive(connection: Connection): Promise<void> {
  for await (const track of connection.incomingTracks) {
    void (async () => {
      for await (const frame of track) latenciesMs.push((machineUs() - frame.timestamp) / 1000);
    })();
  }
}

function count(listener: Listener): Count {
  const { user, system } = process.cpuUsage();
  const { retriesSent: retries } = listener.getStats();
  return { atUs: machineUs(), cpuUs: user + system, handshakes: callers, retries };
}

function stretch(from: Count, to: Count): Stretch {
  latenciesMs.sort((a, b) => a - b);
  const at = (share: number): number => latenciesMs[Math.floor(latenciesMs.length * share)] ?? Number.NaN;
  const tookUs = to.atUs - from.atUs;
  return {
    seconds: tookUs / 1e6,
    frames: latenciesMs.length,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
    maxMs: latenciesMs.at(-1) ?? Number.NaN,
    cpuShare: (to.cpuUs - from.cpuUs) / tookUs,
    handshakes: to.handshakes - from.handshakes,
    retries: to.retries - from.retries,
  };
}

/** Runs until the process is ended. */
export async function serve(): Promise<void> {
  const authorize = (): true => {
    callers++;
    return true;
  };
  const listener = await listen({ host: HOST, passphrase: PASSPHRASE, authorize });
  let began = count(listener);
  const answer = (question: Question): Stretch | number => {
    if (question === 'handshakes') return listener.getStats().handshakes;
    const result = question === 'end' ? stretch(began, count(listener)) : 0;
    latenciesMs = [];
    if (question === 'memory') return bytesInUse();
    began = count(listener);
    return result;
  };
  process.on('message', (question) => process.send?.(answer(question as Question)));
  process.send?.(listener.address.port);
  for await (const connection of listener) void receive(connection);
}
