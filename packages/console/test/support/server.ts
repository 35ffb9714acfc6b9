import { spawn } from 'node:child_process'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

export type TestServer = { url: string; key: string; stop(): Promise<void> }

const root = join(dirname(fileURLToPath(import.meta.url)), '../../../..')
const readyMsMax = 120_000

/**
 * The real server with a database and a key of its own, in a temporary directory. `E2E_URL` and `E2E_KEY` point the tests at
 * one that is running already.
 */
export async function startServer(): Promise<TestServer> {
  const { E2E_URL: url, E2E_KEY: key } = process.env
  if (url && key) return { url: url.replace(/\/$/, ''), key, stop: async () => {} }

  const dataDir = await mkdtemp(join(tmpdir(), 'longhaul-console-'))
  const child = spawn(process.execPath, ['--conditions=longhaul-source', 'packages/server/src/main.ts'], {
    cwd: root,
    env: { ...process.env, LONGHAUL_HTTP_PORT: '0', LONGHAUL_DATA_DIR: dataDir },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  child.stdout.on('data', (chunk) => (output += chunk))
  child.stderr.on('data', (chunk) => (output += chunk))
  const ended = new Promise<void>((resolve) => child.once('exit', () => resolve()))
  const stop = async () => {
    child.kill('SIGTERM')
    await ended
    await rm(dataDir, { recursive: true, force: true })
  }
  try {
    return { ...(await readyCredentials(join(dataDir, 'credentials.json'), () => child.exitCode)), stop }
  } catch (error) {
    await stop()
    throw new Error(`The server did not become ready: ${error instanceof Error ? error.message : error}\n${output.slice(-4_000)}`)
  }
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
