/** One suite over every driver: the virtual one, which stands in where nothing else works, and the real ones in each way they run. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe } from 'vitest'
import { silentLog } from '../../src/kernel/index.ts'
import { dockerDriver } from '../../src/sandbox/drivers/docker/docker.ts'
import { kubernetesDriver } from '../../src/sandbox/drivers/kubernetes/kubernetes.ts'
import { virtualDriver } from '../../src/sandbox/drivers/virtual/virtual.ts'
import { claimRoot } from '../../src/sandbox/root.ts'
import { startFakeDocker } from '../support/fake-docker.ts'
import { startFakeKubernetes } from '../support/fake-kubernetes.ts'
import { everyMode, modes, startDriver, whyNotKubernetes } from '../support/sandbox-modes.ts'
import { testDriver } from '../support/sandbox-suite.ts'

for (const mode of everyMode()) {
  describe(mode.name, () => {
    testDriver(async () => {
      const driver = await startDriver(mode)
      return { create: driver.create, stop: () => driver[Symbol.asyncDispose]() }
    })
  })
}

describe.each(['virtual', 'js'] as const)('%s', (name) => {
  testDriver(async () => {
    const root = claimRoot(mkdtempSync(join(tmpdir(), 'longhaul-virtual-')))
    const driver = virtualDriver({ name, root, log: silentLog })
    return {
      create: driver.create,
      async stop() {
        await driver.stop()
        root.release()
        rmSync(root.path, { recursive: true })
      },
    }
  })
})

const whyNotDocker = modes.every(({ whyNot }) => whyNot !== undefined)
  ? 'the engine of the tests runs containers by bubblewrap, which does not work here'
  : undefined
if (whyNotDocker) process.stderr.write(`SKIPPED: the sandbox docker: ${whyNotDocker}.\n`)

describe.skipIf(whyNotDocker)('docker, on an engine of the tests', () => {
  testDriver(async () => {
    const engine = await startFakeDocker()
    const root = claimRoot(mkdtempSync(join(tmpdir(), 'longhaul-docker-')))
    const driver = dockerDriver({ root, log: silentLog, socket: engine.socket })
    return {
      create: driver.create,
      async stop() {
        await driver.stop()
        await engine[Symbol.asyncDispose]()
        root.release()
        rmSync(root.path, { recursive: true })
      },
    }
  })
})

describe.skipIf(whyNotKubernetes())('kubernetes, on a cluster of the tests', () => {
  testDriver(async () => {
    const claimFolder = mkdtempSync(join(tmpdir(), 'longhaul-claim-'))
    const api = await startFakeKubernetes({ claimFolder })
    const root = claimRoot(join(claimFolder, 'sandboxes'))
    const driver = kubernetesDriver({ root, log: silentLog, url: api.url, namespace: 'agents', claim: 'workspaces', claimFolder, image: 'node:24-bookworm' })
    return {
      create: driver.create,
      async stop() {
        await driver.stop()
        await api[Symbol.asyncDispose]()
        root.release()
        rmSync(claimFolder, { recursive: true })
      },
    }
  })
})
