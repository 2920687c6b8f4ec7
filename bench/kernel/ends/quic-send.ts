/**
 * The sending end of QUIC, a process of its own: `quic-send.ts OWN-HOST HOST PORT CONGESTION [bulk]`. In: media frames on
 * stdin, each behind its length (u32). Out: the same bytes on one stream. stdin is always read, as a live source must be;
 * `bulk`: it waits when QUIC does. Says `READY HOST:PORT` on stderr.
 */
import { createSocket } from 'node:dgram';
import process from 'node:process';
import { QuicEnd } from './quiche.ts';

const SEND_BUFFER_BYTES = 1 << 20;

const [own, host = '', port, congestion = '', mode] = process.argv.slice(2);
const socket = createSocket({ type: 'udp4', sendBufferSize: SEND_BUFFER_BYTES });
socket.bind(0, own, async () => {
  const end = await QuicEnd.connect(socket, { host, port: Number(port) }, congestion);
  end.onDrain = () => process.stdin.resume();
  end.onEstablished = () => {
    process.stderr.write(`READY ${host}:${port}\n`);
    process.stdin.on('data', (bytes: Buffer) => {
      if (!end.write(bytes) && mode === 'bulk') process.stdin.pause();
    });
  };
});
