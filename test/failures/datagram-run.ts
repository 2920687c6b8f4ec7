/** App datagrams of a world, numbered: none may arrive twice, or other than it was sent. Out: how many did arrive. */
import { MILLISECOND, SECOND } from '../../src/base/protocol.ts';
import { opposite, type Side, type Stage } from './stage.ts';

export interface DatagramSpec {
  /** Default the client. */
  readonly from?: Side;
  /** Bytes of each, at least 2. */
  readonly sizes: readonly number[];
  readonly everyMs: number;
}

/** Sends one after another from now on. */
export class DatagramRun {
  readonly #arrived: Set<number> = new Set();
  readonly #spec: DatagramSpec;

  constructor(world: Stage, spec: DatagramSpec) {
    this.#spec = spec;
    const { from = 'client', sizes, everyMs } = spec;
    world.onEvent(opposite(from), (event) => {
      if (event.type === 'datagram') this.#take(event.bytes);
    });
    const { connection, host } = world.end(from);
    sizes.forEach((size, index) => {
      const bytes = new Uint8Array(size);
      bytes[0] = index >>> 8;
      bytes[1] = index;
      world.pair.sim.schedule(world.now + index * everyMs * MILLISECOND, () =>
        host.call((now) => connection.datagrams.send(bytes, SECOND, now)),
      );
    });
  }

  #take(bytes: Uint8Array): void {
    const index = ((bytes[0] as number) << 8) | (bytes[1] as number);
    if (this.#arrived.has(index)) throw new Error(`datagram ${index} arrived twice`);
    if (bytes.length !== this.#spec.sizes[index])
      throw new Error(`datagram ${index} has ${bytes.length} bytes`);
    this.#arrived.add(index);
  }

  /** Share that has arrived so far. */
  get arrivedRatio(): number {
    return this.#arrived.size / this.#spec.sizes.length;
  }
}
