/**
 * The receiving end of tcp/sender.ts: hands on what the kernel's TCP delivers, the moment it does.
 * In: one TCP connection at a time, the newest. Out: chunks for a player on a media socket.
 */
import { type AddressInfo, createServer, type Socket } from 'node:net';
import process from 'node:process';
import { parseArgs } from 'node:util';
import { MediaServer } from '../media-socket.ts';
import { FrameReader, frameMessage } from './framing.ts';
import { PlayerSide } from './player-side.ts';

const { values } = parseArgs({ options: { host: { type: 'string' }, serve: { type: 'string' } } });
const { host, serve } = values;
if (host === undefined || serve === undefined) {
  console.error('usage: tcp/receiver.ts --host ADDRESS --serve unix:PATH');
  process.exit(2);
}

const side = new PlayerSide();
let current: Socket | undefined;
side.onKeyFrameRequest = (track) => current?.write(frameMessage({ type: 'keyframe', track }));

const server = createServer({ noDelay: true }, (socket) => {
  current?.destroy();
  current = socket;
  const reader = new FrameReader();
  reader.onChunk = (chunk) => side.play(chunk);
  reader.onMessage = (message) => {
    if (message.type === 'track') side.announce(message);
  };
  socket.on('error', () => {});
  socket.on('data', (bytes) => {
    if (!reader.push(bytes)) socket.destroy();
  });
});
const media = await MediaServer.open(serve, (player) => side.usePlayer(player));
server.listen(0, host, () => console.error(`LISTENING ${host}:${(server.address() as AddressInfo).port}`));
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.once(signal, () => {
    current?.destroy();
    server.close();
    side.close();
    void media.close();
  });
}
