/**
 * Live video and audio over the kernel's TCP, as well as an application can do it: no Nagle, a short queue in the kernel,
 * pictures skipped before they are encoded while earlier ones wait, a bitrate that follows what TCP delivers.
 * In: chunks of an encoder on a media socket. Out: the same on a TCP connection. SIGUSR2: the NAT has another port.
 */
import { connect, type Socket } from 'node:net';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { loadLibC } from '../../bench/kernel/native.ts';
import type { Chunk } from '../media-protocol.ts';
import { MediaServer, type MediaSocket } from '../media-socket.ts';
import { Announcements, EncoderGuide } from './encoder-guide.ts';
import { FrameReader, frameChunk, frameMessage } from './framing.ts';

const IPPROTO_TCP = 6;
const TCP_INFO = 11;
const TCP_CONGESTION = 13;
const TCP_NOTSENT_LOWAT = 25;
/** Of `struct tcp_info` in Linux 4.19 and later, up to and with `tcpi_bytes_retrans`. Source: include/uapi/linux/tcp.h. */
const TCP_INFO_BYTES = 216;
const BYTES_RETRANS_OFFSET = 208;
/** What the kernel may hold that it has not sent: enough for one turn of the event loop. */
const NOTSENT_BYTES = 16_384;
const UPDATE_MS = 50;
const RETRY_MS = 200;

const { values } = parseArgs({
  options: { to: { type: 'string' }, serve: { type: 'string' }, 'max-bitrate': { type: 'string' } },
});
const { to, serve } = values;
if (to === undefined || serve === undefined) {
  console.error('usage: tcp/sender.ts --to HOST:PORT --serve unix:PATH [--max-bitrate BPS]');
  process.exit(2);
}

/** Options that Node.js does not offer. Returns the congestion control in force. */
function tune(socket: Socket): string {
  const libc = loadLibC();
  const { fd } = (socket as Socket & { _handle?: { fd: number } })._handle ?? {};
  if (typeof libc === 'string' || fd === undefined) return 'unknown';
  const lowWater = Buffer.alloc(4);
  lowWater.writeInt32LE(NOTSENT_BYTES);
  libc.setsockopt(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, lowWater, lowWater.length);
  const name = Buffer.from('cubic');
  libc.setsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, name, name.length);
  const inForce = Buffer.alloc(16);
  const length = Buffer.alloc(4);
  length.writeInt32LE(inForce.length);
  libc.getsockopt(fd, IPPROTO_TCP, TCP_CONGESTION, inForce, length);
  return inForce.toString('latin1').replace(/\0.*$/, '');
}

/** Bytes that the kernel has sent again on this connection; 0 where it does not say. */
function resentBytes(socket: Socket): number {
  const libc = loadLibC();
  const { fd } = (socket as Socket & { _handle?: { fd: number } })._handle ?? {};
  if (typeof libc === 'string' || fd === undefined || fd < 0) return 0;
  const info = Buffer.alloc(TCP_INFO_BYTES);
  const length = Buffer.alloc(4);
  length.writeInt32LE(info.length);
  if (libc.getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, length) !== 0) return 0;
  return Number(info.readBigUInt64LE(BYTES_RETRANS_OFFSET));
}

class TcpSender {
  readonly #host: string;
  readonly #port: number;
  readonly #guide: EncoderGuide;
  readonly #announced: Announcements = new Announcements();
  #encoder: MediaSocket | undefined;
  #socket: Socket | undefined;
  /** When each chunk was written that the kernel has not taken yet, oldest first. */
  #waiting: number[] = [];
  #sentBytes = 0;
  /** On connections before this one. */
  #resentBefore = 0;
  #isClosing = false;

  constructor(address: string, mostBps: number) {
    const at = address.lastIndexOf(':');
    this.#host = address.slice(0, at);
    this.#port = Number(address.slice(at + 1));
    this.#guide = new EncoderGuide(mostBps);
  }

  useEncoder(encoder: MediaSocket): void {
    this.#encoder?.replace();
    this.#encoder = encoder;
    this.#announced.clear();
    this.#guide.useEncoder(encoder);
    encoder.onMessage = (message) => {
      if (message.type !== 'track') return;
      this.#announced.add(message);
      this.#write(frameMessage(message));
      this.#guide.tellAgain();
    };
    encoder.onChunk = (chunk) => this.#send(chunk);
    this.reconnect();
  }

  #send(chunk: Chunk): void {
    if (this.#socket?.readyState !== 'open') return;
    this.#guide.onMedia(chunk.data.length);
    this.#write(frameChunk(chunk));
  }

  #write(bytes: Buffer): void {
    const socket = this.#socket;
    if (socket === undefined) return;
    this.#waiting.push(performance.now());
    socket.write(bytes, () => {
      if (socket !== this.#socket) return;
      this.#waiting.shift();
      this.#sentBytes += bytes.length;
    });
  }

  /** Leaves the connection there is, if any, and makes another. */
  reconnect(): void {
    if (this.#socket !== undefined) this.#resentBefore += resentBytes(this.#socket);
    this.#socket?.destroy();
    this.#waiting = [];
    this.#sentBytes = 0;
    if (this.#isClosing) return;
    const socket = connect({ host: this.#host, port: this.#port, noDelay: true });
    this.#socket = socket;
    const reader = new FrameReader();
    reader.onMessage = (message) => {
      if (message.type === 'keyframe') this.#encoder?.send(message);
    };
    socket.on('data', (bytes) => {
      if (!reader.push(bytes)) socket.destroy();
    });
    socket.on('error', () => {});
    socket.on('close', () => {
      setTimeout(() => {
        // By then another may have taken its place.
        if (socket === this.#socket && !this.#isClosing) this.reconnect();
      }, RETRY_MS);
    });
    socket.on('connect', () => {
      const congestion = tune(socket);
      console.error(`connected to ${this.#host}:${this.#port}, ${congestion}`);
      this.#guide.reset();
      for (const message of this.#announced) this.#write(frameMessage(message));
      this.#announced.requestKeyFrames(this.#encoder);
    });
  }

  update(): void {
    const nowMs = performance.now();
    const [oldest] = this.#waiting;
    const socket = this.#socket;
    const isDown = socket?.readyState !== 'open';
    const resent = socket === undefined || isDown ? 0 : resentBytes(socket);
    const figures = { resendBytes: this.#resentBefore + resent };
    this.#guide.update(nowMs, this.#sentBytes, oldest === undefined ? 0 : nowMs - oldest, isDown, figures);
  }

  close(): void {
    this.#isClosing = true;
    this.#socket?.destroy();
    this.#encoder?.close();
  }
}

const sender = new TcpSender(to, Number(values['max-bitrate'] ?? 2_500_000));
const media = await MediaServer.open(serve, (encoder) => sender.useEncoder(encoder));
const timer = setInterval(() => sender.update(), UPDATE_MS);
sender.reconnect();
process.on('SIGUSR2', () => sender.reconnect());
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    clearInterval(timer);
    sender.close();
    void media.close();
  });
}
