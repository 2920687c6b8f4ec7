/**
 * A TCP connection of the running kernel, set up as a live application would: no Nagle, little unsent data in the kernel,
 * and the congestion control that was asked for, read back. In: address, options. Out: a connected socket of Node, what
 * the kernel says it uses, and how much of it is still unsent. Source: tcp(7).
 */
import { Socket } from 'node:net';
import { errorName, requireLibC } from '../native.ts';

const AF_INET = 2;
const SOCK_STREAM_CLOEXEC = 0o2000001;
const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
const TCP_CONGESTION = 13;
const TCP_NOTSENT_LOWAT = 25;
/** Bytes written and not yet sent for the first time (linux/sockios.h). */
const SIOCOUTQNSD = 0x894b;
const NAME_BYTES = 16;

export interface TcpOptions {
  readonly congestion: string;
  /** Above this, the kernel takes no more until some is sent. Undefined: as much as its buffer holds, for bulk. */
  readonly unsentBytesMax: number | undefined;
}

export interface TcpConnection {
  readonly socket: Socket;
  /** What the kernel says it uses. */
  readonly congestion: string;
  /** Bytes in the kernel that have never been sent. */
  unsentBytes(): number;
}

function integer(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32LE(value);
  return bytes;
}

/** Connects, and waits for that. Throws an Error that says which call failed. */
export function connectTcp(host: string, port: number, options: TcpOptions): TcpConnection {
  const libc = requireLibC();
  const must = (what: string, result: number): number => {
    if (result < 0) throw new Error(`${what}: ${errorName(libc.errno())}`);
    return result;
  };
  const fd = must('socket', libc.socket(AF_INET, SOCK_STREAM_CLOEXEC, 0));
  const set = (what: string, name: number, value: Buffer): void => {
    must(what, libc.setsockopt(fd, IPPROTO_TCP, name, value, value.length));
  };
  set(`congestion control ${options.congestion}`, TCP_CONGESTION, Buffer.from(options.congestion, 'latin1'));
  set('TCP_NODELAY', TCP_NODELAY, integer(1));
  if (options.unsentBytesMax !== undefined)
    set('TCP_NOTSENT_LOWAT', TCP_NOTSENT_LOWAT, integer(options.unsentBytesMax));
  const address = Buffer.alloc(16);
  address.writeUInt16LE(AF_INET, 0);
  address.writeUInt16BE(port, 2);
  address.set(host.split('.').map(Number), 4);
  must(`connect to ${host}:${port}`, libc.connect(fd, address, address.length));
  const name = Buffer.alloc(NAME_BYTES);
  must('TCP_CONGESTION', libc.getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, integer(NAME_BYTES)));
  const count = Buffer.alloc(4);
  return {
    socket: new Socket({ fd, readable: true, writable: true }),
    congestion: name.toString('latin1').replace(/\0.*$/, ''),
    unsentBytes: () => (libc.ioctl(fd, SIOCOUTQNSD, count) < 0 ? 0 : count.readInt32LE(0)),
  };
}
