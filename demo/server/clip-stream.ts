/**
 * The clip for browsers without WebCodecs: the server is encoder and player, the browser gets what came through as one
 * endless MPEG-TS. In: a request for `/clip/tcp` or `/clip/millrace`. Out: the stream, until the browser goes.
 */
import type { ServerResponse } from 'node:http';
import { WebSocket } from 'ws';
import { type ClipFrame, clipFrames } from '../clip.ts';
import { decodeChunk, encodeChunk, type MediaMessage, parseMessage } from '../media-protocol.ts';
import type { MediaAddresses, SideName } from '../network/network.ts';
import { ClipLoop } from './clip-loop.ts';

const CLIP_SECONDS = 10;
const TICK_MS = 10;
/** The browser does not read: what comes is left out. */
const BACKLOG_BYTES_MAX = 1_048_576;
const TRACK = 0;

/** Which side's clip a path asks for. */
export function clipSide(path: string): SideName | undefined {
  if (path === '/clip/tcp') return 'tcp';
  return path === '/clip/millrace' ? 'millrace' : undefined;
}

function open(address: string): WebSocket {
  // ws takes a path of a socket, a colon, and the path of the request.
  const socket = new WebSocket(`ws+unix:${address.slice('unix:'.length)}:/`);
  socket.on('error', () => socket.terminate());
  return socket;
}

const PACKET_BYTES = 188;
/** What ffmpeg gives the first stream of a file: the picture. */
const VIDEO_PID = 0x100;

/** The clip cut at its pictures: decoders of browsers give up at half a picture, and go on after a missing one. */
function clipPictures(): readonly ClipFrame[] {
  const pictures: ClipFrame[] = [];
  let parts: Uint8Array[] = [];
  let [dueUs, keyFrame] = [0, true];
  for (const frame of clipFrames()) {
    for (let at = 0; at < frame.data.length; at += PACKET_BYTES) {
      const packet = frame.data.subarray(at, at + PACKET_BYTES);
      const [, high = 0, low = 0, flags = 0, adaptationBytes = 0, adaptation = 0] = packet;
      const isPictureStart = (high & 0x40) !== 0 && (((high & 0x1f) << 8) | low) === VIDEO_PID;
      if (isPictureStart && pictures.length + parts.length > 0) {
        pictures.push({ data: Buffer.concat(parts), dueUs, keyFrame });
        parts = [];
        dueUs = frame.dueUs;
        keyFrame = (flags & 0x20) !== 0 && adaptationBytes > 0 && (adaptation & 0x40) !== 0;
      }
      parts.push(packet);
    }
  }
  pictures.push({ data: Buffer.concat(parts), dueUs, keyFrame });
  return pictures;
}

/** Plays the clip in real time, over and over. Skips to the next key frame where the sender is behind. */
function film(socket: WebSocket): () => void {
  const frames = clipPictures();
  const loop = new ClipLoop(CLIP_SECONDS);
  const startMs = performance.now();
  let [index, round] = [0, 0];
  let [isBehind, waitsForKeyFrame] = [false, false];
  socket.on('message', (data, isBinary) => {
    const message = isBinary ? undefined : parseMessage(data.toString());
    if (message?.type === 'behind') isBehind = message.isBehind;
  });
  const announce: MediaMessage = {
    type: 'track',
    track: TRACK,
    kind: 'video',
    metadata: { container: 'mpegts' },
  };
  socket.on('open', () => socket.send(JSON.stringify(announce)));
  const timer = setInterval(() => {
    const nowUs = (performance.now() - startMs) * 1_000;
    for (;;) {
      const frame = frames[index];
      if (frame === undefined) return;
      const dueUs = Math.round(frame.dueUs + round * CLIP_SECONDS * 1e6);
      if (dueUs > nowUs) return;
      // Rewritten even if it is skipped: the counters count what was made.
      const data = loop.rewrite(frame.data);
      if (isBehind) waitsForKeyFrame = true;
      else if (frame.keyFrame) waitsForKeyFrame = false;
      if (!waitsForKeyFrame && socket.readyState === socket.OPEN) {
        const { keyFrame } = frame;
        const head = { track: TRACK, keyFrame, discardable: false, skipped: 0, durationUs: 0 };
        socket.send(encodeChunk({ ...head, timestampUs: dueUs, data }));
      }
      index++;
      if (index < frames.length) continue;
      index = 0;
      round++;
      loop.nextRound();
    }
  }, TICK_MS);
  return () => clearInterval(timer);
}

/** Answers with one side's clip. */
export function streamClip({ sender, receiver }: MediaAddresses, response: ServerResponse): void {
  const player = open(receiver);
  const encoder = open(sender);
  const stop = film(encoder);
  response.writeHead(200, { 'content-type': 'video/mp2t', 'cache-control': 'no-store' });
  player.on('message', (data, isBinary) => {
    const chunk = isBinary ? decodeChunk(data as Buffer) : undefined;
    if (chunk !== undefined && response.writableLength < BACKLOG_BYTES_MAX) response.write(chunk.data);
  });
  response.on('close', () => {
    stop();
    player.terminate();
    encoder.terminate();
  });
}
