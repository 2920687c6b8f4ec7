/**
 * System calls that Node does not offer, through the optional package koffi: those of the emulator and of the TCP ends.
 * In: nothing. Out: the calls, or why they are not to be had. Every call returns what C returns; `errno()` tells why.
 */
import { createRequire } from 'node:module';

/** The calls of the C library, each with C's arguments; buffers are passed as pointers. */
export interface LibC {
  ioctl(fd: number, request: number, argument: Uint8Array): number;
  unshare(flags: number): number;
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
  };
  return names[errno] ?? `errno ${errno}`;
}
