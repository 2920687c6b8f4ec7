/** Every transport that the bench knows. */
import type { Adapter } from './adapter.ts';
import { kcptun } from './kcptun.ts';
import { kernelTcp } from './kernel-tcp.ts';
import { millrace } from './millrace.ts';
import { plainUdp } from './plain-udp.ts';
import { quic } from './quic.ts';
import { SRT } from './srt.ts';

export const ADAPTERS: readonly Adapter[] = [
  millrace,
  kernelTcp('cubic', false),
  kernelTcp('cubic', true),
  kernelTcp('bbr', false),
  kernelTcp('bbr', true),
  plainUdp,
  ...SRT,
  kcptun,
  quic,
];

/** The adapter of that name. Throws a `RangeError` for a name that has none. */
export function adapterOf(name: string): Adapter {
  const adapter = ADAPTERS.find((one) => one.name === name);
  if (adapter === undefined) throw new RangeError(`no transport is called ${name}`);
  return adapter;
}
