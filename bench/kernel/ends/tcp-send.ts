/**
 * The sending end of kernel TCP, a process of its own: `tcp-send.ts HOST PORT CONGESTION [SKIP_MS]`. In: media frames on
 * stdin, each behind its length (u32). Out: the same bytes on the connection. stdin is always read, as a live source must
 * be; what TCP does not take yet waits here. With SKIP_MS a frame is skipped while the oldest byte that TCP has not yet
 * sent is older than that: the rule of `TcpFrameSource`, the model's application.
 * Says `READY HOST:PORT CONGESTION` on stderr, with the congestion control that the kernel reports, and `SKIPPED SOURCE
 * INDEX` for each frame it skips. `bulk` instead of SKIP_MS: a stream without frames, which waits when TCP does.
 */
import process from 'node:process';
import { U32Parser } from '../../../src/cli/framing-u32.ts';
import { readFrame } from '../frame-bytes.ts';
import { connectTcp, type TcpConnection } from './tcp-socket.ts';

/** Enough that this process is never late to refill it (25 ms at 20 Mbit/s); what waits is counted wherever it waits. */
const UNSENT_BYTES_MAX = 65_536;
const PREFIX_BYTES = 4;

/** Frames written and not wholly sent, oldest first. */
class Unsent {
  readonly #connection: TcpConnection;
  readonly #frames: { readonly end: number; readonly writtenAtMs: number }[] = [];
  #written = 0;

  constructor(connection: TcpConnection) {
    this.#connection = connection;
  }

  onWritten(bytes: number): void {
    this.#written += bytes;
    this.#frames.push({ end: this.#written, writtenAtMs: performance.now() });
  }

  /** How long the oldest unsent byte has been waiting. */
  behindMs(): number {
    const { socket } = this.#connection;
    const sent = this.#written - socket.writableLength - this.#connection.unsentBytes();
    while ((this.#frames[0]?.end ?? Number.POSITIVE_INFINITY) <= sent) this.#frames.shift();
    const oldest = this.#frames[0];
    return oldest === undefined ? 0 : performance.now() - oldest.writtenAtMs;
  }
}

function sendFrames(connection: TcpConnection, skipMs: number): void {
  const unsent = new Unsent(connection);
  const parser = new U32Parser();
  process.stdin.on('data', (chunk: Buffer) => {
    parser.push(chunk, ({ data }) => {
      if (unsent.behindMs() > skipMs) {
        const { source, index } = readFrame(data) ?? { source: -1, index: -1 };
        process.stderr.write(`SKIPPED ${source} ${index}\n`);
        return;
      }
      const prefix = Buffer.alloc(PREFIX_BYTES);
      prefix.writeUInt32BE(data.length);
      connection.socket.write(Buffer.concat([prefix, data]));
      unsent.onWritten(PREFIX_BYTES + data.length);
    });
  });
  process.stdin.on('end', () => connection.socket.end());
}

const [host = '', port, congestion = '', mode] = process.argv.slice(2);
const connection = connectTcp(host, Number(port), {
  congestion,
  unsentBytesMax: mode === 'bulk' ? undefined : UNSENT_BYTES_MAX,
});
connection.socket.on('error', (error) => {
  process.stderr.write(`ERROR ${error.message}\n`);
  process.exitCode = 1;
});
process.stderr.write(`READY ${host}:${port} ${connection.congestion}\n`);
if (mode === 'bulk') process.stdin.pipe(connection.socket);
else sendFrames(connection, mode === undefined ? Number.POSITIVE_INFINITY : Number(mode));
