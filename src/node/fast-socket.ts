/**
 * A UDP socket with segmentation offload, where koffi and the kernel allow it: many datagrams per system call, both ways.
 * The socket is made here and adopted by dgram through its documented `bind({ fd })`. In: address to bind. Out: a file
 * descriptor, or undefined: dgram alone does then. Source: udp(7) UDP_SEGMENT, UDP_GRO; DESIGN D12.
 */
import { createRequire } from 'node:module';
import { DATAGRAM_BYTES_MAX } from '../wire/header.ts';
import { debug } from './log.ts';

/** Datagrams of exactly this size may travel back to back in one send; the last one may be shorter. */
export const SEGMENT_BYTES: number = DATAGRAM_BYTES_MAX;
/** The kernel takes at most 64 segments and 65,507 bytes at once. */
export const SEGMENTS_MAX = 44;

const AF_INET = 2;
const AF_INET6 = 10;
const SOL_SOCKET = 1;
const SO_REUSEADDR = 2;
const SOCK_DGRAM = 2;
const SOCK_NONBLOCK = 0o4000;
const SOCK_CLOEXEC = 0o2000000;
const SOL_UDP = 17;
const UDP_SEGMENT = 103;
const UDP_GRO = 104;
const IPPROTO_IPV6 = 41;
const IPV6_V6ONLY = 26;

interface LibC {
  socket(family: number, type: number, protocol: number): number;
  bind(fd: number, address: Uint8Array, length: number): number;
  close(fd: number): number;
  setsockopt(fd: number, level: number, name: number, value: Uint8Array, length: number): number;
}

interface Koffi {
  load(library: string): { func(declaration: string): (...values: unknown[]) => number };
}

let libc: LibC | undefined | null = null;

/** The C library's calls, once; undefined on other systems and without koffi. */
function loadLibC(): LibC | undefined {
  if (libc !== null) return libc;
  libc = undefined;
  if (process.platform !== 'linux') return undefined;
  try {
    const library = (createRequire(import.meta.url)('koffi') as Koffi).load('libc.so.6');
    libc = {
      socket: library.func('int socket(int, int, int)'),
      bind: library.func('int bind(int, void *, uint32)'),
      close: library.func('int close(int)'),
      setsockopt: library.func('int setsockopt(int, int, int, void *, uint32)'),
    };
  } catch (error) {
    debug(`no segmentation offload: ${(error as Error).message.split('\n')[0]}`);
  }
  return libc;
}

/** sockaddr_in or sockaddr_in6 for a numeric address; undefined for one with a zone. */
function socketAddress(family: 4 | 6, host: string | undefined, port: number): Uint8Array | undefined {
  const bytes = Buffer.alloc(family === 4 ? 16 : 28);
  bytes.writeUInt16LE(family === 4 ? AF_INET : AF_INET6, 0);
  bytes.writeUInt16BE(port, 2);
  if (host === undefined || host === '::' || host === '0.0.0.0') return bytes;
  if (family === 4) {
    const parts = host.split('.').map(Number);
    if (parts.length !== 4) return undefined;
    bytes.set(parts, 4);
    return bytes;
  }
  if (host !== '::1') return undefined;
  bytes[23] = 1;
  return bytes;
}

/**
 * A bound, non-blocking socket with both options set.
 *
 * @param port Not 0 unless the kernel shall choose.
 * @returns Its descriptor, which the caller owns, or undefined: not possible here, or the address cannot be bound.
 */
export function openFastSocket(family: 4 | 6, host: string | undefined, port: number): number | undefined {
  const calls = loadLibC();
  const address = socketAddress(family, host, port);
  if (calls === undefined || address === undefined) return undefined;
  const type = SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC;
  const fd = calls.socket(family === 4 ? AF_INET : AF_INET6, type, 0);
  if (fd < 0) return undefined;
  const isReady =
    setOption(calls, fd, SOL_UDP, UDP_SEGMENT, SEGMENT_BYTES) &&
    setOption(calls, fd, SOL_UDP, UDP_GRO, 1) &&
    (family === 4 || setOption(calls, fd, IPPROTO_IPV6, IPV6_V6ONLY, 0)) &&
    calls.bind(fd, address, address.length) === 0;
  if (isReady) return fd;
  calls.close(fd);
  return undefined;
}

/**
 * Call once dgram has adopted the socket: libuv lets others share the port of any socket that it adopts, and whoever binds it
 * after us would get our datagrams.
 */
export function keepPort(fd: number): void {
  const calls = loadLibC();
  if (calls !== undefined) setOption(calls, fd, SOL_SOCKET, SO_REUSEADDR, 0);
}

function setOption(calls: LibC, fd: number, level: number, name: number, value: number): boolean {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return calls.setsockopt(fd, level, name, bytes, 4) === 0;
}
