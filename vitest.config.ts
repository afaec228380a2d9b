import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // The timeout is many times what any test takes, since the machine may be busy.
    testTimeout: 40_000,
    // Hooks start processes.
    hookTimeout: 30_000,
    // Three workers for two cores, since tests mostly wait.
    maxWorkers: 3,
    // No module keeps state, so files can share loaded modules: loading them again for each file takes
    // longer than most of their tests.
    isolate: false,
  },
});
