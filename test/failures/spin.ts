/**
 * Random calls of the API on a live pair while everything that can happen to a network happens to it: the invariants of
 * world.ts hold after every step, streams lose nothing, media frames come once and whole, and at the end every count adds
 * up. In: a seed and how long. Source: spinquic (msquic), the model tests of quinn.
 */
import { MILLISECOND, SECOND } from '../../src/base/protocol.ts';
import type { SeededRandom } from '../../src/base/random.ts';
import type { Link } from '../../src/sim/link.ts';
import type { LinkOptions } from '../../src/sim/link-options.ts';
import { symmetric } from '../../src/sim/network.ts';
import { opposite, type Side } from './stage.ts';
import type { StreamRun } from './stream-run.ts';
import type { TrackRun } from './track-run.ts';
import { World } from './world.ts';

const TRACKS_MAX = 4;
const STREAMS_MAX = 8;
/** Nothing stays dark for longer: the idle timeout is 30 s. */
const DARK_MS_MAX = 4_000;

/** What came out of it. */
export interface SpinReport {
  readonly calls: number;
  readonly frames: number;
  readonly streamBytes: number;
  readonly moves: number;
}

export class Spin {
  readonly world: World;
  readonly #random: SeededRandom;
  #live: TrackRun[] = [];
  #open: StreamRun[] = [];
  #calls = 0;
  #frames = 0;
  #streamBytes = 0;
  #moves = 0;
  #datagrams = 0;
  #settled = 0;

  constructor(seed: number) {
    const link: LinkOptions = { delayMs: 20, rateBps: 8e6, queue: { ms: 200 } };
    this.world = new World({ seed, network: { ...symmetric(link), nat: {} }, startBitrateBps: 2e6 });
    this.#random = this.world.pair.sim.random.fork();
    this.world.connect();
    for (const side of ['client', 'server'] as const) {
      this.world.onEvent(side, (event) => {
        if (event.type === 'datagram-settled') this.#settled++;
      });
    }
  }

  /** Lets `virtualMs` pass. Throws when an invariant breaks. */
  run(virtualMs: number): void {
    const endUs = this.world.now + virtualMs * MILLISECOND;
    while (this.world.now < endUs) {
      this.#act();
      this.world.run(this.#between(1, 200));
      this.world.assertOpen();
      this.#forget();
    }
  }

  /** The network is well again: everything must end, every count add up. What is held afterwards, is held for nothing. */
  rest(): void {
    for (const link of this.#links()) {
      link.update({ loss: { kind: 'none' }, corrupt: { ratio: 0 }, duplicate: { ratio: 0 }, rateBps: 20e6 });
      link.update({ reorder: { ratio: 0, delayMs: 0 }, delayMs: 20, sizeLimitBytes: 65_535 });
    }
    for (const track of this.#live) {
      track.isReading = true;
      track.end();
    }
    const isOver = (): boolean => this.#open.every(({ isFinished }) => isFinished);
    for (const stream of this.#open) {
      stream.isReading = true;
      stream.hurry();
    }
    if (!this.world.runUntil(isOver, 120_000)) {
      const left = this.#open.filter(({ isFinished }) => !isFinished);
      throw new Error(
        `streams lost bytes: ${left.map(({ id, readBytes }) => `${id} at ${readBytes}`).join(', ')}`,
      );
    }
    this.world.run(10_000);
    this.world.assertOpen();
    this.#forget();
    if (this.#live.length > 0) throw new Error(`${this.#live.length} tracks are not over`);
    this.#checkAccounts();
    for (const { host, claimed, released } of [this.world.pair.client, this.world.pair.server]) {
      host.forgetPaths((path) => claimed.has(path));
      released.length = 0;
    }
  }

  finish(): SpinReport {
    this.rest();
    return { calls: this.#calls, frames: this.#frames, streamBytes: this.#streamBytes, moves: this.#moves };
  }

  #links(): Link[] {
    return [this.world.pair.network.up, this.world.pair.network.down];
  }

  #between(low: number, high: number): number {
    return low + this.#random.unit() * (high - low);
  }

  #pick<T>(list: readonly T[]): T | undefined {
    return list[Math.floor(this.#random.unit() * list.length)];
  }

  #side(): Side {
    return this.#random.unit() < 0.5 ? 'client' : 'server';
  }

  #act(): void {
    this.#calls++;
    const chance = this.#random.unit();
    if (chance < 0.15) this.#startTrack();
    else if (chance < 0.25) this.#pick(this.#live)?.end();
    else if (chance < 0.45) this.#startStream();
    else if (chance < 0.55) this.#toggleReader();
    else if (chance < 0.65) this.#sendDatagram();
    else if (chance < 0.9) this.#disturb();
    else if (chance < 0.94) this.#move();
    else this.#small();
  }

