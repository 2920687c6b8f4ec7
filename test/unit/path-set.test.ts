import { describe, expect, test } from 'vitest';
import { MILLISECOND } from '../../src/base/protocol.ts';
import { SeededRandom } from '../../src/base/random.ts';
import type { ConnectionIds } from '../../src/path/connection-ids.ts';
import { NO_KEEPER, PathSet } from '../../src/path/path-set.ts';

const HOME = 0;
const ELSEWHERE = 1;
const ID = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);

function serverPaths(): PathSet {
  const ids = { take: () => ID, release() {} } as unknown as ConnectionIds;
  return new PathSet({
    isServer: true,
    keeper: NO_KEEPER,
    events: { onMoved() {}, onNewRoute() {}, onWanted() {} },
    random: new SeededRandom(1),
    ids,
    path: HOME,
    remoteId: ID,
    probeTimeoutUs: () => 100 * MILLISECOND,
  });
}

/** As after a handshake with one address. */
function provenPaths(): PathSet {
  const paths = serverPaths();
  paths.onDatagram(HOME, 1_200);
  paths.onProof(0);
  return paths;
}

/** A packet that is more than a probe arrives as the newest. */
function arrive(paths: PathSet, path: number, packetNumber: number, atMs: number): void {
  paths.onDatagram(path, 100);
  paths.onPacket(packetNumber, true, false, atMs * MILLISECOND);
}

/** The same packet again. */
function arriveAgain(paths: PathSet, path: number, packetNumber: number, atMs: number): void {
  paths.onDatagram(path, 100);
  paths.onDuplicate(packetNumber, atMs * MILLISECOND);
}

describe('a server whose peer has been in one place', () => {
  test('takes the handshake for a proof of it', () => {
    expect(provenPaths().active.isValidated).toBe(true);
  });

  test('follows the newest packet, and asks there', () => {
    const paths = provenPaths();
    arrive(paths, ELSEWHERE, 7, 0);
    expect(paths.active.id).toBe(ELSEWHERE);
    expect(paths.active.isValidating).toBe(true);
  });

  test('goes back when the packet that it followed comes from there too', () => {
    const paths = provenPaths();
    arrive(paths, ELSEWHERE, 7, 0);
    arriveAgain(paths, HOME, 7, 1);
    expect(paths.active.id).toBe(HOME);
  });

  test('does not go back for an older packet that comes again', () => {
    const paths = provenPaths();
    arrive(paths, ELSEWHERE, 7, 0);
    arriveAgain(paths, HOME, 6, 1);
    expect(paths.active.id).toBe(ELSEWHERE);
  });

  test('follows nobody for three seconds after a copy who has not answered a challenge', () => {
    const paths = provenPaths();
    arrive(paths, ELSEWHERE, 7, 0);
    arriveAgain(paths, HOME, 7, 1);
    arrive(paths, ELSEWHERE, 8, 2_000);
    expect(paths.active.id).toBe(HOME);
    arrive(paths, ELSEWHERE, 9, 3_002);
    expect(paths.active.id).toBe(ELSEWHERE);
  });

  test('follows at once who answers', () => {
    const paths = provenPaths();
    arrive(paths, ELSEWHERE, 7, 0);
    const copied = paths.active;
    arriveAgain(paths, HOME, 7, 1);
    copied.isValidated = true;
    arrive(paths, ELSEWHERE, 8, 2);
    expect(paths.active.id).toBe(ELSEWHERE);
  });
});

test('a server that has answered a handshake in two places asks before it takes either for proven', () => {
  const paths = serverPaths();
  paths.onDatagram(HOME, 1_200);
  paths.onInitial(0);
  paths.onDatagram(ELSEWHERE, 1_200);
  paths.onInitial(0);
  expect(paths.active.id).toBe(ELSEWHERE);
  paths.onProof(0);
  expect(paths.active.isValidated).toBe(false);
  expect(paths.active.isValidating).toBe(true);
});
