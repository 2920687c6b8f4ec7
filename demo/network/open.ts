/** Chooses the network of the demo: the kernel's where it can be had, else the simulator's. */
import { KernelNetwork } from './kernel.ts';
import { ModelNetwork } from './model.ts';
import type { DemoNetwork, NetworkParts } from './network.ts';

export const NETWORK_CHOICES = ['auto', 'kernel', 'model'] as const;
export type NetworkChoice = (typeof NETWORK_CHOICES)[number];

/**
 * @param choice `auto` takes what works, and says on stderr why it is not the kernel's.
 * @throws Error in plain words when `kernel` was asked for and cannot be had.
 */
export async function openNetwork(choice: NetworkChoice, parts: NetworkParts): Promise<DemoNetwork> {
  if (choice === 'model') return await ModelNetwork.open(parts);
  try {
    return await KernelNetwork.open(parts);
  } catch (error) {
    if (choice === 'kernel') throw error;
    console.error(`not over this kernel's TCP, but over a model of it: ${(error as Error).message}`);
    return await ModelNetwork.open(parts);
  }
}
