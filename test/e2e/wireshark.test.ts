/** The Wireshark dissector reads what real connections put on the wire: a call in virtual time, captured to a file. */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { LinkOptions } from '../../src/sim/link-options.ts';
import { PacketHeader, VERSION } from '../../src/wire/header.ts';
import { has, openVideo, sendVideo } from '../helpers/calls.ts';
import { root } from '../helpers/checkout.ts';
import { makePair } from '../helpers/pair.ts';

const DISSECTOR = join(root, 'docs/recipes/millrace.lua');
const canRun = spawnSync('tshark', ['--version']).status === 0;
const CLEAN: LinkOptions = { delayMs: 20, rateBps: 20_000_000 };

let folder = '';
beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'millrace-pcap-'));
});
afterEach(() => rmSync(folder, { recursive: true }));

interface Captured {
  readonly atUs: number;
  readonly isUp: boolean;
  readonly datagram: Uint8Array;
}

/** A pcap file of raw IPv4 packets (LINKTYPE_RAW): ports 40000 and 9000. */
function pcapOf(captured: readonly Captured[]): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(65_535, 16);
  header.writeUInt32LE(101, 20);
  const parts: Buffer[] = [header];
  for (const { atUs, isUp, datagram } of captured) {
    const size = 28 + datagram.length;
    const packet = Buffer.alloc(16 + 28);
    packet.writeUInt32LE(Math.floor(atUs / 1e6), 0);
    packet.writeUInt32LE(Math.floor(atUs % 1e6), 4);
    packet.writeUInt32LE(size, 8);
    packet.writeUInt32LE(size, 12);
    packet.writeUInt8(0x45, 16);
    packet.writeUInt16BE(size, 18);
    packet.writeUInt8(64, 24);
    packet.writeUInt8(17, 25);
    packet.writeUInt32BE(isUp ? 0x0a000001 : 0x0a000002, 28);
    packet.writeUInt32BE(isUp ? 0x0a000002 : 0x0a000001, 32);
    packet.writeUInt16BE(isUp ? 40_000 : 9000, 36);
    packet.writeUInt16BE(isUp ? 9000 : 40_000, 38);
    packet.writeUInt16BE(8 + datagram.length, 40);
    parts.push(packet, Buffer.from(datagram));
  }
  return Buffer.concat(parts);
}

/** A call with a second of video, as it was on the wire. */
function capture(): Captured[] {
  const pair = makePair({ seed: 1, up: CLEAN, down: CLEAN, startBitrateBps: 4_000_000 });
  const captured: Captured[] = [];
  for (const [link, isUp] of [
    [pair.network.up, true],
    [pair.network.down, false],
  ] as const) {
    link.addTap((packet) => {
      captured.push({ atUs: pair.sim.now, isUp, datagram: (packet.payload as Uint8Array).slice() });
      return true;
    });
  }
  // Media at once: the caller repeats its last flight in front of them until the listener has confirmed.
  while (!has(pair.client, 'connected')) pair.run(1);
  sendVideo(pair, openVideo(pair), 30, 4000);
  return captured;
}

function dissect(captured: readonly Captured[], fields: readonly string[]): string[][] {
  const path = join(folder, 'call.pcap');
  writeFileSync(path, pcapOf(captured));
  const { stdout, stderr } = spawnSync(
    'tshark',
    [
      ...['-X', `lua_script:${DISSECTOR}`, '-r', path, '-T', 'fields', '-E', 'separator=;'],
      ...fields.flatMap((field) => ['-e', field]),
    ],
    { encoding: 'utf8' },
  );
  expect(stderr).not.toMatch(/lua|error/i);
  return stdout
    .trimEnd()
    .split('\n')
    .map((line) => line.split(';'));
}

describe.skipIf(!canRun)(`the dissector${canRun ? '' : ' (not run: tshark is not installed)'}`, () => {
  it('finds the packets that our own parser finds, with their IDs and numbers', () => {
    const captured = capture();
    const rows = dissect(captured, [
      'millrace.type',
      'millrace.dcid',
      'millrace.packet_number',
      '_ws.expert.message',
    ]);
    expect(rows.length).toBe(captured.length);
    const header = new PacketHeader();
    let coalesced = 0;
    captured.forEach(({ datagram }, i) => {
      const [types = '', ids = '', numbers = '', trouble] = rows[i] as string[];
      expect(trouble ?? '').toBe('');
      expect(header.parse(datagram, 0, datagram.length)).toBe(0);
      const isLong = ((datagram[0] as number) & 0x80) !== 0;
      expect(types.split(',')[0]).toBe(isLong ? 'Initial' : '1-RTT');
      const idAt = isLong ? 6 : 1;
      const dcid = Buffer.from(datagram.subarray(idAt, idAt + 8)).toString('hex');
      expect((ids.split(',')[0] as string).replaceAll(':', '')).toBe(dcid);
      if (types.includes(',')) coalesced++;
      expect(numbers.split(',').length).toBe(types.split(',').length);
    });
    expect(coalesced).toBeGreaterThan(0);
    expect(rows.filter(([types]) => types === '1-RTT').length).toBeGreaterThan(100);
  });

  it('reads a version negotiation packet, and says what is malformed', () => {
    const captured = capture().slice(0, 3);
    const ids = [8, 1, 2, 3, 4, 5, 6, 7, 8, 8, 8, 7, 6, 5, 4, 3, 2, 1];
    const version = [VERSION >>> 24, (VERSION >>> 16) & 255, (VERSION >>> 8) & 255, VERSION & 255];
    const negotiation = Uint8Array.from([0xc0, 0, 0, 0, 0, ...ids, ...version]);
    const cut = (captured[0] as Captured).datagram.subarray(0, 40);
    const rows = dissect(
      [...captured, ...[negotiation, cut].map((datagram) => ({ atUs: 5e6, isUp: false, datagram }))],
      ['millrace.type', 'millrace.supported_version', '_ws.expert.message'],
    );
    expect(rows.at(-2)?.slice(0, 2)).toEqual(['Version negotiation', '0x6d720001']);
    expect(rows.at(-1)?.[2]).toContain('Malformed');
  });
});
