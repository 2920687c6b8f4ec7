/** What `--help` prints: examples first. */

import type { Command } from './option-values.ts';
import { describeOptions } from './options.ts';

const COMMON = `  millrace keygen > key.txt
  millrace receive millrace://:9000/live file:out.mpegts --passphrase-file key.txt
  millrace send file:clip.mpegts millrace://studio:9000/live --passphrase-file key.txt`;

export const MAIN_HELP: string = `Examples:
${COMMON}
  ffmpeg -re -i in.mp4 -f mpegts - | millrace send - millrace://studio:9000/live --passphrase-file key.txt
  millrace receive millrace://:9000/live - --passphrase-file key.txt | ffplay -

millrace carries live audio and video over UDP: name the latency you can live with.

Usage:
  millrace send MEDIA... MILLRACE    send media to a listener, or to everybody who calls
  millrace receive MILLRACE MEDIA    receive media from a caller, or from the listener that is called
  millrace sim                       what loss does to live video over TCP and over millrace, in virtual time
  millrace doctor MILLRACE           measure the path to a listener, and say what latency to give
  millrace keygen                    make a strong passphrase
  millrace --version

MEDIA     - (stdin, stdout)   udp://HOST:PORT   rtp://HOST:PORT   file:PATH   test:   each with #LABEL
MILLRACE  millrace://HOST:PORT/RESOURCE?latency=120 calls, millrace://:PORT/RESOURCE listens

'millrace send --help', and likewise for receive, doctor and sim, list the options.
Exit codes: 0 ok, 1 transport or I/O error, 2 wrong usage.`;

const EXAMPLES: Record<Command, string> = {
  doctor: `  millrace doctor millrace://studio:9000 --passphrase-file key.txt
  millrace doctor millrace://studio:9000 --json`,
  send: `  millrace send file:clip.mpegts millrace://studio:9000/live --passphrase-file key.txt
  ffmpeg -re -i in.mp4 -f mpegts - | millrace send - 'millrace://studio:9000/live?latency=200'
  millrace send udp://:5004#video udp://:5006#audio millrace://studio:9000/live
  millrace send file:movie.mkv millrace://studio:9000/in --framing raw --pace off
  millrace send test: millrace://:9000/live --max-peers 10 --stats 1s`,
  receive: `  millrace receive millrace://:9000/live file:out.mpegts --passphrase-file key.txt
  millrace receive millrace://:9000/live - | ffplay -
  millrace receive millrace://:9000/live udp://127.0.0.1:5004
  millrace receive 'millrace://studio:9000/live?latency=500' file:out.mpegts --stats-json file:stats.jsonl`,
};

const USAGE: Record<Command, string> = {
  doctor: 'millrace doctor MILLRACE [options]',
  send: 'millrace send MEDIA... MILLRACE [options]',
  receive: 'millrace receive MILLRACE MEDIA [options]',
};

/** The help of one subcommand. */
export function commandHelp(command: Command): string {
  return [
    `Examples:\n${EXAMPLES[command]}`,
    '',
    `Usage: ${USAGE[command]}`,
    ...describeOptions(command),
  ].join('\n');
}
