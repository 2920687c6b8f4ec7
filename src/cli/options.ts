/**
 * Options from the command line and from the parameters of a MILLRACE URI, and the help that lists them. In:
 * arguments. Out: typed options, or a {@link UsageError}.
 */
import { type ParseArgsConfig, parseArgs } from 'node:util';
import { UsageError } from './errors.ts';
import { OPTIONS } from './option-table.ts';
import type { CliOptions, Command } from './option-values.ts';
import { isSecretName } from './redact.ts';

/** Parses the arguments after the subcommand. Later values of an option win over earlier ones. */
export function parseOptions(
  command: Command,
  args: readonly string[],
): { options: CliOptions; positionals: string[] } {
  const specs = OPTIONS.filter((spec) => spec.commands.includes(command));
  const config: NonNullable<ParseArgsConfig['options']> = {};
  for (const { name, value } of specs) config[name] = { type: value === undefined ? 'boolean' : 'string' };
  config.help = { type: 'boolean', short: 'h' };
  let parsed: ReturnType<typeof parseArgs>;
  try {
    parsed = parseArgs({ args: [...args], options: config, allowPositionals: true, strict: true });
  } catch (error) {
    throw new UsageError(explainArguments(command, error as NodeJS.ErrnoException));
  }
  const options: CliOptions = {};
  for (const spec of specs) {
    const value = parsed.values[spec.name];
    if (typeof value === 'string') spec.set(options, value);
    else if (value === true) spec.set(options, '');
  }
  return { options, positionals: parsed.positionals };
}

/** Adds what the MILLRACE URI says; the command line wins where both speak. */
export function applyUriParameters(options: CliOptions, parameters: ReadonlyMap<string, string>): CliOptions {
  const merged: CliOptions = {};
  // What seems to be another parameter may be the rest of a passphrase with an `&` in it: it is not repeated.
  const hasSecret = [...parameters.keys()].some(isSecretName);
  for (const [name, text] of parameters) {
    const wanted = name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
    const spec = OPTIONS.find((candidate) => candidate.inUri === true && candidate.name === wanted);
    if (spec === undefined) {
      const known = OPTIONS.filter((candidate) => candidate.inUri === true).map(
        (candidate) => candidate.name,
      );
      const what = hasSecret ? 'other parameters (write %26 for & in a passphrase)' : `parameter '${name}'`;
      throw new UsageError(`the millrace URI has no ${what}: there are mode, ${known.join(', ')}`);
    }
    try {
      spec.set(merged, text);
    } catch (error) {
      if (hasSecret) throw new UsageError(`the millrace URI has no such value for ${spec.name}`);
      throw error;
    }
  }
  return Object.assign(merged, options);
}

/** The lines of the option part of the help. */
export function describeOptions(command: Command): string[] {
  const lines: string[] = [];
  for (const group of ['Media', 'Connection', 'Credentials', 'Statistics', 'Advanced'] as const) {
    lines.push('', `${group}:`);
    for (const spec of OPTIONS) {
      if (spec.group !== group || !spec.commands.includes(command)) continue;
      const left = `  --${spec.name}${spec.value === undefined ? '' : ` ${spec.value}`}`;
      lines.push(
        left.length < 28 ? `${left.padEnd(28)}${spec.help}` : `${left}\n${' '.repeat(28)}${spec.help}`,
      );
    }
  }
  return lines;
}

/** What `parseArgs` has to complain about, in one line that names the help. */
export function explainArguments(command: string, error: NodeJS.ErrnoException): string {
  const message = error.message.split(/\.?\s*\n|\. /, 1)[0] as string;
  return `${message.replace(/\.$/, '')}: see millrace ${command} --help`;
}
