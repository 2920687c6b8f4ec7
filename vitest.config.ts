import { defineConfig, type ViteUserConfig } from 'vitest/config';

// For what hangs: a busy machine that is five times slower must not come near.
const limits = { testTimeout: 240_000, hookTimeout: 240_000, expect: { poll: { timeout: 120_000 } } };

// Real sockets, child processes and timers outside test/e2e.
const real = [
  'test/unit/node-{connect,datagrams,known-rates,ladder,listen,qlog,socket,tracks}.test.ts',
  'test/unit/cli-{media,on-bitrate,session}.test.ts',
  'test/unit/demo-udp-relay.test.ts',
  'test/failures/{f08-ports,f14-loopback,suites/ipv6}.test.ts',
];

// What runs in virtual time takes every core. Real programs, browsers and the kernel's clock come after it, one file at
// a time: a busy machine would be what they measure.
const config: ViteUserConfig = defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'virtual',
          include: ['test/**/*.test.ts'],
          exclude: ['test/e2e/**', ...real],
          maxWorkers: '100%',
          sequence: { groupOrder: 0 },
          ...limits,
        },
      },
      {
        test: {
          name: 'real',
          include: ['test/e2e/**/*.test.ts', ...real],
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
          ...limits,
        },
      },
    ],
  },
});
export default config;
