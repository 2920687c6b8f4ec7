/**
 * Genuine first packets of callers who do not exist: each has an address, a port and connection IDs of its own, opens, and
 * carries what TLS itself would say. Nobody hears the answers.
 */
import { createSocket } from 'node:dgram';
import process from 'node:process';
import { localParameters } from '../../src/connection/options.ts';
import type { Handshake } from '../../src/crypto/handshake.ts';
import { Endpoint } from '../../src/endpoint.ts';
import { codec } from '../../src/fec/kernel.ts';
import { bestCrypto } from '../../src/node/seal.ts';
import { secureRandom } from '../../src/node/shared-options.ts';
import { createClientHandshake } from '../../src/node/tls.ts';
import { MediaController } from '../../src/rate/media.ts';
import { HOST } from './media.ts';

const SECOND_US = 1_000_000;

/** One ClientHello of a caller with another passphrase: it is said by all of them. */
async function clientHello(): Promise<Uint8Array> {
  const handshake = createClientHandshake({ psk: new Uint8Array(32).fill(1) });
  for (;;) {
    const bytes = handshake.read();
    if (bytes !== undefined) return bytes;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function saying(hello: Uint8Array): Handshake {
  const words = [hello];
  return {
    state: 'running',
    error: undefined,
    alert: undefined,
    peer: { identity: '', alpn: '' },
    onProgress: undefined,
    setExporterContext() {},
    receive() {},
    read: () => words.shift(),
    exportSecrets: () => ({ client: new Uint8Array(32), server: new Uint8Array(32) }),
    close() {},
  };
}

function addressOf(i: number): string {
  return `127.${1 + (i >>> 16)}.${(i >>> 8) & 255}.${i & 255}`;
}

async function makePackets(count: number): Promise<Uint8Array[]> {
  const hello = await clientHello();
  const endpoint = new Endpoint({
    parameters: localParameters({ resource: 'live' }),
    crypto: bestCrypto(),
    random: secureRandom,
    codec,
    controller: () => new MediaController({}),
    handshakeTimeoutUs: 10 * SECOND_US,
    keepAliveUs: 15 * SECOND_US,
    datagramBytesMax: 1452,
  });
  const out = new Uint8Array(2048);
  const packets: Uint8Array[] = [];
  for (let i = 0; i < count; i++) {
    const connection = endpoint.dial({ handshake: saying(hello), path: 0 }, i);
    packets.push(out.slice(0, connection.pollTransmit(out, i)));
    endpoint.remove(connection);
  }
  return packets;
}

/** From a port of its own. True if the system took it. */
function sendFrom(address: string, packet: Uint8Array, port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createSocket('udp4');
    const end = (isSent: boolean): void => {
      socket.close();
      resolve(isSent);
    };
    socket.on('error', () => end(false));
    socket.bind(0, address, () => socket.send(packet, port, HOST, (error) => end(error === null)));
  });
}

/**
 * Makes `count` first packets, then sends so many of them at an even pace whenever it is told a number, and says how many
 * were sent. Stays until the process is ended.
 */
export async function attack(port: number, count: number, perSecond: number): Promise<void> {
  const packets = await makePackets(count);
  let next = 0;
  const sendSome = async (some: number): Promise<void> => {
    const startedMs = performance.now();
    const sending: Promise<boolean>[] = [];
    for (let i = 0; i < some; i++, next++) {
      sending.push(sendFrom(addressOf(next), packets[next] as Uint8Array, port));
      const dueMs = startedMs + (1000 * (i + 1)) / perSecond;
      await new Promise((resolve) => setTimeout(resolve, Math.max(0, dueMs - performance.now())));
    }
    const sent = await Promise.all(sending);
    process.send?.(sent.filter(Boolean).length);
  };
  process.on('message', (some) => void sendSome(some as number));
  process.send?.('ready');
}
