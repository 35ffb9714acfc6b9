import { defineConfig } from 'vitest/config'

/** Browser flows over the real server. They need chromium (`apt-get install chromium`) and take minutes, so they are not part of `npm test`. */
export default defineConfig({
  resolve: { conditions: ['longhaul-source'] },
  ssr: { resolve: { conditions: ['longhaul-source', 'node'], externalConditions: ['longhaul-source', 'node'] } },
  test: {
    include: ['packages/*/test/**/*.e2e.test.ts'],
    pool: 'forks',
    execArgv: ['--conditions=longhaul-source'],
    fileParallelism: false,
    testTimeout: 60_000,
    hookTimeout: 240_000,
  },
})
