/** Packet protection in place: every engine behind the interface, and the stand-in of the simulator. */
import { describe, expect, it } from 'vitest';
import { plainCrypto } from '../../src/crypto/plain-protection.ts';
import { TAG_BYTES } from '../../src/crypto/protection.ts';
import { bestCrypto, nodeCrypto } from '../../src/node/seal.ts';

const SECRET = new Uint8Array(32).fill(7);
const START = 3;
const HEADER_BYTES = 13;
const PAYLOAD_BYTES = 60;
const PAYLOAD_START = START + HEADER_BYTES;
const PAYLOAD_END = PAYLOAD_START + PAYLOAD_BYTES;
const END = PAYLOAD_END + TAG_BYTES;
const NUMBER = 77;

function plaintext(): Uint8Array {
  return Uint8Array.from({ length: END + 5 }, (_, i) => i);
}

describe('sodium-native and node:crypto', () => {
  it('seal to the same bytes for every size of packet number, header and payload', () => {
    const best = bestCrypto().protection(SECRET);
    const node = nodeCrypto.protection(SECRET);
    for (const number of [0, 1, 2 ** 16, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 40 + 5, 2 ** 53 - 1]) {
      // 63 and 64: the largest header that is copied, the first that is not.
      for (const header of [11, 63, 64, 200]) {
        for (const payload of [0, 1, 1173]) {
          const a = new Uint8Array(1400).fill(9);
          const b = a.slice();
          best.seal(a, 1, 1 + header, 1 + header + payload, number);
          node.seal(b, 1, 1 + header, 1 + header + payload, number);
          expect(a).toEqual(b);
          expect(best.open(a, 1, 1 + header, 1 + header + payload + TAG_BYTES, number)).toBe(true);
          expect(node.open(b, 1, 1 + header, 1 + header + payload + TAG_BYTES, number)).toBe(true);
          expect(a).toEqual(b);
        }
      }
    }
  });
});

for (const crypto of [bestCrypto(), nodeCrypto, plainCrypto]) {
  describe(`protection by ${crypto.engine}`, () => {
    const protection = crypto.protection(SECRET);
    const sealed = plaintext();
    protection.seal(sealed, START, PAYLOAD_START, PAYLOAD_END, NUMBER);

    it('gives the plaintext back and touches nothing outside the packet', () => {
      const packet = sealed.slice();
      expect(protection.open(packet, START, PAYLOAD_START, END, NUMBER)).toBe(true);
      expect(packet.subarray(0, PAYLOAD_END)).toEqual(plaintext().subarray(0, PAYLOAD_END));
      expect(packet.subarray(END)).toEqual(plaintext().subarray(END));
    });

    it('notices every two flipped bits of twelve bytes', () => {
      const bits = 12 * 8;
      const flip = (packet: Uint8Array, bit: number): void => {
        const at = PAYLOAD_START + (bit >> 3);
        packet[at] = (packet[at] as number) ^ (1 << (bit & 7));
      };
      const unnoticed: [number, number][] = [];
      for (let a = 0; a < bits; a++) {
        for (let b = 0; b < a; b++) {
          const packet = sealed.slice();
          flip(packet, a);
          flip(packet, b);
          if (protection.open(packet, START, PAYLOAD_START, END, NUMBER)) unnoticed.push([a, b]);
        }
      }
      expect(unnoticed).toEqual([]);
    });

    it('notices every flipped bit of header, payload and tag', () => {
      for (let at = START; at < END; at++) {
        for (let bit = 0; bit < 8; bit++) {
          const packet = sealed.slice();
          packet[at] = (packet[at] as number) ^ (1 << bit);
          expect(protection.open(packet, START, PAYLOAD_START, END, NUMBER), `byte ${at} bit ${bit}`).toBe(
            false,
          );
        }
      }
    });

    it('refuses another packet number, also one that differs in its high bits only', () => {
      for (const number of [NUMBER + 1, NUMBER + 2 ** 32, NUMBER + 2 ** 45]) {
        expect(protection.open(sealed.slice(), START, PAYLOAD_START, END, number)).toBe(false);
      }
    });

    it('refuses the keys of another secret, of the next phase and of the other direction', () => {
      const { client, server } = crypto.initialSecrets(Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
      for (const secret of [crypto.nextSecret(SECRET), client, server]) {
        expect(crypto.protection(secret).open(sealed.slice(), START, PAYLOAD_START, END, NUMBER)).toBe(false);
      }
    });

    it('refuses, and does not throw, where the bounds hold no packet', () => {
      const bounds = [
        [0, 13, 13],
        [0, 13, 28],
        [0, 13, 5000],
        [0, 80, 60],
        [20, 13, 60],
      ] as const;
      for (const [header, payload, end] of bounds) {
        expect(protection.open(sealed.slice(), header, payload, end, NUMBER)).toBe(false);
      }
    });

    it('throws RangeError where the tag does not fit, and loses no byte of it silently', () => {
      const packet = new Uint8Array(40);
      expect(() => protection.seal(packet, 0, 10, 25, 1)).toThrow(RangeError);
    });
  });
}
