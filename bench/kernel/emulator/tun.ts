/**
 * Network namespaces and TUN devices of the calling process, without names: they live exactly as long as this process and
 * what runs inside them, so that no end of it, not even SIGKILL, can leave one behind. In: an address. Out: a namespace,
 * held by a descriptor, with one TUN device whose packets are read and written through another.
 * Source: tun(4) in Documentation/networking/tuntap.rst; network_namespaces(7).
 */
import { spawnSync } from 'node:child_process';
import { closeSync, constants, openSync, readdirSync, readlinkSync, writeFileSync } from 'node:fs';
import { errorName, type LibC, requireLibC } from '../native.ts';

const CLONE_NEWNET = 0x40000000;
const TUNSETIFF = 0x400454ca;
const IFF_TUN = 1;
const IFF_NO_PI = 0x1000;
const IFREQ_BYTES = 40;
const IFREQ_FLAGS_AT = 16;

/** What an IP packet on the devices may have. */
export const MTU_BYTES = 1_500;
/** The device's own queue must never be the bottleneck: the link's is. At 50 Mbit/s, more than two seconds. */
const DEVICE_QUEUE_PACKETS = 10_000;
const DEVICE = 'link0';

/** One end of the emulated path. */
export interface TunNamespace {
  /** Reading gives what the namespace sends, one IP packet at a time, without blocking; writing delivers to it. */
  readonly tun: number;
  /** Keeps the namespace; `/proc/PID/fd/N` opens it. */
  readonly handle: number;
  /** Inode of the namespace, as `/proc/PID/ns/net` shows it: `net:[4026532...]`. */
  readonly identity: string;
}

/** Opens a TUN device in the network namespace of this thread. Throws an Error that says why it cannot. */
function openTun(libc: LibC): number {
  const fd = openSync('/dev/net/tun', constants.O_RDWR | constants.O_NONBLOCK);
  const request = Buffer.alloc(IFREQ_BYTES);
  request.write(DEVICE, 'latin1');
  request.writeUInt16LE(IFF_TUN | IFF_NO_PI, IFREQ_FLAGS_AT);
  if (libc.ioctl(fd, TUNSETIFF, request) < 0) {
    const why = errorName(libc.errno());
    closeSync(fd);
    throw new Error(`TUNSETIFF is refused (${why})`);
  }
  return fd;
}

function ip(...parameters: string[]): void {
  const { status, stderr, error } = spawnSync('ip', parameters, { encoding: 'utf8' });
  if (error !== undefined)
    throw new Error(`the command ip (package iproute2) does not run: ${error.message}`);
  if (status !== 0) throw new Error(`ip ${parameters.join(' ')}: ${stderr.trim()}`);
}

/**
 * Moves this thread into a new network namespace and makes a TUN device there. The thread stays in it; the caller makes
 * the next one from there.
 *
 * @param address IPv4 address of this end; all else is routed to the device.
 */
export function createTunNamespace(address: string): TunNamespace {
  const libc = requireLibC();
  if (libc.unshare(CLONE_NEWNET) < 0) {
    throw new Error(`a network namespace is refused (${errorName(libc.errno())})`);
  }
  const tun = openTun(libc);
  // Without this, IPv6 would put router solicitations of its own on the link.
  writeFileSync('/proc/sys/net/ipv6/conf/all/disable_ipv6', '1');
  ip('link', 'set', 'lo', 'up');
  ip('link', 'set', DEVICE, 'mtu', String(MTU_BYTES), 'txqueuelen', String(DEVICE_QUEUE_PACKETS), 'up');
  ip('address', 'add', `${address}/32`, 'dev', DEVICE);
  ip('route', 'add', 'default', 'dev', DEVICE);
  return {
    tun,
    handle: openSync('/proc/thread-self/ns/net', constants.O_RDONLY),
    identity: readlinkSync('/proc/thread-self/ns/net'),
  };
}

/** Processes that live in one of these namespaces, this one left out. */
export function membersOf(identities: readonly string[]): number[] {
  const members: number[] = [];
  for (const entry of readdirSync('/proc')) {
    const pid = Number(entry);
    if (!Number.isInteger(pid) || pid === process.pid) continue;
    try {
      if (identities.includes(readlinkSync(`/proc/${pid}/ns/net`))) members.push(pid);
    } catch {
      // It ended while we looked, or belongs to somebody else.
    }
  }
  return members;
}
