/** The server in a process of its own, over a database that is there already. */
import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'

export type Server = { url: string; key: string; process: ChildProcess; stop(): Promise<void> }

export async function startServer(databaseUrl: string, dataDir: string, agentsDir: string, settings: Record<string, string> = {}): Promise<Server> {
  const child = spawn(process.execPath, ['--conditions=longhaul-source', join(import.meta.dirname, '../packages/server/src/main.ts')], {
    stdio: ['ignore', 'pipe', 'inherit'],
    env: {
      PATH: process.env['PATH'],
      LONGHAUL_DATABASE_URL: databaseUrl,
      LONGHAUL_DATA_DIR: dataDir,
      LONGHAUL_HTTP_PORT: '0',
      LONGHAUL_AGENTS_DIR: agentsDir,
      LONGHAUL_REQUESTS_PER_MINUTE: '10000000',
      LONGHAUL_LOG_LEVEL: 'error',
      ...settings,
    },
  })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  let output = ''
  return new Promise((resolve, reject) => {
    child.once('exit', () => reject(new Error(`The server ended at its start:\n${output}`)))
    child.stdout.on('data', (chunk: Buffer) => {
      output += chunk.toString()
      const [, url, key] = /Console +(\S+)\/#key=(\S+)/.exec(output) ?? []
      if (url === undefined || key === undefined) return
      resolve({
        url,
        key,
        process: child,
        async stop() {
          if (child.kill('SIGTERM')) await ended
        },
      })
    })
  })
}
