/**
 * One millrace connection in a rate-control scenario: the real state machines of both ends, a modelled encoder or a
 * stream that is always full, and a record of what happened. In: the shared links. Out: a FlowResult.
 */
import { MILLISECOND, type Micros, SECOND } from '../../src/base/protocol.ts';
import { Connection } from '../../src/connection/connection.ts';
import type { ConnectionEvent } from '../../src/connection/events.ts';
import { type ConnectionOptions, localParameters } from '../../src/connection/options.ts';
import { PlainHandshake } from '../../src/crypto/plain-handshake.ts';
import { plainCrypto } from '../../src/crypto/plain-protection.ts';
import { codec } from '../../src/fec/kernel.ts';
import { MediaController } from '../../src/rate/media.ts';
import type { Link, Outlet } from '../../src/sim/link.ts';
import { ProtocolHost } from '../../src/sim/protocol-host.ts';
import type { Simulator } from '../../src/sim/simulator.ts';
import type { SendStream } from '../../src/stream/send.ts';
import type { TrackSender } from '../../src/track/send.ts';
import type { EncoderSpec, FlowSpec } from './case.ts';
import { Encoder, FRAMES_PER_SECOND } from './encoder.ts';
import { BIN_MS, Bins, type FlowResult } from './result.ts';

const AUDIO_BPS = 20_000;
const AUDIO_FRAME_MS = 20;
const LATENCY_MS = 120;
const START_BPS = 300_000;
/** Timers of an event loop are no finer. */
const TIMER_US: Micros = MILLISECOND;
/** Sent after this, a frame may still be under way when the run ends. */
const LAST_FRAMES_US: Micros = SECOND;

/** A datagram on the bottleneck, with the instant at which it entered. */
interface Carried {
  readonly datagram: Uint8Array;
  readonly enteredUs: Micros;
}

/** The links of one direction: the shared bottleneck, then what is this flow's alone. */
export interface Way {
  readonly bottleneck: Link;
  readonly access: Link;
  /** Propagation inside the bottleneck link, us, and its speed: what is left of the time spent there is queueing. */
  readonly delayUs: Micros;
  readonly capacityBps: (atUs: Micros) => number;
}

export class Flow {
  readonly #sim: Simulator;
  readonly #spec: FlowSpec;
  readonly #name: string;
  readonly #seconds: number;
  /** Made when the flow starts: a handshake has a time limit. */
  #sender!: Connection;
  #host!: ProtocolHost<ConnectionEvent>;
  #receiver!: Connection;
  readonly #encoder: Encoder | undefined;
  readonly #sent: Bins;
  readonly #through: Bins;
  readonly #sentPackets: Bins;
  readonly #throughPackets: Bins;
  readonly #probe: Bins;
  readonly #media: Bins;
  readonly #target: Float64Array;
  readonly #waits = { atUs: [] as number[], us: [] as number[] };
  readonly #frames: { sentAtUs: number; readAtUs: number }[] = [];
  readonly #deadlineUs: Micros;
  #video: TrackSender | undefined;
  #audio: TrackSender | undefined;
  #stream: SendStream | undefined;
  #probedBytes = 0;

