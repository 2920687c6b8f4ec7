/**
 * What a failure case is: a name, one figure per seed, and the bound that the figure must keep. Families of cases are
 * lists of these; all.ts collects them, run.ts and the test files run them.
 */

/** One figure of one run, and what TCP did in the same world where that means something. */
export interface Measured {
  readonly value: number;
  /** The same figure for TCP in the same world. Only asked where it is wanted: it costs as much again. */
  readonly tcp?: () => number;
  /** More figures for the reader. No bound holds for them. */
  readonly notes?: Readonly<Record<string, number | string>>;
}

/** One case. */
export interface FailureCase {
  /** Row of the table of failures (`F1`..`F17`) or the suite that it comes from (`interop`, `msquic`, ...). */
  readonly row: string;
  readonly name: string;
  /** What the figure is, as a sentence. */
  readonly figure: string;
  readonly unit: string;
  /** The figure may be this much at the most, */
  readonly most?: number;
  /** or must be this much at least. */
  readonly least?: number;
  /** Takes half a minute: run with the first seed, and not in every run of the tests. */
  readonly isLong?: true;
  /** Runs once per seed. A broken invariant throws. */
  run(seed: number): Measured;
}

/** One case on real sockets, in real time: run by `npm run test:failures` as often as other cases with seeds. */
export interface SocketCase extends Omit<FailureCase, 'run'> {
  /** It takes seconds, and the kernel knows no seed: it runs so often. */
  readonly seedsMax: number;
  run(): Promise<Measured>;
}

/** What became of one case with one seed. */
export interface Outcome {
  readonly row: string;
  readonly name: string;
  readonly seed: number;
  readonly isGood: boolean;
  readonly value?: number;
  readonly tcp?: number;
  readonly notes?: Measured['notes'];
  /** Why it is not good. */
  readonly fault?: string;
}

/** Seeds of every run of the tests; the soak runs a thousand. */
export const SEEDS = 20;

/** How many of the `wanted` first seeds run the case when not all must. */
export function seedsOf(one: FailureCase | SocketCase, wanted: number): number {
  if (one.isLong === true) return Math.min(wanted, 1);
  return 'seedsMax' in one ? Math.min(wanted, one.seedsMax) : wanted;
}

/** Runs one case with one seed; never throws. */
export function judge(one: FailureCase, seed: number, withTcp = false): Outcome {
  try {
    return outcomeOf(one, seed, one.run(seed), withTcp);
  } catch (error) {
    return broken(one, seed, error as Error);
  }
}

/** Runs one case on sockets; never rejects. */
export async function judgeSockets(one: SocketCase, seed: number): Promise<Outcome> {
  try {
    return outcomeOf(one, seed, await one.run(), false);
  } catch (error) {
    return broken(one, seed, error as Error);
  }
}

/** What a case is called, and the bounds of its figure. */
type Bounded = Omit<FailureCase, 'run'>;

function outcomeOf(one: Bounded, seed: number, measured: Measured, withTcp: boolean): Outcome {
  const { row, name } = one;
  const { value, tcp, notes } = measured;
  const fault = faultOf(one, value);
  return {
    row,
    name,
    seed,
    isGood: fault === undefined,
    value,
    ...(withTcp && tcp !== undefined ? { tcp: tcp() } : {}),
    ...(notes === undefined ? {} : { notes }),
    ...(fault === undefined ? {} : { fault }),
  };
}

function broken({ row, name }: Bounded, seed: number, error: Error): Outcome {
  return { row, name, seed, isGood: false, fault: error.message };
}

function faultOf(one: Bounded, value: number): string | undefined {
  const said = `${one.figure}: ${Number(value.toPrecision(5))} ${one.unit}`;
  if (Number.isNaN(value)) return `${said} is no figure`;
  if (one.most !== undefined && value > one.most) return `${said}, at most ${one.most} is allowed`;
  if (one.least !== undefined && value < one.least) return `${said}, at least ${one.least} is asked`;
  return undefined;
}
