import { networkInterfaces } from 'node:os';
import { describe, expect, it } from 'vitest';
import { isAddressGone } from '../../src/node/interfaces.ts';

describe('an address', () => {
  it('of an interface is there, with a zone and without', () => {
    for (const { address } of Object.values(networkInterfaces()).flatMap((list) => list ?? [])) {
      expect(isAddressGone(address)).toBe(false);
      expect(isAddressGone(`${address}%eth9`)).toBe(false);
    }
  });

  it('of the machine itself, or not known yet, is never gone', () => {
    for (const address of ['127.0.0.1', '127.9.9.9', '::1', '']) expect(isAddressGone(address)).toBe(false);
  });

  it.each(['192.0.2.77', '2001:db8::77'])('that no interface has is gone: %s', (address) => {
    expect(isAddressGone(address)).toBe(true);
  });
});
