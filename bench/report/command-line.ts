/**
 * The options of a bench program, as a table. In: what was typed. Out: values, or the end of the program: `--help`
 * prints the table and ends with 0; what is not in it, or makes no sense, is said in one line with a usage line, and
 * ends with 2.
 */
import process from 'node:process';
import { parseArgs } from 'node:util';

/** Exit code of who was asked for something that there is not. */
const EXIT_USAGE = 2;
/** Column in which the words about an option begin. */
const WORDS_COLUMN = 28;

export interface BenchOption {
  readonly type: 'boolean' | 'string';
  /** May be given several times. */
  readonly multiple?: true;
  readonly default?: boolean | string;
  /** Stands for the value in the usage line, e.g. `FILE`; for strings only. */
  readonly value?: string;
  /** One line about it. */
  readonly what: string;
}

export type BenchOptions = Readonly<Record<string, BenchOption>>;

type One<O extends BenchOption> = O['type'] extends 'boolean' ? boolean : string;
type Given<O extends BenchOption> = O extends { readonly multiple: true } ? One<O>[] : One<O>;
/** What was given: undefined where nothing was and there is no default. */
export type BenchValues<T extends BenchOptions> = {
  readonly [K in keyof T]: T[K] extends { readonly default: boolean | string }
    ? Given<T[K]>
    : Given<T[K]> | undefined;
};

export interface BenchProgram<T extends BenchOptions> {
  /** As npm knows it: `bench:rate`. */
  readonly script: string;
  readonly options: T;
  /** Arguments without a name, e.g. `FILE...`; without it there are none. */
  readonly positionals?: string;
}

export interface BenchCommand<T extends BenchOptions> {
  readonly values: BenchValues<T>;
  readonly positionals: readonly string[];
  /** Ends the program: what was asked for does not exist, or makes no sense. */
  readonly refuse: (why: string) => never;
}

/** Reads the command line of a bench. @param args Without node and program. */
export function benchCommand<const T extends BenchOptions>(
  program: BenchProgram<T>,
  args: readonly string[] = process.argv.slice(2),
): BenchCommand<T> {
  const refuse = (why: string): never => {
    process.stderr.write(`${why}\n${usage(program)}\n`);
    process.exit(EXIT_USAGE);
  };
  if (args.includes('--help')) {
    process.stdout.write(`${help(program)}\n`);
    process.exit(0);
  }
  try {
    const { values, positionals } = parseArgs({
      args: [...args],
      options: program.options as BenchOptions,
      allowPositionals: program.positionals !== undefined,
    });
    return { values: values as BenchValues<T>, positionals, refuse };
  } catch (error) {
    // parseArgs adds advice about `--` behind the first sentence.
    return refuse((error as Error).message.split('. ')[0] as string);
  }
}

/** A whole number from 1 on. Anything else is refused, and the program ends. */
export function countOption(name: string, text: string, refuse: (why: string) => never): number {
  const count = Number(text);
  return Number.isSafeInteger(count) && count > 0 ? count : refuse(`--${name} is a whole number from 1 on`);
}

function nameOf(name: string, { value }: BenchOption): string {
  return value === undefined ? `--${name}` : `--${name} ${value}`;
}

/** One line: how to call it. */
function usage({ script, options, positionals }: BenchProgram<BenchOptions>): string {
  const names = Object.entries(options).map(
    ([name, option]) => `[${nameOf(name, option)}]${option.multiple === true ? '...' : ''}`,
  );
  const rest = positionals === undefined ? [] : [positionals];
  return `usage: npm run ${script} -- ${[...names, '[--help]', ...rest].join(' ')}`;
}

function help(program: BenchProgram<BenchOptions>): string {
  const lines = Object.entries(program.options).map(([name, option]) => {
    const { what } = option;
    const unless = typeof option.default === 'string' ? ` (default ${option.default})` : '';
    return `  ${nameOf(name, option).padEnd(WORDS_COLUMN - 2)}${what}${unless}`;
  });
  return [usage(program), ...lines].join('\n');
}
