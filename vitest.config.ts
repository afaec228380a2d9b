import { defineConfig } from 'vitest/config';

export default defineConfig({
  // Three for two cores, since tests mostly wait for other processes.
  test: { include: ['test/**/*.test.ts'], testTimeout: 20_000, maxWorkers: 3 },
});
