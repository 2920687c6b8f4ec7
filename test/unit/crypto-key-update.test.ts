/** Key updates of 1-RTT keys, against RFC 9001 §6. Time is virtual: a probe timeout is 100 ms. */
import { describe, expect, it } from 'vitest';
import { OneRttKeys } from '../../src/crypto/key-phase.ts';
import { plainCrypto } from '../../src/crypto/plain-protection.ts';
import type { CryptoProvider } from '../../src/crypto/protection.ts';
import { bestCrypto, nodeCrypto } from '../../src/node/seal.ts';

const PROBE_TIMEOUT_US = 100_000;
const LATER_US = 1_000_000;
const HEADER_BYTES = 10;
const PAYLOAD_END = 40;
const PACKET_END = 56;

interface Packet {
  readonly bytes: Uint8Array;
  readonly packetNumber: number;
  readonly keyPhase: number;
}

function pair(crypto: CryptoProvider): [OneRttKeys, OneRttKeys] {
  const client = new Uint8Array(32).fill(1);
  const server = new Uint8Array(32).fill(2);
  const common = { crypto, probeTimeoutUs: () => PROBE_TIMEOUT_US };
  return [
    new OneRttKeys({ ...common, readSecret: server, writeSecret: client }),
    new OneRttKeys({ ...common, readSecret: client, writeSecret: server }),
  ];
}

function seal(keys: OneRttKeys, packetNumber: number): Packet {
  const bytes = new Uint8Array(PACKET_END).fill(packetNumber);
  keys.seal(bytes, 0, HEADER_BYTES, PAYLOAD_END, packetNumber);
  return { bytes, packetNumber, keyPhase: keys.keyPhase };
}

/** Opens a copy, so that one packet can be tried twice. */
function opens(keys: OneRttKeys, { bytes, packetNumber, keyPhase }: Packet, nowUs: number): boolean {
  return keys.open(bytes.slice(), 0, HEADER_BYTES, PACKET_END, packetNumber, keyPhase, nowUs);
}

/** Both ends have spoken once, and three probe timeouts have passed since the client knows that it was heard. */
function afterFirstPackets(crypto: CryptoProvider): [OneRttKeys, OneRttKeys] {
  const [client, server] = pair(crypto);
  expect(opens(server, seal(client, 0), 0)).toBe(true);
  expect(opens(client, seal(server, 0), 0)).toBe(true);
  client.onAcked(0, 0);
  return [client, server];
}

for (const crypto of [bestCrypto(), nodeCrypto, plainCrypto]) {
  describe(`key update over ${crypto.engine}`, () => {
    it('is refused before a packet of the present phase was acknowledged', () => {
      const [client] = pair(crypto);
      seal(client, 0);
      expect(client.initiateUpdate(LATER_US)).toBe(false);
      expect(client.keyPhase).toBe(0);
    });

    it('is refused within three probe timeouts of that acknowledgement, and allowed after', () => {
      const [client] = afterFirstPackets(crypto);
      expect(client.initiateUpdate(3 * PROBE_TIMEOUT_US - 1)).toBe(false);
      expect(client.initiateUpdate(3 * PROBE_TIMEOUT_US)).toBe(true);
      expect(client.keyPhase).toBe(1);
    });

    it('is refused again until a packet of the new phase was acknowledged', () => {
      const [client] = afterFirstPackets(crypto);
      expect(client.initiateUpdate(LATER_US)).toBe(true);
      client.onAcked(0, LATER_US);
      seal(client, 1);
      client.onAcked(0, LATER_US);
      expect(client.initiateUpdate(2 * LATER_US)).toBe(false);
      client.onAcked(1, LATER_US);
      expect(client.initiateUpdate(2 * LATER_US)).toBe(true);
    });

    it('is followed by the peer with its next packet', () => {
      const [client, server] = afterFirstPackets(crypto);
      client.initiateUpdate(LATER_US);
      expect(opens(server, seal(client, 1), LATER_US)).toBe(true);
      expect(server.keyPhase).toBe(1);
      expect(opens(client, seal(server, 1), LATER_US)).toBe(true);
      expect([client.updates, server.updates]).toEqual([1, 1]);
    });

    it('survives both ends beginning one at the same time', () => {
      const [client, server] = afterFirstPackets(crypto);
      server.onAcked(0, 0);
      expect(client.initiateUpdate(LATER_US)).toBe(true);
      expect(server.initiateUpdate(LATER_US)).toBe(true);
      expect(opens(server, seal(client, 1), LATER_US)).toBe(true);
      expect(opens(client, seal(server, 1), LATER_US)).toBe(true);
      expect([client.updates, server.updates]).toEqual([1, 1]);
    });

    it('goes on for many phases', () => {
      const [client, server] = afterFirstPackets(crypto);
      for (let phase = 1; phase <= 9; phase++) {
        expect(client.initiateUpdate(phase * LATER_US)).toBe(true);
        expect(opens(server, seal(client, phase), phase * LATER_US)).toBe(true);
        expect(opens(client, seal(server, phase), phase * LATER_US)).toBe(true);
        client.onAcked(phase, phase * LATER_US);
      }
      expect(server.updates).toBe(9);
    });

    it('lets late packets of the old phase in for three probe timeouts, then no more', () => {
      const [client, server] = afterFirstPackets(crypto);
      const late = seal(client, 1);
      client.initiateUpdate(LATER_US);
      expect(opens(server, seal(client, 2), LATER_US)).toBe(true);
      expect(opens(server, late, LATER_US + 3 * PROBE_TIMEOUT_US - 1)).toBe(true);
      expect(opens(server, late, LATER_US + 3 * PROBE_TIMEOUT_US)).toBe(false);
    });

    it('keeps the old keys of its beginner until the peer has followed, however long that takes', () => {
      const [client, server] = afterFirstPackets(crypto);
      client.initiateUpdate(LATER_US);
      // Blackout: nothing of the client arrives, so the server still seals with its old keys.
      expect(opens(client, seal(server, 1), 20 * LATER_US)).toBe(true);
      const late = seal(server, 2);
      expect(opens(server, seal(client, 1), 20 * LATER_US)).toBe(true);
      expect(opens(client, seal(server, 3), 20 * LATER_US)).toBe(true);
      expect(opens(client, late, 20 * LATER_US + 3 * PROBE_TIMEOUT_US - 1)).toBe(true);
      expect(opens(client, late, 20 * LATER_US + 3 * PROBE_TIMEOUT_US)).toBe(false);
    });

    it('is not brought about by a flipped K bit', () => {
      const [client, server] = afterFirstPackets(crypto);
      const packet = seal(client, 1);
      expect(opens(server, { ...packet, keyPhase: 1 }, LATER_US)).toBe(false);
      expect([server.keyPhase, server.updates]).toEqual([0, 0]);
      expect(opens(server, packet, LATER_US)).toBe(true);
    });
  });
}
