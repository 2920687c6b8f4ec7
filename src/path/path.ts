/**
 * One network path of a connection: whether the peer is proven to be there, what may be sent until it is, and the frames
 * that prove it. In: bytes received, PATH_CHALLENGE, PATH_RESPONSE. Out: the same frames, room to send.
 * Source: RFC 9000 §8.1, §8.2; DESIGN D10.
 */
import { copyBytes, equalBytes, type Writer } from '../base/bytes.ts';
import { MILLISECOND, type Micros, NEVER, type PathId, SECOND } from '../base/protocol.ts';
import type { Random } from '../base/random.ts';
import { writePathFrame } from '../wire/control.ts';
import { FrameType } from '../wire/frame-types.ts';

/** What is sent to an address that is not proven, in terms of what came from there (RFC 9000 §8). */
export const AMPLIFICATION_LIMIT = 3;
/**
 * Validation is given up after three probe timeouts, but not before this: a new path may be slower than what the timeout
 * was measured on (RFC 9000 §8.2.4 takes three initial ones of 1 s).
 */
const VALIDATION_MIN_US: Micros = 3 * SECOND;
const VALIDATION_TIMEOUTS = 3;
/** Challenges whose answer counts: a late one proves as much as that to the last. */
const CHALLENGES_MAX = 8;
/** Challenges of the peer that wait for their answer; older ones are forgotten. */
const RESPONSES_MAX = 4;
const DATA_BYTES = 8;
/** Type and data. */
const PATH_FRAME_BYTES: number = 1 + DATA_BYTES;
/** A packet with one path frame takes at most so much. */
export const PROBE_BYTES_MIN = 48;
/** Not more than so many challenges a second, however short the path. */
const CHALLENGE_INTERVAL_MIN_US: Micros = 20 * MILLISECOND;

interface Challenge {
  readonly data: Uint8Array;
  readonly sentAtUs: Micros;
}

export class Path {
  /** As whoever owns the sockets names it. */
  readonly id: PathId;
  /** The peer's connection ID that packets on this path carry. */
  remoteId: Uint8Array;
  /** The peer is proven to receive what is sent here. */
  isValidated: boolean;
  /** Bytes of UDP payload, from and to the peer on this path. */
  bytesReceived = 0;
  bytesSent = 0;
  /** The limit does not hold before this: only the port differs from that of a path that was proven. */
  fullRateUntilUs: Micros = -1;
  /** When a path that is not in use is forgotten. */
  expiresAtUs: Micros = NEVER;
  /** Something is due that may not leave before the peer has sent more. */
  isStarved = false;
  /** When validation, if it runs, has failed. */
  giveUpAtUs: Micros = NEVER;
  readonly #isLimited: boolean;
  readonly #challenges: Challenge[] = [];
  readonly #responses: Uint8Array[] = [];
  #challengeAtUs: Micros = NEVER;
  #intervalUs: Micros = 0;

  /** @param isLimited The peer chose the address: what is sent there is limited until it is proven. */
  constructor(id: PathId, remoteId: Uint8Array, isLimited: boolean) {
    this.id = id;
    this.remoteId = remoteId;
    this.#isLimited = isLimited;
    this.isValidated = false;
  }

  /** Bytes that may leave here now. */
  credit(now: Micros): number {
    if (this.isValidated || !this.#isLimited || now < this.fullRateUntilUs) return Number.POSITIVE_INFINITY;
    return AMPLIFICATION_LIMIT * this.bytesReceived - this.bytesSent;
  }

  /** Begins to ask whether the peer is there. */
  validate(probeTimeoutUs: Micros, now: Micros): void {
    this.#challengeAtUs = now;
    this.#intervalUs = Math.max(CHALLENGE_INTERVAL_MIN_US, probeTimeoutUs);
    this.giveUpAtUs = now + Math.max(VALIDATION_MIN_US, VALIDATION_TIMEOUTS * probeTimeoutUs);
  }

  /** Asks once more, whatever is known. */
  askOnce(now: Micros): void {
    this.#challengeAtUs = now;
    this.#intervalUs = NEVER;
  }

  get isValidating(): boolean {
    return this.giveUpAtUs !== NEVER;
  }

  /** Asks no more. */
  stop(): void {
    this.#challengeAtUs = NEVER;
    this.giveUpAtUs = NEVER;
  }

  /** The peer asks. */
  onChallenge(data: Uint8Array): void {
    if (this.#responses.length >= RESPONSES_MAX) this.#responses.shift();
    this.#responses.push(copyBytes(data));
  }

  /** True if path frames are to be sent here now. */
  wantsProbe(now: Micros): boolean {
    return this.#responses.length > 0 || this.#challengeAtUs <= now;
  }

  get nextDeadline(): Micros {
    const askAtUs = this.isStarved ? NEVER : this.#challengeAtUs;
    return Math.min(askAtUs, this.giveUpAtUs, this.expiresAtUs);
  }

  /** Writes what is to be asked and answered. Whatever does not fit, or is lost, the peer asks for again. */
  writeProbe(writer: Writer, random: Random, now: Micros): void {
    if (this.#challengeAtUs <= now && writer.room >= PATH_FRAME_BYTES) {
      const data = new Uint8Array(DATA_BYTES);
      random.fill(data);
      if (this.#challenges.length >= CHALLENGES_MAX) this.#challenges.shift();
      this.#challenges.push({ data, sentAtUs: now });
      writePathFrame(writer, FrameType.PATH_CHALLENGE, data);
      this.#challengeAtUs = now + this.#intervalUs;
      this.#intervalUs *= 2;
    }
    while (this.#responses.length > 0 && writer.room >= PATH_FRAME_BYTES) {
      writePathFrame(writer, FrameType.PATH_RESPONSE, this.#responses.shift() as Uint8Array);
    }
  }

  /** When the challenge with this answer was sent; undefined: it is none of this path's. */
  answeredAt(data: Uint8Array): Micros | undefined {
    return this.#challenges.find((challenge) => equalBytes(challenge.data, data))?.sentAtUs;
  }
}
