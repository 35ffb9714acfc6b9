import { type ChildProcess, spawn } from 'node:child_process'
import { cp, mkdtemp, readFile, readdir, rm, symlink } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import type { Client } from '@longhaul/sdk/client'

export type TestServer = {
  url: string
  key: string
  dataDir: string
  /** `kill -9`, and nothing else. Returns when the process is gone. */
  crash(): Promise<void>
  /** The same server again: same data, same port. */
  restart(): Promise<void>
  /** The process that executes this agent, to be killed. */
  workerPid(agent: string): Promise<number>
  stop(): Promise<void>
}

const root = join(dirname(fileURLToPath(import.meta.url)), '../../../..')
const readyMsMax = 120_000

type ServerOptions = {
  agents?: string[]
  settings?: Record<string, string>
  /** Before the server starts: what only this test knows of its agents, such as a port. */
  prepare?: (agentsDir: string) => Promise<void>
}

/** The real server in a temporary folder, with a database and a key of its own, the examples, and the agents of `test/agents` where a test asks for them. */
export async function startServer({ agents = [], settings = {}, prepare }: ServerOptions = {}): Promise<TestServer> {
  const dir = await mkdtemp(join(tmpdir(), 'longhaul-console-'))
  const dataDir = join(dir, 'data')
  const agentsDir = join(dir, 'agents')
  await cp(join(root, 'examples'), agentsDir, { recursive: true, filter: (path) => !path.includes('node_modules') })
  for (const name of agents) await cp(join(root, 'packages/console/test/agents', name), join(agentsDir, name), { recursive: true })
  await prepare?.(agentsDir)
  await symlink(join(root, 'node_modules'), join(dir, 'node_modules'))

  const start = async (port: string): Promise<{ child: ChildProcess; url: string; key: string }> => {
    const child = spawn(process.execPath, ['--conditions=longhaul-source', 'packages/server/src/main.ts'], {
      cwd: root,
      env: {
        ...withoutSettings(process.env),
        LONGHAUL_HTTP_PORT: port,
        LONGHAUL_DATA_DIR: dataDir,
        LONGHAUL_AGENTS_DIR: agentsDir,
        LONGHAUL_LEASE_MS: '3000',
        ...settings,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    let output = ''
    const keep = (chunk: Buffer) => (output = (output + chunk.toString()).slice(-4_000))
    child.stdout.on('data', keep)
    child.stderr.on('data', keep)
    try {
      return { child, ...(await readyCredentials(join(dataDir, 'credentials.json'), () => child.exitCode)) }
    } catch (error) {
      await end(child, 'SIGKILL')
      throw new Error(`The server did not become ready: ${error instanceof Error ? error.message : error}\n${output}`, { cause: error })
    }
  }

  const { url, key, ...first } = await start('0')
  let { child } = first
  return {
    url,
    key,
    dataDir,
    crash: () => end(child, 'SIGKILL'),
    restart: async () => void ({ child } = await start(new URL(url).port)),
    workerPid: (agent) => workerPid(child.pid, agent),
    async stop() {
      await end(child, 'SIGTERM')
      await rm(dir, { recursive: true, force: true, maxRetries: 5 })
    },
  }
}

/** What the tester's shell says of a server and of models is no concern of this one. */
const withoutSettings = (env: NodeJS.ProcessEnv): NodeJS.ProcessEnv =>
  Object.fromEntries(Object.entries(env).filter(([name]) => !/^LONGHAUL_|_API_KEY$/.test(name)))

async function end(child: ChildProcess, signal: 'SIGTERM' | 'SIGKILL'): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill(signal)
  await ended
}

/** Reads `/proc` for what the server's fork server has started for this agent. Linux only, as the sandboxes are. */
async function workerPid(server: number | undefined, agent: string): Promise<number> {
  for (const entry of await readdir('/proc')) {
    if (!/^\d+$/.test(entry)) continue
    try {
      if ((await parentOf(await parentOf(entry))) !== server) continue
      const environment = (await readFile(`/proc/${entry}/environ`, 'utf8')).split('\0')
      if (environment.some((setting) => setting.startsWith('LONGHAUL_AGENT_FOLDER=') && setting.includes(`/${agent}/`))) return Number(entry)
    } catch {
      // It ended while it was looked at.
    }
  }
  throw new Error(`The server ${server} has no worker for ${agent}`)
}

async function parentOf(pid: number | string): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1])
}

async function readyCredentials(file: string, exitCode: () => number | null): Promise<{ url: string; key: string }> {
  for (const from = performance.now(); performance.now() - from < readyMsMax; await new Promise((resolve) => setTimeout(resolve, 100))) {
    if (exitCode() !== null) throw new Error(`it exited with ${exitCode()}`)
    try {
      const { url, key } = JSON.parse(await readFile(file, 'utf8')) as { url: string; key: string }
      if ((await fetch(`${url}/healthz`)).ok) return { url, key }
    } catch {
      // Not written yet, or not listening yet.
    }
  }
  throw new Error(`nothing answered within ${readyMsMax / 1_000} s`)
}

export const untilLoaded = (client: Client, agent: string): Promise<void> =>
  until(`${agent} to be loaded`, async () => (await client.agents.get({ name: agent })).status === 'ready')

export async function until(what: string, isSo: () => Promise<boolean>, limitMs = 120_000): Promise<void> {
  for (const end = Date.now() + limitMs; !(await isSo()); await sleep(200)) if (Date.now() > end) throw new Error(`Not within ${limitMs / 1_000} s: ${what}.`)
}
