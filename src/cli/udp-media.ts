/**
 * UDP and RTP media: a datagram in is a media frame, a media frame out is a datagram, boundaries and order kept, so RTP
 * passes unchanged. Multicast with `?iface=ADDRESS&ttl=N`; for `rtp:` also `?clock=RATE`.
 */
import { createSocket, type Socket } from 'node:dgram';
import { lookup } from 'node:dns/promises';
import { isIPv6 } from 'node:net';
import { TransportError } from '../base/errors.ts';
import { whyUnresolved } from '../node/resolve.ts';
import { ioError, UsageError } from './errors.ts';
import type { FrameParser } from './framing.ts';
import { looksLikeTs, TS_PACKET_BYTES } from './framing-ts.ts';
import type { InputContext, UnitSink } from './input-context.ts';
import { parseInteger } from './units.ts';
import { formatAddress, type MediaUri } from './uri.ts';

export type UdpUri = Extract<MediaUri, { kind: 'udp' | 'rtp' }>;

/** The largest UDP payload over IPv4. */
export const UDP_PAYLOAD_MAX = 65_507;
const RTP_HEADER_BYTES = 12;
/** As everybody sends MPEG-TS over UDP: what fits an Ethernet frame. */
const TS_DATAGRAM_BYTES: number = 7 * TS_PACKET_BYTES;
/** A key frame arrives as hundreds of datagrams at once: ask for room. The kernel may give less. */
const RECEIVE_BUFFER_BYTES = 4_194_304;

interface UdpParameters {
  readonly iface: string | undefined;
  readonly ttl: number | undefined;
  readonly clockRate: number;
}

/** Reads the query of a `udp:` or `rtp:` URI. */
export function parseUdpParameters(uri: UdpUri): UdpParameters {
  const known = uri.kind === 'rtp' ? ['iface', 'ttl', 'clock'] : ['iface', 'ttl'];
  for (const name of uri.parameters.keys()) {
    if (!known.includes(name)) {
      throw new UsageError(`${uri.kind}: has no parameter '${name}': there are ${known.join(', ')}`);
    }
  }
  const ttl = uri.parameters.get('ttl');
  return {
    iface: uri.parameters.get('iface'),
    ttl: ttl === undefined ? undefined : parseInteger(ttl, 'ttl', 1, 255),
    clockRate: parseInteger(uri.parameters.get('clock') ?? '90000', 'clock', 1, 10_000_000),
  };
}

/** Receives until the signal fires. */
export async function runUdpInput(
  uri: UdpUri,
  context: InputContext,
  newParser: (() => FrameParser) | undefined,
  sink: UnitSink,
): Promise<void> {
  const parameters = parseUdpParameters(uri);
  const name = `${uri.kind}://${formatAddress(uri.host, uri.port)}`;
  const host = uri.host === '' ? undefined : await resolve(uri.host, name);
  if (context.signal.aborted) return;
  const socket = createSocket({ type: isIPv6(host ?? '') ? 'udp6' : 'udp4', reuseAddr: isMulticast(host) });
  const rtp = uri.kind === 'rtp' ? new RtpClock(parameters.clockRate) : undefined;
  const emit = (unit: Parameters<UnitSink>[0]): void => void sink(unit);
  let parser = newParser?.();
  let isNoted = false;
  await new Promise<void>((finish, fail) => {
    const stop = (): void => {
      context.signal.removeEventListener('abort', stop);
      socket.close();
      finish();
    };
    context.signal.addEventListener('abort', stop);
    socket.on('error', (error) => {
      context.signal.removeEventListener('abort', stop);
      socket.close();
      fail(ioError(name, error));
    });
    socket.on('message', (data) => {
      if (parser === undefined) {
        emit({ data, timestampUs: rtp?.timestampUs(data), keyFrame: false, discardable: false, track: 0 });
      } else {
        try {
          parser.push(data, emit);
          parser.flush(emit);
        } catch (error) {
          // Anybody may send here: what does not parse is left out, as what is lost would be.
          parser = newParser?.();
          if (!isNoted) context.note(`${name}: a datagram is left out: ${(error as Error).message}`);
          isNoted = true;
        }
      }
    });
    socket.bind(uri.port, bindAddress(host), () => {
      try {
        if (isMulticast(host)) socket.addMembership(host as string, parameters.iface);
        socket.setRecvBufferSize(RECEIVE_BUFFER_BYTES);
      } catch (error) {
        socket.emit('error', error);
      }
    });
  });
}

/** Media time of RTP packets: their timestamp, unwrapped, from the first one on. Source: RFC 3550 §5.1. */
export class RtpClock {
  readonly #rate: number;
  #source = -1;
  #last = 0;
  #ticks = 0;

  constructor(rate: number) {
    this.#rate = rate;
  }

