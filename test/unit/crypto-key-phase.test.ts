/** 1-RTT keys on a network that loses and reorders, and against a peer that updates too fast (RFC 9001 §6). */
import { describe, expect, test } from 'vitest';
import { SeededRandom } from '../../src/base/random.ts';
import { OneRttKeys } from '../../src/crypto/key-phase.ts';
import { plainCrypto } from '../../src/crypto/plain-protection.ts';
import type { CryptoProvider } from '../../src/crypto/protection.ts';
import { nodeCrypto } from '../../src/node/seal.ts';

const PROBE_TIMEOUT_US = 100_000;
const STEP_US = 1000;
const HEADER_BYTES = 4;
const PAYLOAD_END = 12;
const PACKET_END = 28;
const SECRETS = [new Uint8Array(32).fill(1), new Uint8Array(32).fill(2)] as const;

interface Flying {
  readonly bytes: Uint8Array;
  readonly packetNumber: number;
  readonly keyPhase: number;
  /** The largest packet number its sender had seen. */
  readonly acknowledges: number;
  readonly arrivesAtUs: number;
}

class End {
  readonly keys: OneRttKeys;
  next = 0;
  largest = -1;
  opened = 0;
  refused = 0;
  /** Packets on their way to this end. */
  incoming: Flying[] = [];

  constructor(crypto: CryptoProvider, read: 0 | 1) {
    this.keys = new OneRttKeys({
      crypto,
      readSecret: SECRETS[read],
      writeSecret: SECRETS[1 - read] as Uint8Array,
      probeTimeoutUs: () => PROBE_TIMEOUT_US,
    });
  }

  seal(arrivesAtUs = 0): Flying {
    const packetNumber = this.next++;
    const bytes = new Uint8Array(PACKET_END).fill(packetNumber);
    this.keys.seal(bytes, 0, HEADER_BYTES, PAYLOAD_END, packetNumber);
    return { bytes, packetNumber, keyPhase: this.keys.keyPhase, acknowledges: this.largest, arrivesAtUs };
  }

  open({ bytes, packetNumber, keyPhase, acknowledges }: Flying, nowUs: number): boolean {
    const isOpen = this.keys.open(bytes.slice(), 0, HEADER_BYTES, PACKET_END, packetNumber, keyPhase, nowUs);
    if (!isOpen) {
      this.refused++;
      return false;
    }
    this.opened++;
    this.largest = Math.max(this.largest, packetNumber);
    if (acknowledges >= 0) this.keys.onAcked(acknowledges, nowUs);
    return true;
  }
}

function run(crypto: CryptoProvider, seed: number, steps: number): [End, End] {
  const random = new SeededRandom(seed);
  const ends: [End, End] = [new End(crypto, 0), new End(crypto, 1)];
  for (let step = 0; step < steps; step++) {
    const nowUs = step * STEP_US;
    for (const [me, peer] of [ends, [ends[1], ends[0]]] as const) {
      if (random.unit() < 0.02) me.keys.initiateUpdate(nowUs);
      // One in five is lost; the rest takes up to two probe timeouts and overtakes at will.
      const packet = me.seal(nowUs + random.unit() * 2 * PROBE_TIMEOUT_US);
      if (random.unit() >= 0.2) peer.incoming.push(packet);
      const due = me.incoming.filter(({ arrivesAtUs }) => arrivesAtUs <= nowUs);
      me.incoming = me.incoming.filter(({ arrivesAtUs }) => arrivesAtUs > nowUs);
      for (const arrived of due) me.open(arrived, nowUs);
    }
  }
  return ends;
}

describe('key phases', () => {
  for (const [crypto, steps] of [
    [plainCrypto, 20_000],
    [nodeCrypto, 4000],
  ] as const) {
    for (const seed of [1, 2, 3]) {
      test(`open every packet that arrives despite loss, reordering and updates of both ends, ${crypto.engine}, seed ${seed}`, () => {
        const [a, b] = run(crypto, seed, steps);
        expect([a.refused, b.refused]).toEqual([0, 0]);
        expect(a.opened).toBeGreaterThan(steps * 0.7);
        expect(a.keys.updates).toBeGreaterThan(steps / 1000);
        expect(Math.abs(a.keys.updates - b.keys.updates)).toBeLessThan(2);
      });
    }
  }

  test('refuse the second of two updates between which this end has said nothing', () => {
    const [me, peer] = [new End(nodeCrypto, 0), new End(nodeCrypto, 1)];
    expect(me.open(peer.seal(), 0)).toBe(true);
    expect(peer.open(me.seal(), 0)).toBe(true);
    // A peer that does not wait to be heard: told so before it was.
    const hurry = (nowUs: number): Flying => {
      peer.keys.onAcked(peer.next - 1, nowUs - 10 * PROBE_TIMEOUT_US);
      expect(peer.keys.initiateUpdate(nowUs)).toBe(true);
      return peer.seal();
    };
    expect(me.open(hurry(2_000_000), 2_000_000)).toBe(true);
    const tooFast = hurry(2_000_000);
    expect(me.open(tooFast, 2_000_000)).toBe(false);
    expect(me.keys.updates).toBe(1);
    // Once it may have been heard, the same packet is good.
    me.seal();
    expect(me.open(tooFast, 2_000_000)).toBe(true);
    expect(me.keys.updates).toBe(2);
  });

  test('cannot be moved by a thousand forged packets of either phase', () => {
    const [me, peer] = [new End(nodeCrypto, 0), new End(nodeCrypto, 1)];
    me.open(peer.seal(), 0);
    const genuine = peer.seal();
    for (let i = 0; i < 1000; i++) {
      const forged = {
        ...genuine,
        bytes: genuine.bytes.slice(),
        keyPhase: i & 1,
        packetNumber: 1 + (i >> 1),
      };
      forged.bytes[i % PACKET_END] = (forged.bytes[i % PACKET_END] as number) ^ 0x10;
      expect(me.open(forged, 0)).toBe(false);
    }
    expect([me.keys.keyPhase, me.keys.updates]).toEqual([0, 0]);
    expect(me.keys.isForgeryLimitReached).toBe(false);
    expect(me.open(genuine, 0)).toBe(true);
  });
});
