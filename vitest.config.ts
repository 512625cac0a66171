// SPDX-License-Identifier: GPL-2.0-only
import { defineConfig } from 'vitest/config';

/** Where a machine-readable copy of the results goes (.ci/run asks for one). */
const results = process.env.SOFTNET_TEST_RESULTS;

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    // The built package runs as it ships: as native modules, of which there is one instance.
    server: { deps: { external: [/\/dist\//] } },
    // Tests start worker threads of their own, more than small machines have cores: one file at a time.
    fileParallelism: false,
    pool: 'forks',
    testTimeout: 120_000,
    hookTimeout: 120_000,
    reporters: results === undefined ? ['default'] : ['default', 'json'],
    ...(results === undefined ? {} : { outputFile: { json: results } }),
  },
});