  /** Integer us, or undefined if this is not RTP. */
  timestampUs(packet: Uint8Array): number | undefined {
    if (packet.length < RTP_HEADER_BYTES || (packet[0] as number) >> 6 !== 2) return undefined;
    const view = new DataView(packet.buffer, packet.byteOffset, packet.length);
    const timestamp = view.getUint32(4);
    const source = view.getUint32(8);
    // Another source begins its own timestamps: go on from where the media time is.
    if (source === this.#source) this.#ticks += (timestamp - this.#last) | 0;
    this.#source = source;
    this.#last = timestamp;
    return Math.round((this.#ticks * 1e6) / this.#rate);
  }
}

/** Sends media frames as datagrams. */
export class UdpSender {
  readonly #socket: Socket;
  readonly #host: string;
  readonly #port: number;
  readonly #name: string;
  #oversized = 0;
  #note: (line: string) => void;
  /** Datagrams that the socket has not sent yet: it looks their address up first. */
  #waiting = 0;
  #onSent: (() => void) | undefined;
  readonly #sent: () => void = () => {
    if (--this.#waiting === 0) this.#onSent?.();
  };

  private constructor(socket: Socket, host: string, uri: UdpUri, note: (line: string) => void) {
    this.#socket = socket;
    this.#host = host;
    this.#port = uri.port;
    this.#name = `${uri.kind}://${formatAddress(uri.host, uri.port)}`;
    this.#note = note;
  }

  /** Resolves the host once and opens the socket. */
  static async open(uri: UdpUri, note: (line: string) => void): Promise<UdpSender> {
    const parameters = parseUdpParameters(uri);
    const name = `${uri.kind}://${formatAddress(uri.host, uri.port)}`;
    if (uri.host === '') throw new UsageError(`${name} names no host to send to: write udp://HOST:PORT`);
    const host = await resolve(uri.host, name);
    const socket = createSocket(isIPv6(host) ? 'udp6' : 'udp4');
    try {
      await new Promise<void>((done, fail) => {
        socket.once('error', fail);
        socket.bind(0, () => {
          socket.off('error', fail);
          done();
        });
      });
      if (isMulticast(host) && parameters.ttl !== undefined) socket.setMulticastTTL(parameters.ttl);
      if (!isMulticast(host) && parameters.ttl !== undefined) socket.setTTL(parameters.ttl);
      if (isMulticast(host) && parameters.iface !== undefined) socket.setMulticastInterface(parameters.iface);
    } catch (error) {
      socket.close();
      throw ioError(name, error);
    }
    // Whoever should listen there may come later: a refusal is no failure of ours.
    socket.on('error', () => {});
    return new UdpSender(socket, host, uri, note);
  }

  /** Never waits: like the network, it keeps nothing. A picture of MPEG-TS goes in datagrams of seven packets. */
  send(data: Uint8Array): void {
    if (data.length > TS_DATAGRAM_BYTES && data.length % TS_PACKET_BYTES === 0 && looksLikeTs(data)) {
      for (let at = 0; at < data.length; at += TS_DATAGRAM_BYTES) {
        this.#put(data.subarray(at, at + TS_DATAGRAM_BYTES));
      }
      return;
    }
    if (data.length > UDP_PAYLOAD_MAX) {
      if (this.#oversized++ === 0) {
        this.#note(
          `${this.#name}: a media frame of ${data.length} bytes does not fit a datagram and is left out`,
        );
      }
      return;
    }
    this.#put(data);
  }

  #put(datagram: Uint8Array): void {
    this.#waiting++;
    this.#socket.send(datagram, this.#port, this.#host, this.#sent);
  }

  /** After the last datagram has left: a closed socket drops what waits. */
  async close(): Promise<void> {
    if (this.#waiting > 0) {
      await new Promise<void>((resolve) => {
        this.#onSent = resolve;
      });
    }
    await new Promise<void>((resolve) => {
      this.#socket.close(resolve);
    });
  }
}

/**
 * A socket that is bound to the group gets what is sent to that group. Bound to every address, Linux gives it what is sent
 * to any group that anybody on this machine has joined. Windows binds to no group, and neither do scoped IPv6 ones.
 */
function bindAddress(host: string | undefined): string | undefined {
  const isUnbindable = process.platform === 'win32' || isIPv6(host ?? '');
  return isMulticast(host) && isUnbindable ? undefined : host;
}

function isMulticast(host: string | undefined): boolean {
  return host !== undefined && /^(?:22[4-9]|23\d)\.|^ff/i.test(host);
}

async function resolve(host: string, name: string): Promise<string> {
  try {
    return (await lookup(host)).address;
  } catch (cause) {
    throw new TransportError('ERR_MILLRACE_UNKNOWN_HOST', `${name}: ${whyUnresolved(host, cause)}`, {
      cause,
    });
  }
}
