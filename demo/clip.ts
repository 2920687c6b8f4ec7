/** The clip as a live source sends it: media frames of whole TS packets, each with the time at which it is due. */
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { TS_PACKET_BYTES, TsParser } from '../src/cli/framing-ts.ts';

/** As many packets as fit one datagram of 1200 bytes. */
const FRAME_BYTES = 6 * TS_PACKET_BYTES;

export interface ClipFrame {
  readonly data: Uint8Array;
  /** From the beginning of the clip, integer us. */
  readonly dueUs: number;
  readonly keyFrame: boolean;
}

export const clipBytes: Uint8Array = readFileSync(
  fileURLToPath(new URL('./media/clip.mpegts', import.meta.url)),
);

/** Cuts the clip. Frames without a clock reference of their own are spread evenly between those that have one. */
export function clipFrames(): readonly ClipFrame[] {
  const units: { data: Uint8Array; timestampUs: number | undefined; keyFrame: boolean }[] = [];
  const parser = new TsParser(() => FRAME_BYTES);
  parser.push(clipBytes, (unit) => units.push(unit));
  parser.end((unit) => units.push(unit));
  const clocked = units.flatMap(({ timestampUs }, index) =>
    timestampUs === undefined ? [] : [{ index, timestampUs }],
  );
  const first = clocked[0];
  if (first === undefined || clocked.length < 2) throw new Error('the clip has no clock');
  let at = 0;
  return units.map(({ data, keyFrame }, index) => {
    while (at + 2 < clocked.length && (clocked[at + 1] as typeof first).index <= index) at++;
    const before = clocked[at] as typeof first;
    const after = clocked[at + 1] as typeof first;
    const perFrameUs = (after.timestampUs - before.timestampUs) / (after.index - before.index);
    const dueUs = Math.round(before.timestampUs - first.timestampUs + (index - before.index) * perFrameUs);
    return { data, dueUs: Math.max(0, dueUs), keyFrame };
  });
}
