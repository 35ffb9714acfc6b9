/** One suite over every driver: the virtual one, which stands in where nothing else works, and the real ones in each way they run. */
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { describe } from 'vitest'
import { listen } from '../../src/api/index.ts'
import { silentLog } from '../../src/kernel/index.ts'
import { dockerDriver } from '../../src/sandbox/drivers/docker/docker.ts'
import { kubernetesDriver } from '../../src/sandbox/drivers/kubernetes/kubernetes.ts'
import { e2bService } from '../../src/sandbox/drivers/remote/e2b.ts'
import { remoteDriver } from '../../src/sandbox/drivers/remote/remote.ts'
import { vercelService } from '../../src/sandbox/drivers/remote/vercel.ts'
import { virtualDriver } from '../../src/sandbox/drivers/virtual/virtual.ts'
import { claimRoot } from '../../src/sandbox/root.ts'
import { startFakeDocker } from '../support/fake-docker.ts'
import { openBed } from '../support/api-bed.ts'
import { startFakeE2b } from '../support/fake-e2b.ts'
import { startFakeKubernetes } from '../support/fake-kubernetes.ts'
import { everyMode, modes, startDriver, whyNotKubernetes } from '../support/sandbox-modes.ts'
import { type SuiteDriver, testDriver } from '../support/sandbox-suite.ts'

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

/** Vercel's API is spoken by our own server, as Vercel's own client finds it (vercel.test.ts). */
describe.skipIf(whyNotDocker)('vercel, on a server of ours that speaks its API', () => {
  testDriver(async () => {
    const bed = await openBed({}, undefined, 'bwrap')
    const boss = await bed.caller('boss', { personalData: true })
    const listening = await listen(bed.app, { host: '127.0.0.1', port: 0 })
    return remote(vercelService({ url: `${listening.url}/vercel`, token: boss.secret, teamId: 'any', projectId: 'any' }), async () => {
      await listening.stop()
      await bed[Symbol.asyncDispose]()
    })
  })
})

describe.skipIf(whyNotDocker)('e2b, on a service of the tests', () => {
  testDriver(async () => {
    const service = await startFakeE2b()
    return remote(e2bService({ url: service.url, sandboxUrl: service.url, key: 'e2b_key', template: 'base' }), () => service[Symbol.asyncDispose]())
  })
})

function remote(service: Parameters<typeof remoteDriver>[0]['service'], after: () => Promise<void>): SuiteDriver {
  const root = claimRoot(mkdtempSync(join(tmpdir(), 'longhaul-remote-')))
  const driver = remoteDriver({ service, root, log: silentLog })
  return {
    create: driver.create,
    async stop() {
      await driver.stop()
      await after()
      root.release()
      rmSync(root.path, { recursive: true })
    },
  }
}
