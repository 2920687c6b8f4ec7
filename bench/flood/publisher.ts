/** The call that is under way: video and audio at their usual pace, the time of sending in each frame. */
import process from 'node:process';
import { connect, type OutgoingTrack } from '../../src/index.ts';
import { AUDIO, HOST, machineUs, PASSPHRASE, type Pace, VIDEO } from './media.ts';

function play(track: OutgoingTrack, { intervalMs, bytes }: Pace): void {
  const data = new Uint8Array(bytes).fill(7);
  let dueMs = performance.now();
  const next = (): void => {
    track.send(data, { timestamp: machineUs() });
    dueMs += intervalMs;
    setTimeout(next, Math.max(1, dueMs - performance.now()));
  };
  next();
}

/** Runs until the process is ended. */
export async function publish(port: number): Promise<void> {
  const target = { host: HOST, port, resource: 'live' };
  const connection = await connect(target, { passphrase: PASSPHRASE, startBitrate: 4_000_000 });
  play(connection.createTrack({ kind: 'video' }), VIDEO);
  play(connection.createTrack({ kind: 'audio' }), AUDIO);
  process.send?.('ready');
  await connection.closed;
}
