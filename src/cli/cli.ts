/**
 * The command line as a function: arguments and streams in, an exit code out. `main.ts` is the program around it.
 */
import { generatePassphrase } from '../index.ts';
import { runDoctor } from './doctor.ts';
import { describeError, EXIT_OK, EXIT_USAGE, exitCodeOf, UsageError } from './errors.ts';
import { commandHelp, MAIN_HELP } from './help.ts';
import type { CliIo } from './io.ts';
import { runReceive } from './receive.ts';
import { runSend } from './send.ts';
import { runSim } from './sim.ts';

/** Runs one command to its end. Never throws: a failure is one line on stderr and its exit code. */
export async function runCli(argv: readonly string[], io: CliIo): Promise<number> {
  try {
    return await dispatch(argv, io);
  } catch (error) {
    io.stderr.write(`${describeError(error, true, argv[0] !== 'doctor')}\n`);
    if (/\bmillrace\b/i.test(io.env.NODE_DEBUG ?? '')) io.stderr.write(`${framesOf(error)}\n`);
    return exitCodeOf(error);
  }
}

/** Where it happened. The message above it was printed without its secrets; in the stack it still has them. */
function framesOf(error: unknown): string {
  const lines = ((error as Error).stack ?? '').split('\n');
  return lines.filter((line) => /^ +at /.test(line)).join('\n');
}

async function dispatch(argv: readonly string[], io: CliIo): Promise<number> {
  const [command, ...args] = argv;
  switch (command) {
    case 'send':
    case 'receive':
      if (args.includes('--help') || args.includes('-h')) return print(io, commandHelp(command));
      await (command === 'send' ? runSend(args, io) : runReceive(args, io));
      return EXIT_OK;
    case 'doctor':
      if (args.includes('--help') || args.includes('-h')) return print(io, commandHelp(command));
      await runDoctor(args, io);
      return EXIT_OK;
    case 'sim':
      return print(io, runSim(args));
    case 'keygen':
      if (args.length > 0) throw new UsageError('keygen takes no arguments: write millrace keygen > key.txt');
      return print(io, generatePassphrase());
    case '--version':
    case '-V':
      return print(io, io.version);
    case '--help':
    case '-h':
    case 'help':
      return print(io, MAIN_HELP);
    case undefined:
      io.stderr.write(`${MAIN_HELP}\n`);
      return EXIT_USAGE;
    default:
      throw new UsageError(`there is no command '${command}': see millrace --help`);
  }
}

async function print(io: CliIo, text: string): Promise<number> {
  await new Promise<void>((resolve) => io.stdout.write(`${text}\n`, () => resolve()));
  return EXIT_OK;
}
