/** A peer whose reliable track holds bytes that are no media frame: whoever reads it learns so, and waits no longer. */
import { describe, expect, it } from 'vitest';
import type { IncomingTrack } from '../../src/node/incoming-track.ts';
import { encodeRecordHeader } from '../../src/track/record.ts';
import { libraryPair } from '../helpers/library-pair.ts';

/** More than any length, timestamp or duration may be. */
const MALFORMED = new Uint8Array(64).fill(0xff);

/** What a reader of the track gets: sizes of media frames, then how it ended. */
function read(track: IncomingTrack): string[] {
  const got: string[] = [];
  void (async () => {
    try {
      for await (const { data } of track) got.push(`${data.length} bytes`);
      got.push('end');
    } catch (error) {
      got.push((error as { code: string }).code);
    }
  })();
  return got;
}

/** The server's track, over a stream that the client writes by hand, and what its reader has got. */
async function trackOf(pieces: readonly Uint8Array[], seed: number) {
  const { client, server, run } = libraryPair(seed);
  const { streams, tracks } = client.end.connection;
  const stream = streams.open('track');
  if (stream === undefined) throw new Error('the peer takes no track');
  tracks.openReliable({ kind: 'data', streamId: stream.id, metadata: new TextEncoder().encode('{}') });
  for (const piece of pieces) stream.write(piece);
  client.end.host.pump();
  await run(50);
  const { value } = await server.tracks.incoming[Symbol.asyncIterator]().next();
  const track = value as IncomingTrack;
  const got = read(track);
  await run(200);
  return { track, got, stream, client, run };
}

describe('a reliable track whose bytes are no media frame', () => {
  it('fails its reader, seed 1', async () => {
    const { track, got } = await trackOf([MALFORMED], 1);
    expect(got).toEqual(['ERR_MILLRACE_PROTOCOL']);
    expect(track.isComplete).toBe(false);
  });

  it('gives the media frames in front of them first, seed 2', async () => {
    const header = encodeRecordHeader(5, { timestampUs: 0 });
    const { got } = await trackOf([header, new Uint8Array(5), MALFORMED], 2);
    expect(got).toEqual(['5 bytes', 'ERR_MILLRACE_PROTOCOL']);
  });

  it('has ended for whoever reads on, seed 3', async () => {
    const { track, got, run } = await trackOf([MALFORMED], 3);
    const again = read(track);
    await run(10);
    expect([got, again]).toEqual([['ERR_MILLRACE_PROTOCOL'], ['end']]);
  });
});

describe('the reader of a reliable track', () => {
  it('learns of the end when the sender resets it, seed 4', async () => {
    const { got, stream, client, run } = await trackOf([encodeRecordHeader(5, { timestampUs: 0 })], 4);
    expect(got).toEqual([]);
    stream.reset(7);
    client.end.host.pump();
    await run(100);
    expect(got).toEqual(['end']);
  });

  it('learns of the end when it is stopped from outside, seed 5', async () => {
    const { track, got, run } = await trackOf([encodeRecordHeader(5, { timestampUs: 0 })], 5);
    track.stop(7);
    await run(100);
    expect(got).toEqual(['end']);
  });
});
