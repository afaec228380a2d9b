import { defineConfig } from 'vitest/config';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // Many times what any takes: the machine may be busy with others.
    testTimeout: 40_000,
    // Hooks start processes.
    hookTimeout: 30_000,
    // Three for two cores, since tests mostly wait.
    maxWorkers: 3,
    // No module keeps state, so files can share what is loaded: loading it again for each of them
    // takes longer than most of their tests.
    isolate: false,
  },
});
