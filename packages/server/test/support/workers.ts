/** An engine whose runs are executed by real worker processes, from agent folders written by the test. */
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import type { Db } from '../../src/db/index.ts'
import { type Log, createLog } from '../../src/kernel/index.ts'
import { type Hello, type VersionPlace, type Workers, type WorkersOptions, openWorkers } from '../../src/workers/index.ts'
import { type TestOptions, type TestEngine, startEngine } from './engine.ts'
import { compileCache } from './server-process.ts'

const repository = fileURLToPath(new URL('../../../..', import.meta.url))

export type TestWorkers = TestEngine & {
  workers: Workers
  /** What was reported about versions, in order. */
  loaded: { agent: string; hello: Hello }[]
  /** Replaces an agent's code. Workers that are running keep the old one. */
  write(agent: string, body: string): Promise<void>
  folder: string
}

/** The most that a test's version has, unless it says otherwise. */
export const oneWorker = { workersMin: 1, workersMax: 1, runsMax: 10_000, memoryBytesMax: 4e9, idleMsMax: 60_000 }

const source = (body: string) =>
  body.includes('export default') ? body : `import { durable } from '@longhaul/sdk'\nexport default durable('test', async (ctx, input) => {\n${body}\n})\n`

/** `agents`: the bodies of durable functions of `ctx` and `input`, by agent. */
export async function startWithWorkers(
  db: Db,
  agents: Record<string, string>,
  { engine: options = {}, workers: workerOptions = {} }: { engine?: TestOptions; workers?: Partial<WorkersOptions> } = {},
): Promise<TestWorkers> {
  const folder = await mkdtemp(join(tmpdir(), 'longhaul-workers-'))
  const write = async (agent: string, body: string) => {
    await mkdir(join(folder, agent, 'agent'), { recursive: true })
    await writeFile(join(folder, agent, 'agent', 'agent.ts'), source(body))
  }
  await symlink(join(repository, 'node_modules'), join(folder, 'node_modules'))
  for (const [agent, body] of Object.entries(agents)) await write(agent, body)
  const loaded: TestWorkers['loaded'] = []
  const logged: TestEngine['logged'] = []
  const log: Log = createLog((level, message, data) => void logged.push({ level, message, data }), 'debug')
  const workers = openWorkers({
    log,
    folder: join(folder, 'workers'),
    command: [process.execPath, '--conditions=longhaul-source', createRequire(import.meta.url).resolve('@longhaul/sdk/worker')],
    env: { PATH: process.env['PATH'] ?? '', HOME: folder, NODE_COMPILE_CACHE: compileCache },
    scaling: oneWorker,
    findVersion: async (tenantId, agent, version): Promise<VersionPlace | undefined> =>
      agents[agent] === undefined ? undefined : { tenantId, agent, version, folder: join(folder, agent), dataDir: dirname(folder) },
    linkPackages: (place) => symlink(join(repository, 'node_modules'), join(place, 'node_modules')),
    onLoaded: ({ agent }, hello) => void loaded.push({ agent, hello }),
    ...workerOptions,
  })
  await workers.start()
  const engine = await startEngine(db, {}, { execute: workers.execute, onReleased: workers.release, log, ...options })
  const stop = async () => {
    await engine.stop()
    await workers.stop()
    await rm(folder, { recursive: true, force: true })
  }
  let stopped: Promise<void> | undefined
  const stopOnce = () => (stopped ??= stop())
  return { ...engine, logged, workers, loaded, write, folder, stop: stopOnce, [Symbol.asyncDispose]: stopOnce }
}

/** Whether a process of that id exists. */
export function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}
