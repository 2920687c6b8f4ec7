/** The same media over one TCP connection in the same network: what stands beside the figures of millrace. */
import { MILLISECOND, type Micros, NEVER } from '../../src/base/protocol.ts';
import { Network, type NetworkSpec } from '../../src/sim/network.ts';
import { runScenario, type ScenarioStep } from '../../src/sim/scenario.ts';
import { Simulator } from '../../src/sim/simulator.ts';
import { TcpFlow } from '../../src/sim/tcp/flow.ts';
import { TcpFrameSource } from '../../src/sim/tcp/frames.ts';

export interface TcpSpec {
  readonly seed: number;
  readonly network: NetworkSpec;
  readonly steps?: readonly ScenarioStep[];
  /** A stream of so many bytes, */
  readonly bytes?: number;
  /** or media frames of `frameBytes`, `framesPerSecond` (30), for `durationMs`. */
  readonly frameBytes?: number;
  readonly framesPerSecond?: number;
  readonly durationMs: number;
  /** Runs on so long after the last frame. Default 2 s. */
  readonly tailMs?: number;
  /** Bytes of the stream that have arrived in order, ms after its start. */
  readonly onData?: (bytes: number, atMs: number) => void;
  /** Looks at the world before it runs. */
  readonly arrange?: (network: Network) => void;
}

/** The connection stands by then; as in the worlds of millrace. */
const START_US: Micros = 1_000 * MILLISECOND;

export class TcpRun {
  readonly flow: TcpFlow;
  readonly source: TcpFrameSource;
  /** When every byte of the stream had arrived, ms after its start. */
  tookMs: number = NEVER;
  readonly network: Network;

  constructor(spec: TcpSpec) {
    const { seed, durationMs, frameBytes, bytes, framesPerSecond = 30, tailMs = 2_000 } = spec;
    const sim = new Simulator({ seed });
    this.network = new Network(sim, spec.network);
    const { up, down } = this.network;
    this.flow = new TcpFlow(sim, { forward: up, backward: down, congestion: 'cubic' });
    this.source = new TcpFrameSource(sim, this.flow);
    this.flow.start();
    spec.arrange?.(this.network);
    if (bytes !== undefined) {
      this.flow.onData = (inOrder, now) => {
        spec.onData?.(inOrder, (now - START_US) / MILLISECOND);
        if (inOrder >= bytes && this.tookMs === NEVER) this.tookMs = (now - START_US) / MILLISECOND;
      };
      sim.schedule(START_US, () => this.flow.write(bytes));
    }
    const count = frameBytes === undefined ? 0 : (durationMs * framesPerSecond) / 1e3;
    for (let id = 0; id < count; id++) {
      const atUs = START_US + (id * 1e6) / framesPerSecond;
      sim.schedule(atUs, () => this.source.send(id, frameBytes as number, false));
    }
    const { steps = [] } = spec;
    const scenario = { name: '', seed, durationMs: 0, network: spec.network, steps };
    runScenario(scenario, { sim, network: this.network });
    sim.run(START_US + (durationMs + tailMs) * MILLISECOND);
  }

  /** Share of the frames that were whole within `latencyMs` of being written. */
  inTimeRatio(latencyMs: number): number {
    const { frames } = this.source;
    const isInTime = (frame: { deliveredAtUs: number; writtenAtUs: number }): boolean =>
      frame.deliveredAtUs - frame.writtenAtUs <= latencyMs * MILLISECOND;
    return frames.filter(isInTime).length / frames.length;
  }

  /** Latency that this share of all frames keeps, ms; `Infinity` for those that never came. */
  latencyMs(share: number): number {
    const sorted = this.source.frames.map((f) => f.deliveredAtUs - f.writtenAtUs).sort((a, b) => a - b);
    return (sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? NEVER) / MILLISECOND;
  }

  /** When a frame written at or after `fromUs` was first whole. */
  firstDeliveryUs(fromUs: Micros): Micros {
    const later = this.source.frames.filter((frame) => frame.writtenAtUs >= fromUs);
    return Math.min(NEVER, ...later.map((frame) => frame.deliveredAtUs));
  }
}
