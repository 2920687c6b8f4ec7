/**
 * The receiving end of kernel TCP, a process of its own: `tcp-receive.ts PORT`. In: one connection. Out: its bytes on
 * stdout. Says `LISTENING PORT` on stderr.
 */
import { createServer } from 'node:net';
import process from 'node:process';

const server = createServer((socket) => {
  socket.on('error', (error) => process.stderr.write(`ERROR ${error.message}\n`));
  socket.on('end', () => server.close());
  socket.pipe(process.stdout);
});
server.listen(Number(process.argv[2]), () => process.stderr.write(`LISTENING ${process.argv[2]}\n`));
