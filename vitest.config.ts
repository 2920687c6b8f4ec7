import { defineConfig, type ViteUserConfig } from 'vitest/config';

// For what hangs: a busy machine that is five times slower must not come near.
const limits = { testTimeout: 240_000, hookTimeout: 240_000, expect: { poll: { timeout: 120_000 } } };

// What runs in virtual time takes every core. Real programs, browsers and the kernel's clock come after it, one file at
// a time: a busy machine would be what they measure.
const config: ViteUserConfig = defineConfig({
  test: {
    projects: [
      {
        test: {
          name: 'virtual',
          include: ['test/**/*.test.ts'],
          exclude: ['test/e2e/**'],
          maxWorkers: '100%',
          sequence: { groupOrder: 0 },
          ...limits,
        },
      },
      {
        test: {
          name: 'real',
          include: ['test/e2e/**/*.test.ts'],
          maxWorkers: 1,
          sequence: { groupOrder: 1 },
          ...limits,
        },
      },
    ],
  },
});
export default config;
