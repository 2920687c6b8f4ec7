import { describe, expect, test } from 'vitest';
import { MILLISECOND } from '../../src/base/protocol.ts';
import { SeededRandom } from '../../src/base/random.ts';
import type { ConnectionIds } from '../../src/path/connection-ids.ts';
import { NO_KEEPER, type PathKeeper, PathSet } from '../../src/path/path-set.ts';

const HOME = 0;
const ELSEWHERE = 100;
/** Ports of a host: a hundred of each. */
const OF_PORTS: PathKeeper = {
  ...NO_KEEPER,
  isSameHost: (a, b) => Math.floor(a / 100) === Math.floor(b / 100),
};
const ID = Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8);

function serverPaths(): PathSet {
  const ids = { take: () => ID, release() {} } as unknown as ConnectionIds;
  return new PathSet({
    isServer: true,
    keeper: OF_PORTS,
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

describe('the amplification limit', () => {
  const creditOf = (paths: PathSet, atMs: number): number => paths.active.credit(atMs * MILLISECOND);

  test('does not hold for one probe timeout on another port of a host that is proven', () => {
    const paths = provenPaths();
    arrive(paths, HOME + 1, 7, 0);
    expect(creditOf(paths, 99)).toBe(Number.POSITIVE_INFINITY);
    expect(creditOf(paths, 100)).toBe(300);
  });

  test('is not put off by going on to further ports', () => {
    const paths = provenPaths();
    arrive(paths, HOME + 1, 7, 0);
    arrive(paths, HOME + 2, 8, 90);
    expect(creditOf(paths, 99)).toBe(Number.POSITIVE_INFINITY);
    expect(creditOf(paths, 100)).toBe(300);
  });

  test('holds on a host that has proven nothing, however many of its ports are named', () => {
    const paths = provenPaths();
    for (const [i, port] of [0, 1, 0, 1].entries()) {
      arrive(paths, ELSEWHERE + port, 7 + i, i);
      expect(paths.active.id).toBe(ELSEWHERE + port);
      expect(creditOf(paths, i)).toBeLessThanOrEqual(600);
    }
  });
});