  constructor(sim: Simulator, name: string, spec: FlowSpec, seconds: number, ways: { to: Way; back: Way }) {
    this.#sim = sim;
    this.#name = name;
    this.#spec = spec;
    this.#seconds = seconds;
    this.#sent = new Bins(seconds);
    this.#through = new Bins(seconds);
    this.#sentPackets = new Bins(seconds);
    this.#throughPackets = new Bins(seconds);
    this.#probe = new Bins(seconds);
    this.#media = new Bins(seconds);
    this.#target = new Float64Array(this.#sent.values.length).fill(Number.NaN);
    const { to } = ways;
    const accessUs = (to.access.options.delayMs ?? 0) * MILLISECOND;
    this.#deadlineUs = to.delayUs + accessUs + (spec.latencyMs ?? LATENCY_MS) * MILLISECOND;
    if (spec.encoder !== undefined) {
      this.#encoder = new Encoder(spec.encoder, spec.startBitrateBps ?? START_BPS, sim.random.fork());
    }
    sim.schedule((spec.startS ?? 0) * SECOND, () => this.#start(ways));
  }

  #start({ to, back }: { to: Way; back: Way }): void {
    const sim = this.#sim;
    this.#sender = this.#connection(false);
    this.#receiver = this.#connection(true);
    const options = { timerGranularityUs: TIMER_US };
    this.#host = new ProtocolHost(sim, this.#sender, {
      ...options,
      onEvent: (event) => this.#onSender(event),
    });
    const peer = new ProtocolHost<ConnectionEvent>(sim, this.#receiver, {
      ...options,
      onEvent: (event, now) => this.#onReceiver(event, now),
    });
    this.#host.addPath(this.#forward(to, peer));
    peer.listen(plainWay(back, this.#host));
    this.#host.start();
  }

  #connection(isServer: boolean): Connection {
    const ids = {
      ours: Uint8Array.of(0, 0, 0, 0, 1, 2, 3, 4),
      theirs: Uint8Array.of(0, 0, 0, 0, 5, 6, 7, 8),
    };
    const originalId = new Uint8Array(8).fill(9);
    const options: ConnectionOptions = {
      isServer,
      localId: isServer ? ids.theirs : ids.ours,
      remoteId: isServer ? ids.ours : originalId,
      originalId,
      path: 0,
      parameters: localParameters({}),
      crypto: plainCrypto,
      handshake: isServer ? undefined : new PlainHandshake({ isServer: false, word: 'word' }),
      random: this.#sim.random.fork(),
      codec,
      controller: () => new MediaController({ startBitrateBps: this.#spec.startBitrateBps ?? START_BPS }),
      handshakeTimeoutUs: 10 * SECOND,
      keepAliveUs: 15 * SECOND,
      datagramBytesMax: 1452,
      nowUs: this.#sim.now,
    };
    return new Connection(options);
  }

  /** The measured way: what enters the bottleneck, what leaves it, how long it waited. */
  #forward(way: Way, peer: ProtocolHost<ConnectionEvent>): Outlet<Uint8Array> {
    const onward = way.access.open<Uint8Array>(peer.receive);
    const share = way.bottleneck.open<Carried>((carried, sizeBytes, address) => {
      const leftUs = this.#sim.now - way.delayUs;
      this.#through.add(leftUs, sizeBytes);
      this.#throughPackets.add(leftUs, 1);
      const serviceUs = (sizeBytes * 8e6) / way.capacityBps(leftUs);
      this.#waits.atUs.push(leftUs);
      this.#waits.us.push(Math.max(0, leftUs - carried.enteredUs - serviceUs));
      onward.send(carried.datagram, sizeBytes, address);
    });
    return {
      send: (datagram, sizeBytes, address) => {
        this.#sent.add(this.#sim.now, sizeBytes);
        this.#sentPackets.add(this.#sim.now, 1);
        share.send({ datagram, enteredUs: this.#sim.now }, sizeBytes, address);
      },
    };
  }

  #onSender(event: ConnectionEvent): void {
    if (event.type === 'connected') this.#begin();
    else if (event.type === 'bitrate' && event.trackId === this.#video?.id) {
      this.#encoder?.onTarget(event.bps, this.#sim.now);
    } else if (event.type === 'stream-writable') this.#fill();
    else if (event.type === 'closed' && event.closing.error !== undefined) throw event.closing.error;
  }

  #onReceiver(event: ConnectionEvent, now: Micros): void {
    if (event.type === 'incoming') {
      this.#receiver.attachHandshake(new PlainHandshake({ isServer: true, word: 'word' }), now);
    } else if (event.type === 'track-readable') {
      const receiver = this.#receiver.tracks.receiver(event.trackId);
      for (let frame = receiver?.poll(); frame !== undefined; frame = receiver?.poll()) {
        const times = event.trackId === this.#video?.id ? this.#frames[frame.frameId] : undefined;
        if (times !== undefined) times.readAtUs = now;
      }
    } else if (event.type === 'stream-readable') {
      const stream = this.#receiver.streams.get(event.streamId)?.receive;
      while (stream?.read() !== undefined);
    }
  }

  #begin(): void {
    const { tracks, streams } = this.#sender;
    const latencyUs = (this.#spec.latencyMs ?? LATENCY_MS) * MILLISECOND;
    if (this.#spec.kind === 'bulk') {
      this.#stream = streams.open('unidirectional');
      this.#fill();
    } else {
      this.#video = tracks.openLive({ kind: 'video', latencyUs });
      this.#sender.limitTrack(this.#video as TrackSender, (this.#spec.encoder as EncoderSpec).maxBps);
      this.#audio = tracks.openLive({ kind: 'audio', latencyUs, sendOrder: 10 });
      this.#frame(0, this.#sim.now);
      this.#audioFrame();
    }
    this.#sample();
  }

  #fill(): void {
    const stream = this.#stream;
    if (stream === undefined || this.#hasEnded) return;
    const piece = new Uint8Array(65_536);
    while (stream.write(piece) === piece.length);
  }

  get #hasEnded(): boolean {
    return this.#sim.now >= (this.#spec.endS ?? this.#seconds) * SECOND;
  }

  get #isPaused(): boolean {
    const [from, to] = this.#spec.pauseS ?? [Number.POSITIVE_INFINITY, 0];
    return this.#sim.now >= from * SECOND && this.#sim.now < to * SECOND;
  }

  #frame(count: number, firstUs: Micros): void {
    if (this.#hasEnded) return;
    this.#sim.schedule(firstUs + Math.round(((count + 1) * SECOND) / FRAMES_PER_SECOND), () =>
      this.#frame(count + 1, firstUs),
    );
    if (this.#isPaused) return;
    const encoder = this.#encoder as Encoder;
    const { isKeyFrame } = encoder;
    const bytes = encoder.next(this.#sim.now);
    this.#media.add(this.#sim.now, bytes);
    this.#frames.push({ sentAtUs: this.#sim.now, readAtUs: Number.NaN });
    this.#send(this.#video as TrackSender, bytes, isKeyFrame);
  }

  #audioFrame(): void {
    if (this.#hasEnded) return;
    if (!this.#isPaused) this.#send(this.#audio as TrackSender, (AUDIO_BPS * AUDIO_FRAME_MS) / 8000, false);
    this.#sim.schedule(this.#sim.now + AUDIO_FRAME_MS * MILLISECOND, () => this.#audioFrame());
  }

  #send(track: TrackSender, bytes: number, keyFrame: boolean): void {
    this.#host.call((now) => {
      track.send(new Uint8Array(bytes), { timestampUs: now, keyFrame }, now);
      this.#sender.onMediaQueued(track, now);
    });
  }

  #sample(): void {
    const bin = Math.floor(this.#sim.now / (BIN_MS * MILLISECOND));
    const { controller, counters } = this.#sender.state;
    if (bin < this.#target.length && !this.#hasEnded) this.#target[bin] = controller.targetRateBps;
    this.#probe.add(this.#sim.now, counters.probeBytesSent - this.#probedBytes);
    this.#probedBytes = counters.probeBytesSent;
    this.#sim.schedule(this.#sim.now + BIN_MS * MILLISECOND, () => this.#sample());
  }

  /** The connection, for a closer look. */
  get connection(): Connection {
    return this.#sender;
  }

  result(): FlowResult {
    const last = this.#seconds * SECOND - LAST_FRAMES_US;
    return {
      name: this.#name,
      startS: this.#spec.startS ?? 0,
      endS: this.#spec.endS ?? this.#seconds,
      sent: this.#sent,
      through: this.#through,
      sentPackets: this.#sentPackets,
      throughPackets: this.#throughPackets,
      probe: this.#probe,
      media: this.#media,
      target: this.#target,
      waits: this.#waits,
      frames: this.#frames.filter((frame) => frame.sentAtUs < last),
      deadlineUs: this.#deadlineUs,
    };
  }
}

/** The way back: nothing is measured. */
function plainWay(way: Way, host: ProtocolHost<ConnectionEvent>): Outlet<Uint8Array> {
  const onward = way.access.open<Uint8Array>(host.receive);
  return way.bottleneck.open<Uint8Array>((datagram, sizeBytes, address) =>
    onward.send(datagram, sizeBytes, address),
  );
}
