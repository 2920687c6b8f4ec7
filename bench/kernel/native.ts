/**
 * System calls that Node does not offer, through the optional package koffi: those of the emulator and of the TCP ends.
 * In: nothing. Out: the calls, or why they are not to be had. Every call returns what C returns; `errno()` tells why.
 */
import { readdirSync } from 'node:fs';
import { createRequire } from 'node:module';

/** The calls of the C library, each with C's arguments; buffers are passed as pointers. */
export interface LibC {
  ioctl(fd: number, request: number, argument: Uint8Array): number;
  unshare(flags: number): number;
  socket(family: number, type: number, protocol: number): number;
  connect(fd: number, address: Uint8Array, bytes: number): number;
  ppoll(fds: Uint8Array, count: number, timeout: Uint8Array | null, signals: null): number;
  read(fd: number, buffer: Uint8Array, bytes: number): number;
  write(fd: number, buffer: Uint8Array, bytes: number): number;
  setsockopt(fd: number, level: number, name: number, value: Uint8Array, bytes: number): number;
  getsockopt(fd: number, level: number, name: number, value: Uint8Array, bytes: Uint8Array): number;
  sched_setscheduler(pid: number, policy: number, parameters: Uint8Array): number;
  prctl(option: number, value: number): number;
  /** The error number of the last call that failed. */
  errno(): number;
}

interface Koffi {
  load(library: string): { func(declaration: string): (...values: unknown[]) => number };
  errno(): number;
}

const DECLARATIONS: Readonly<Record<Exclude<keyof LibC, 'errno'>, string>> = {
  ioctl: 'int ioctl(int, unsigned long, void *)',
  unshare: 'int unshare(int)',
  socket: 'int socket(int, int, int)',
  connect: 'int connect(int, void *, uint32)',
  ppoll: 'int ppoll(void *, unsigned long, void *, void *)',
  read: 'long read(int, void *, unsigned long)',
  write: 'long write(int, void *, unsigned long)',
  setsockopt: 'int setsockopt(int, int, int, void *, uint32)',
  getsockopt: 'int getsockopt(int, int, int, void *, void *)',
  sched_setscheduler: 'int sched_setscheduler(int, int, void *)',
  prctl: 'int prctl(int, unsigned long)',
};

let loaded: LibC | string | undefined;

/** The calls, loaded once; a sentence that says what is missing where there are none. */
export function loadLibC(): LibC | string {
  loaded ??= load();
  return loaded;
}

function load(): LibC | string {
  if (process.platform !== 'linux') return `this is ${process.platform}, and it takes Linux`;
  try {
    const koffi = createRequire(import.meta.url)('koffi') as Koffi;
    const library = koffi.load('libc.so.6');
    const calls = Object.entries(DECLARATIONS).map(([name, declaration]) => [
      name,
      library.func(declaration),
    ]);
    return { ...Object.fromEntries(calls), errno: () => koffi.errno() } as LibC;
  } catch (error) {
    return `the optional package koffi does not load (${(error as Error).message.split('\n')[0]})`;
  }
}

/** The calls, for code that runs only where they are known to exist. */
export function requireLibC(): LibC {
  const libc = loadLibC();
  if (typeof libc === 'string') throw new Error(libc);
  return libc;
}

const SCHED_RR = 2;
/** What the thread starts begins with the usual priority. */
const SCHED_RESET_ON_FORK = 0x40000000;
const PR_SET_TIMERSLACK = 29;

function setPriority(thread: number, priority: number, policy: number): boolean {
  const parameters = Buffer.alloc(4);
  parameters.writeInt32LE(priority);
  return requireLibC().sched_setscheduler(thread, policy, parameters) === 0;
}

/**
 * Asks for a real-time turn of this process, with the threads that it has, and for exact sleeps. Without it a busy machine
 * would be measured and not a transport: collecting garbage waits for helper threads. Refused without the right to it.
 *
 * @param priority 1..99, higher goes first.
 * @returns Whether it was granted.
 */
export function askForPunctuality(priority: number): boolean {
  requireLibC().prctl(PR_SET_TIMERSLACK, 1);
  const threads = readdirSync('/proc/self/task').map(Number);
  return threads.every((thread) => setPriority(thread, priority, SCHED_RR | SCHED_RESET_ON_FORK));
}

/**
 * The same for every thread of a program that runs, and for those that it starts later (libsrt begins some with the first
 * packet); its start-up is over by then, and disturbs nobody.
 */
export function makePunctual(pid: number, priority: number): void {
  try {
    for (const thread of readdirSync(`/proc/${pid}/task`)) setPriority(Number(thread), priority, SCHED_RR);
  } catch {
    // It has ended.
  }
}

/** The name of an error number, for messages. */
export function errorName(errno: number): string {
  const names: Readonly<Record<number, string>> = {
    1: 'EPERM',
    2: 'ENOENT',
    11: 'EAGAIN',
    13: 'EACCES',
    16: 'EBUSY',
    19: 'ENODEV',
    22: 'EINVAL',
    110: 'ETIMEDOUT',
    111: 'ECONNREFUSED',
  };
  return names[errno] ?? `errno ${errno}`;
}
