import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    testTimeout: 20_000,
    // Three for two cores, since tests mostly wait.
    maxWorkers: 3,
  },
});
