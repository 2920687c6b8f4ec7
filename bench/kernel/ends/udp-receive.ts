/**
 * The receiving end of plain UDP, and of peers that carry datagrams, a process of its own: `udp-receive.ts PORT`. In:
 * fragments. Out: whole frames on stdout, each behind its length (u32). Says `LISTENING PORT` on stderr.
 */
import { createSocket } from 'node:dgram';
import process from 'node:process';
import { Assembler } from './fragments.ts';

const RECEIVE_BUFFER_BYTES = 4 << 20;

const assembler = new Assembler();
const socket = createSocket({ type: 'udp4', recvBufferSize: RECEIVE_BUFFER_BYTES });
socket.on('message', (datagram) => {
  const frame = assembler.push(datagram);
  if (frame === undefined) return;
  const prefix = Buffer.alloc(4);
  prefix.writeUInt32BE(frame.length);
  process.stdout.write(Buffer.concat([prefix, frame]));
});
socket.bind(Number(process.argv[2]), () => process.stderr.write(`LISTENING ${process.argv[2]}\n`));
