/** The driver `docker` on an engine of this machine's, where one answers: what an engine of the tests cannot bound, and what every driver must do. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, test, vi } from 'vitest'
import { silentLog } from '../../src/kernel/index.ts'
import type { SandboxDriver } from '../../src/sandbox/driver.ts'
import { dockerDriver } from '../../src/sandbox/drivers/docker/docker.ts'
import { dockerEngine } from '../../src/sandbox/drivers/docker/engine.ts'
import { type Root, claimRoot } from '../../src/sandbox/root.ts'
import { findDocker } from '../support/real-docker.ts'
import { freshId, never, sh, testDriver } from '../support/sandbox-suite.ts'

const { socket, image, whyNot } = await findDocker()
const megabyte = 1024 * 1024

function open(folder = mkdtempSync(join(tmpdir(), 'longhaul-engine-'))): { driver: SandboxDriver; root: Root; close(): Promise<void> } {
  const root = claimRoot(folder)
  const driver = dockerDriver({ root, log: silentLog, socket, image })
  return {
    ...{ driver, root },
    async close() {
      await driver.stop()
      root.release()
      rmSync(folder, { recursive: true })
    },
  }
}

describe.skipIf(whyNot)('docker, on a real engine', () => {
  testDriver(async () => {
    const { driver, close } = open()
    return { create: driver.create, stop: close }
  })

  describe('its limits and its life', () => {
    let bed: ReturnType<typeof open>
    beforeAll(() => {
      bed = open()
    })
    afterAll(() => bed.close())
    const engine = dockerEngine(socket)
    const containers = async (): Promise<string[]> => {
      const filters = encodeURIComponent(JSON.stringify({ label: [`longhaul.sandboxes=${bed.root.tag}`] }))
      return ((await engine.call('GET', `/containers/json?all=true&filters=${filters}`)) as { Id: string }[]).map(({ Id }) => Id)
    }
    /** Allocates so much and writes to all of it, in steps, so that an end comes where the limit is. */
    const take = (count: number) =>
      `node -e 'const all = []; for (let i = 0; i < ${count / 8}; i++) all.push(Buffer.alloc(8 << 20, 1)); console.log("kept", all.length)'`

    test('it is usable, and keeps every wall that is tried', async () => {
      expect(await bed.driver.probe()).toMatchObject({ isUsable: true, gaps: ['disk'] })
      expect(await containers()).toEqual([]) // What was tried in is gone.
    })

    test('memory is bounded by the engine; less than that is had', async () => {
      const sandbox = await bed.driver.create({ id: freshId(), limits: { memoryBytesMax: 192 * megabyte } })
      expect(await sh(sandbox, take(64))).toMatchObject({ exitCode: 0, stdout: 'kept 8\n' })
      expect(await sh(sandbox, take(1_000))).not.toMatchObject({ exitCode: 0 })
      expect((await sh(sandbox, 'echo alive')).stdout).toBe('alive\n')
    })

    test('processes are bounded by the engine; fewer can be had', async () => {
      const sandbox = await bed.driver.create({ id: freshId(), limits: { processCountMax: 40 } })
      expect((await sh(sandbox, 'for i in $(seq 20); do sleep 20 & done; jobs -p | wc -l; kill $(jobs -p); wait')).stdout.trim()).toBe('20')
      const script =
        "const { spawn } = require('node:child_process'); const all = Array.from({ length: 200 }, () => spawn('sleep', ['20'], { stdio: 'ignore' }).on('error', () => {})); console.log(all.filter((each) => each.pid).length); process.exit()"
      const started = Number((await sandbox.exec({ cmd: 'node', args: ['-e', script], timeoutMs: 20_000 }, { signal: never })).stdout)
      expect(started).toBeGreaterThan(10)
      expect(started).toBeLessThan(64)
      expect((await sh(sandbox, 'echo alive')).stdout).toBe('alive\n')
    })

    test('nothing that a command started outlives it', async () => {
      const sandbox = await bed.driver.create({ id: freshId() })
      expect(await sh(sandbox, 'setsid sleep 77 & sleep 60', { timeoutMs: 1_000 })).toMatchObject({ isTimedOut: true })
      const count = 'cat /proc/[0-9]*/comm | grep -c "^sleep$"'
      expect((await sh(sandbox, count)).stdout).toBe('0\n')
      expect((await sh(sandbox, `sleep 5 & ${count}; kill $!`)).stdout).toBe('1\n')
    })

    test('the engine’s numbers, ports, the door, archives of one moment and copies work', async () => {
      const sandbox = await bed.driver.create({ id: freshId() })
      const serving = sandbox.exec(
        { script: `node -e 'net.createServer((s) => s.end("from inside")).listen(4000, "127.0.0.1")'`, timeoutMs: 30_000 },
        { signal: never },
      )
      await vi.waitFor(async () => expect(await sandbox.connect!(4000).then(text)).toBe('from inside'), 20_000)
      const stats = await sandbox.stats()
      expect(stats.memoryBytes).toBeGreaterThan(megabyte)
      expect(stats.processCount).toBeGreaterThan(2)
      const proxy = createServer((each) => each.on('error', () => {}).end('from the proxy'))
      const path = join(sandbox.egress!.folder, 'proxy.sock')
      await new Promise<void>((resolve) => proxy.listen(path, resolve))
      chmodSync(path, 0o777)
      sandbox.egress!.open({})
      expect((await sh(sandbox, `node -e 'net.connect(3128, "127.0.0.1").pipe(process.stdout)'`)).stdout).toBe('from the proxy')
      proxy.close()
      await sh(sandbox, 'mkdir a; echo kept > a/b')
      const archive = await sandbox.trees!.pack('/workspace', true)
      const copy = await bed.driver.create({ id: freshId() })
      await copy.trees!.unpack('/workspace', archive.stream)
      await archive.done
      expect((await sh(copy, 'cat a/b')).stdout).toBe('kept\n')
      const fork = await bed.driver.create({ id: freshId() })
      await fork.trees!.copyFrom(sandbox.trees!)
      expect((await sh(fork, 'cat a/b')).stdout).toBe('kept\n')
      await sandbox.stop()
      await serving
    })

    test('a container whose server was killed ends, and is removed by the next one; what is stopped leaves none', async () => {
      const left = open()
      const sandbox = await left.driver.create({ id: 'left' })
      expect((await sh(sandbox, 'echo first > note; cat note')).stdout).toBe('first\n')
      const filters = encodeURIComponent(JSON.stringify({ label: [`longhaul.sandboxes=${left.root.tag}`] }))
      const here = async () => (await engine.call('GET', `/containers/json?all=true&filters=${filters}`)) as unknown[]
      expect(await here()).toHaveLength(1)
      const next = dockerDriver({ root: left.root, log: silentLog, socket, image })
      await next.sweep()
      expect(await here()).toHaveLength(0)
      const again = await next.create({ id: 'left' })
      expect((await sh(again, 'cat note')).stdout).toBe('first\n')
      await next.stop()
      expect(await here()).toHaveLength(0)
      await left.close()
    })
  })
})
