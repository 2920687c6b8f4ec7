/**
 * Question: does a packet cost more when there are more tracks, or more packets in flight?
 * Workload: two core connections back to back in memory. Tracks: the same media frames of 20 packets,
 * one a millisecond, by 1, 10, 100 tracks in turn. In flight: streams fill a window of 10^2 to 10^5 packets, which is acknowledged a
 * packet for a packet, so that so many are always in flight. Both ends' work counts, but no AEAD, which
 * would hide a part. A bad answer: more than 1.3 times the cost of the smallest.
 * Method: rounds in which all sizes take turns within milliseconds; medians; a busy machine slows all of them.
 * Usage: `npm run bench:scale -- --help`.
 */
import { writeFileSync } from 'node:fs';
import process from 'node:process';
import { MILLISECOND } from '../../src/base/protocol.ts';
import { benchCommand } from '../report/command-line.ts';
import { Ends } from './ends.ts';

const RATIO_MAX = 1.3;
/** Packets per turn of one size: about 10 ms. */
const PACKETS = 2_000;
const PACKET_BYTES = 1200;

/** A size under test: `turn` handles `PACKETS` packets and returns the nanoseconds each took. */
interface Case {
  readonly size: number;
  turn(): number;
}

function tracksCase(size: number): Case {
  const ends = new Ends(size);
  ends.window.bytes = 1000 * PACKET_BYTES;
  const { client, server } = ends;
  const tracks = Array.from({ length: size }, () =>
    client.tracks.openLive({ kind: 'video', latencyUs: 120 * MILLISECOND }),
  );
  const data = new Uint8Array(20 * 1100).fill(7);
  let next = 0;
  const turn = (): number => {
    const before = ends.sent;
    const startedAt = process.hrtime.bigint();
    while (ends.sent - before < PACKETS) {
      ends.tick(MILLISECOND);
      const track = tracks[next++ % size];
      track?.send(data, { timestampUs: ends.now, keyFrame: false, discardable: false }, ends.now);
      if (track !== undefined) client.onMediaQueued(track, ends.now);
      ends.transfer(client, server);
      ends.transfer(server, client);
    }
    return Number(process.hrtime.bigint() - startedAt) / (ends.sent - before);
  };
  return { size, turn };
}

function flightCase(size: number): Case {
  const ends = new Ends(1);
  const { client, server } = ends;
  // A stream holds at most 32 MiB: five can fill the largest window.
  const streams = Array.from({ length: 5 }, () => client.streams.open('unidirectional'));
  const data = new Uint8Array(65_536).fill(7);
  ends.window.bytes = size * PACKET_BYTES;
  // Datagrams on their way: as many as are in flight.
  const line: Uint8Array[] = [];
  const out = new Uint8Array(2048);
  let head = 0;
  const fill = (): void => {
    for (const stream of streams) while ((stream?.writableBytes ?? 0) >= data.length) stream?.write(data);
  };
  const put = (): void => {
    fill();
    for (
      let bytes = client.pollTransmit(out, ends.now);
      bytes > 0;
      bytes = client.pollTransmit(out, ends.now)
    ) {
      line.push(out.slice(0, bytes));
      if (++ends.sent % 16 === 0) fill();
    }
    ends.events(client);
  };
  const take = (count: number): void => {
    for (let i = 0; i < count && head < line.length; i++) {
      server.handleDatagram(line[head] as Uint8Array, 0, ends.now);
      line[head++] = EMPTY;
      ends.events(server);
      if (i % 16 === 15) ends.transfer(server, client);
    }
    ends.transfer(server, client);
    if (head < 200_000) return;
    line.splice(0, head);
    head = 0;
  };
  for (let i = 0; i < 20 + size / 50 && line.length - head < size; i++) {
    // The pacer lets go what the time allows.
    ends.tick(MILLISECOND);
    put();
  }
  const inFlight = client.state.recovery.bytesInFlight / PACKET_BYTES;
  if (inFlight < 0.95 * size) throw new Error(`${inFlight} packets in flight instead of ${size}`);
  const turn = (): number => {
    const before = ends.sent;
    const startedAt = process.hrtime.bigint();
    while (ends.sent - before < PACKETS) {
      ends.tick(MILLISECOND);
      take(100);
      put();
    }
    return Number(process.hrtime.bigint() - startedAt) / (ends.sent - before);
  };
  return { size, turn };
}

const EMPTY = new Uint8Array(0);

interface Row {
  readonly size: number;
  readonly nsPerPacket: number;
  readonly ratio: number;
}

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[values.length >> 1] as number;
}

/** All sizes take turns; the first rounds warm up. The ratio is the median of each round's own ratios. */
function compare(cases: readonly Case[], rounds: number): readonly Row[] {
  const costs = cases.map(() => [] as number[]);
  const warmUp = Math.ceil(rounds / 4);
  for (let round = 0; round < rounds + warmUp; round++) {
    cases.forEach(({ turn }, index) => {
      const cost = turn();
      if (round >= warmUp) (costs[index] as number[]).push(cost);
    });
  }
  const smallest = costs[0] as number[];
  return cases.map(({ size }, index) => {
    const own = costs[index] as number[];
    const ratios = own.map((cost, round) => cost / (smallest[round] as number));
    return { size, nsPerPacket: median(own), ratio: median(ratios) };
  });
}

function print(title: string, rows: readonly Row[]): boolean {
  console.log(title);
  for (const { size, nsPerPacket, ratio } of rows) {
    const verdict = ratio <= RATIO_MAX ? '' : '   TOO MUCH';
    console.log(
      `${String(size).padStart(8)}   ${nsPerPacket.toFixed(0).padStart(7)} ns   ${ratio.toFixed(2)}${verdict}`,
    );
  }
  return rows.every(({ ratio }) => ratio <= RATIO_MAX);
}

const { values, refuse } = benchCommand({
  script: 'bench:scale',
  options: {
    json: { type: 'string', value: 'FILE', what: 'figures as data' },
    rounds: { type: 'string', value: 'N', default: '40', what: 'turns of each size' },
  },
});
const rounds = Number(values.rounds);
if (!Number.isSafeInteger(rounds) || rounds < 1) refuse('--rounds is a positive integer');
const tracks = compare([1, 10, 100].map(tracksCase), rounds);
const areTracksGood = print('tracks: cost of a packet, ratio to the smallest', tracks);
const inFlight = compare([100, 1_000, 10_000, 100_000].map(flightCase), rounds);
const isFlightGood = print('packets in flight: cost of a packet, ratio to the smallest', inFlight);
if (values.json !== undefined)
  writeFileSync(values.json, `${JSON.stringify({ tracks, inFlight }, undefined, 2)}\n`);
process.exitCode = areTracksGood && isFlightGood ? 0 : 1;
