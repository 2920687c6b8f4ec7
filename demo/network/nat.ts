/**
 * A NAT of its own for one flow, inside the sender's namespace: what comes to a local port leaves from another.
 * In: datagrams of one sender. Out: the same towards `--to`, and the answers back. SIGUSR2 gives the flow another port.
 */
import { createSocket, type RemoteInfo, type Socket } from 'node:dgram';
import process from 'node:process';
import { parseArgs } from 'node:util';

const { values } = parseArgs({ options: { to: { type: 'string' } } });
const [host, port] = (values.to ?? '').split(':');
if (host === undefined || port === undefined) {
  console.error('usage: nat.ts --to HOST:PORT');
  process.exit(2);
}
const BUFFER_BYTES = 1 << 20;
const inside = createSocket({ type: 'udp4', recvBufferSize: BUFFER_BYTES });
let outside: Socket | undefined;
let caller: RemoteInfo | undefined;

/** What is under way to the old port is lost from now on. */
function rebind(): void {
  const next = createSocket({ type: 'udp4', recvBufferSize: BUFFER_BYTES });
  next.on('error', () => {});
  next.on('message', (datagram) => {
    if (caller !== undefined && next === outside) inside.send(datagram, caller.port, caller.address);
  });
  outside?.close();
  outside = next;
}

inside.on('error', () => {});
inside.on('message', (datagram, from) => {
  caller = from;
  outside?.send(datagram, Number(port), host);
});
rebind();
inside.bind(0, '127.0.0.1', () => console.error(`LISTENING 127.0.0.1:${inside.address().port}`));
process.on('SIGUSR2', rebind);
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(0));
