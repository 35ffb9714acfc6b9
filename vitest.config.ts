import { defineConfig } from 'vitest/config'
import { BaseSequencer, type TestSpecification } from 'vitest/node'

/** Takes a minute or more, so it begins first: begun last, it would have the machine for itself. */
const longest = /\/(crash|drivers|startup|life|embedded|trust)\.test\.ts$/

class LongestFirst extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return (await super.sort(files)).toSorted((one, other) => Number(longest.test(other.moduleId)) - Number(longest.test(one.moduleId)))
  }
}

/** Two cores and one PostgreSQL for all: files run three at a time, since half of the time they wait, each test in a database of its own. */
export default defineConfig({
  resolve: { conditions: ['longhaul-source'] },
  // The global setup runs in an environment of vitest's own, which knows nothing of the two lines around this one.
  environments: { __vitest__: { resolve: { conditions: ['longhaul-source', 'node'], externalConditions: ['longhaul-source', 'node'] } } },
  ssr: { resolve: { conditions: ['longhaul-source', 'node'], externalConditions: ['longhaul-source', 'node'] } },
  test: {
    include: ['packages/*/src/**/*.test.ts', 'packages/*/test/**/*.test.ts', 'examples/**/*.test.ts'],
    exclude: ['**/node_modules/**', '.longhaul/**', '**/*.e2e.test.ts'],
    globalSetup: ['packages/server/test/support/global-postgres.ts'],
    pool: 'forks',
    execArgv: ['--conditions=longhaul-source'],
    maxWorkers: 3,
    sequence: { sequencer: LongestFirst },
    testTimeout: 60_000,
    // Many tests start real processes. On a machine that builds other things beside, one may miss its time; twice is a fault.
    retry: process.env['CI'] ? 1 : 0,
    hookTimeout: 60_000,
  },
})
