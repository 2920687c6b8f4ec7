/**
 * The sending end of plain UDP, and of peers that carry datagrams, a process of its own: `udp-send.ts HOST PORT
 * FRAGMENT_BYTES`. In: media frames on stdin, each behind its length (u32). Out: fragments, at once. Says `READY HOST:PORT`
 * on stderr.
 */
import { createSocket } from 'node:dgram';
import process from 'node:process';
import { U32Parser } from '../../../src/cli/framing-u32.ts';
import { readFrame } from '../frame-bytes.ts';
import { fragmentsOf } from './fragments.ts';

const SEND_BUFFER_BYTES = 1 << 20;

const [host = '', port, fragmentBytes] = process.argv.slice(2);
const socket = createSocket({ type: 'udp4', sendBufferSize: SEND_BUFFER_BYTES });
const parser = new U32Parser();
socket.on('error', (error) => process.stderr.write(`ERROR ${error.message}\n`));
socket.connect(Number(port), host, () => {
  process.stderr.write(`READY ${host}:${port}\n`);
  process.stdin.on('data', (chunk: Buffer) => {
    parser.push(chunk, ({ data }) => {
      const { source, index } = readFrame(data) ?? { source: 0, index: 0 };
      for (const datagram of fragmentsOf(source, index, data, Number(fragmentBytes))) socket.send(datagram);
    });
  });
  process.stdin.on('end', () => socket.close());
});
