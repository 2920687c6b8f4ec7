/** What a track or a stream of a world needs of the world around it. */
import type { Micros } from '../../src/base/protocol.ts';
import type { ConnectionEvent } from '../../src/connection/events.ts';
import type { End, Pair } from '../helpers/pair.ts';
import type { Opened } from './invariants.ts';

/** Which end does it. */
export type Side = 'client' | 'server';

/** Called with every event of one end. */
export type Listener = (event: ConnectionEvent, now: Micros) => void;

export interface Stage {
  readonly pair: Pair;
  readonly now: Micros;
  readonly opened: Opened;
  end(side: Side): End;
  /** Returns what ends it. */
  onEvent(side: Side, listener: Listener): () => void;
}

/** The other end. */
export function opposite(side: Side): Side {
  return side === 'client' ? 'server' : 'client';
}
