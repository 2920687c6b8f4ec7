/**
 * The receiving end of QUIC, a process of its own: `quic-receive.ts HOST PORT CONGESTION`. In: one stream of one
 * connection. Out: its bytes on stdout. Says `LISTENING PORT` on stderr.
 */
import { createSocket } from 'node:dgram';
import process from 'node:process';
import { QuicEnd } from './quiche.ts';

const RECEIVE_BUFFER_BYTES = 4 << 20;

const [host, port, congestion = ''] = process.argv.slice(2);
const socket = createSocket({ type: 'udp4', recvBufferSize: RECEIVE_BUFFER_BYTES });
socket.bind(Number(port), host, async () => {
  const end = await QuicEnd.listen(socket, congestion);
  end.onBytes = (bytes) => process.stdout.write(bytes);
  process.stderr.write(`LISTENING ${port}\n`);
});
