/** Keeps the terminal ours. In: a line that may hold what a peer said. Out: the same line, which steers nothing. */

/** Control characters (escape sequences begin with one), and those that turn the direction of text. */
const STEERING = /[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu;

/** Replaces whatever a terminal would obey instead of showing. For one line: a line break is replaced too. */
export function printable(line: string): string {
  return line.replace(STEERING, '\ufffd');
}