  #startTrack(): void {
    if (this.#live.length >= TRACKS_MAX) return;
    const isAudio = this.#random.unit() < 0.5;
    this.#live.push(
      this.world.track({
        from: this.#side(),
        kind: isAudio ? 'audio' : 'video',
        latencyMs: Math.round(this.#between(20, 1_000)),
        framesPerSecond: isAudio ? 50 : 25,
        frameBytes: Math.round(this.#between(8, isAudio ? 400 : 12_000)),
        isAdaptive: true,
      }),
    );
  }

  #startStream(): void {
    if (this.#open.length >= STREAMS_MAX) return;
    const isSlow = this.#random.unit() < 0.3;
    this.#open.push(
      this.world.stream({
        from: this.#side(),
        bytes: Math.round(this.#between(1, 200_000)),
        ...(isSlow ? { readEveryMs: 50, readBytes: 20_000 } : {}),
      }),
    );
  }

  #toggleReader(): void {
    const track = this.#pick(this.#live);
    if (track !== undefined) track.isReading = !track.isReading;
    track?.read();
  }

  #sendDatagram(): void {
    const { connection, host } = this.world.end(this.#side());
    const bytes = new Uint8Array(Math.round(this.#between(1, 1_000)));
    host.call((now) => connection.datagrams.send(bytes, SECOND, now));
    this.#datagrams++;
  }

  /** Every fault that a link knows, one at a time and together. */
  #disturb(): void {
    const link = this.#pick(this.#links());
    const faults: readonly LinkOptions[] = [
      { loss: { kind: 'none' }, corrupt: { ratio: 0 }, duplicate: { ratio: 0 } },
      { loss: { kind: 'iid', ratio: this.#between(0, 0.3) } },
      { loss: { kind: 'burst', ratio: this.#between(0, 0.15), meanBurst: this.#between(1, 10) } },
      { corrupt: { ratio: this.#between(0, 0.1), bits: 1 + Math.floor(this.#between(0, 4)) } },
      { duplicate: { ratio: this.#between(0, 0.3), delayMs: this.#between(0, 500) } },
      { reorder: { ratio: this.#between(0, 0.3), delayMs: this.#between(1, 100) } },
      { delayMs: this.#between(1, 150) },
      { rateBps: this.#between(1e6, 20e6) },
      { sizeLimitBytes: this.#random.unit() < 0.5 ? 1_300 : 65_535 },
    ];
    const fault = this.#pick(faults);
    if (fault !== undefined) link?.update(fault);
    if (this.#random.unit() < 0.08) link?.blackout(this.#between(10, DARK_MS_MAX));
  }

  #move(): void {
    this.#moves++;
    const { client, network } = this.world.pair;
    const chance = this.#random.unit();
    if (chance < 0.4) network.nat?.rebind('port');
    else if (chance < 0.6) network.nat?.rebind('address');
    else if (chance < 0.8) network.nat?.forget();
    else client.host.call((now) => client.connection.migrate(now));
  }

  #small(): void {
    const end = this.world.end(this.#side());
    end.host.call((now) => {
      end.connection.requestCounters();
      end.connection.state.keys?.initiateUpdate(now);
      const track = this.#pick(this.#live);
      if (track !== undefined) end.connection.tracks.receiver(track.id)?.requestKeyFrame();
    });
  }

  /** What is over is counted and let go. */
  #forget(): void {
    const over = this.#live.filter(({ isOver }) => isOver);
    for (const track of over) {
      this.#frames += track.frames.length;
      this.world.forget(track);
    }
    if (over.length > 0) this.#live = this.#live.filter((track) => !over.includes(track));
    for (const stream of this.#open) {
      if (!stream.isFinished) continue;
      this.#streamBytes += stream.readBytes;
      this.world.forget(stream);
    }
    this.#open = this.#open.filter(({ isFinished }) => !isFinished);
    for (const { events } of [this.world.pair.client, this.world.pair.server]) events.length = 0;
  }

  /** sent = on time + FEC + resent + late + lost at either end; every frame and every datagram settled once. */
  #checkAccounts(): void {
    for (const side of ['client', 'server'] as const) {
      const sent = this.world.end(side).connection.tracks.sendTotals();
      const received = this.world.end(opposite(side)).connection.tracks.receiveTotals();
      for (const [name, { frames }] of Object.entries({ sent, received })) {
        const { onTime, fec, resent, late, lost } = frames;
        const sum = onTime + fec + resent + late + lost;
        if (frames.sent !== sum)
          throw new Error(`${side}: ${name} ${frames.sent} frames, ${sum} accounted for`);
      }
      if (sent.frames.sent !== received.frames.sent) {
        throw new Error(
          `${side}: ${sent.frames.sent} frames sent, the fate of ${received.frames.sent} known`,
        );
      }
    }
    if (this.#settled !== this.#datagrams) {
      throw new Error(`${this.#datagrams} datagrams sent, ${this.#settled} settled`);
    }
  }
}
