/**
 * Question: what does rate control cost per packet?
 * Workload: packets at 30 Mbit/s sent, acknowledged 16 at a time a round trip later, one in twenty lost; media demand
 * changes with every frame. A bad answer: 2 us or more, or a heap that grows with the packets.
 * Usage: `npx tsx --expose-gc bench/micro/rate.bench.ts`.
 */
import process from 'node:process';
import { MediaController } from '../../src/rate/media.ts';

const PACKETS = 2_000_000;
const WARM_UP = 200_000;
const GAP_US = 320;
const PER_ACK = 16;
const ROUND_TRIP_US = 60_000;
/** Packets that are sent until the first of them is acknowledged. */
const IN_FLIGHT = Math.ceil(ROUND_TRIP_US / GAP_US);
const LOST_EVERY = 20;
const FRAME_PACKETS = 100;
const SIZE_BYTES = 1200;
const LIMIT_US = 2;

const rtt = {
  hasSample: true,
  latestUs: ROUND_TRIP_US,
  smoothedUs: ROUND_TRIP_US,
  varianceUs: 1000,
  minUs: ROUND_TRIP_US,
  recentMinUs: ROUND_TRIP_US,
};
const sample = {
  packetNumber: 0,
  sizeBytes: SIZE_BYTES,
  sentAtUs: 0,
  receivedAtUs: 0,
  ackedAtUs: 0,
  isAppLimited: false,
};

function run(controller: MediaController, from: number, count: number): number {
  let use = 0;
  for (let i = from; i < from + count; i++) {
    const now = i * GAP_US;
    controller.onPacketSent(now, SIZE_BYTES);
    if (i % FRAME_PACKETS === 0) controller.onMediaDemand(i % (2 * FRAME_PACKETS) === 0 ? 5e7 : 0, now);
    use += controller.pacingRateBps + controller.congestionWindowBytes + controller.probeBytesWanted;
    if (i % PER_ACK !== 0) continue;
    const acked = i - IN_FLIGHT;
    for (let n = Math.max(0, acked - PER_ACK); n < acked; n++) {
      const sentAtUs = n * GAP_US;
      if (n % LOST_EVERY === 0) controller.onPacketLost(n, SIZE_BYTES, sentAtUs);
      else {
        sample.packetNumber = n;
        sample.sentAtUs = sentAtUs;
        sample.receivedAtUs = sentAtUs + ROUND_TRIP_US / 2;
        sample.ackedAtUs = now;
        controller.onPacketAcked(sample);
      }
    }
    if (acked > 0) controller.onAckEnd(now, rtt);
  }
  return use;
}

const controller = new MediaController({ startBitrateBps: 30e6 });
run(controller, 0, WARM_UP);
globalThis.gc?.();
const heapBefore = process.memoryUsage().heapUsed;
// Time on the processor: what others do on this machine is no cost of ours.
const start = process.cpuUsage();
const use = run(controller, WARM_UP, PACKETS);
const usPerPacket = process.cpuUsage(start).user / PACKETS;
globalThis.gc?.();
const heapBytes = (process.memoryUsage().heapUsed - heapBefore) / PACKETS;
console.log(`${usPerPacket.toFixed(3)} us and ${heapBytes.toFixed(3)} bytes of heap per packet (${use > 0})`);
process.exitCode = usPerPacket < LIMIT_US ? 0 : 1;
