/** A UDP port of loopback that nobody uses: the system chose it a moment ago, and will not choose it again soon. */
import { createSocket } from 'node:dgram';

export async function freePort(): Promise<number> {
  const socket = createSocket('udp4');
  await new Promise<void>((resolve) => {
    socket.bind(0, '127.0.0.1', resolve);
  });
  const { port } = socket.address();
  await new Promise<void>((resolve) => socket.close(resolve));
  return port;
}
