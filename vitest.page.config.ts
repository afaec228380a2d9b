import { defineConfig } from 'vitest/config';

/** The tests that need a browser; .ci/page runs them if there is one. */
export default defineConfig({
  test: {
    include: ['test/page/**/*.browser.ts'],
    testTimeout: 60_000,
    hookTimeout: 60_000,
  },
});
