/** Restate: its server beside this process, which executes the steps. `node restate.ts <packages>` */
import { spawn } from 'node:child_process'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Agent } from 'undici'
import { freePort, importFrom } from './install.ts'
import { serve, stepsPerRun, work } from './program.ts'

type Context = { run(name: string, work: () => string): Promise<string> }
type Restate = {
  service(definition: { name: string; handlers: { steps(ctx: Context): Promise<null> } }): object
  serve(options: { services: object[]; port: number }): Promise<number>
}

const [, , folder = ''] = process.argv
const { service, serve: serveService } = await importFrom<Restate>(folder, '@restatedev/restate-sdk')
const steps = service({
  name: 'bench',
  handlers: {
    async steps(ctx) {
      for (let i = 0; i < stepsPerRun; i++) await ctx.run('work', work)
      return null
    },
  },
})
const [port, ingress, admin, node] = await Promise.all([freePort(), freePort(), freePort(), freePort()])
const place = mkdtempSync(join(tmpdir(), 'longhaul-bench-restate-'))
const server = spawn(join(folder, 'node_modules/.bin/restate-server'), ['--no-logo', '--base-dir', place], {
  stdio: 'ignore',
  detached: true, // What is started is a launcher: its group is ended with it.
  env: {
    PATH: process.env['PATH'],
    RESTATE_INGRESS__BIND_ADDRESS: `127.0.0.1:${ingress}`,
    RESTATE_ADMIN__BIND_ADDRESS: `127.0.0.1:${admin}`,
    RESTATE_BIND_ADDRESS: `127.0.0.1:${node}`,
    RESTATE_LISTEN_MODE: 'tcp',
    RESTATE_DEFAULT_NUM_PARTITIONS: '4',
    RESTATE_DISABLE_TELEMETRY: 'true',
    RESTATE_LOG_FILTER: 'error',
  },
})
const end = () => {
  if (server.pid !== undefined) process.kill(-server.pid, 'SIGKILL')
  rmSync(place, { recursive: true, force: true })
}
process.on('exit', end)
await serveService({ services: [steps], port })
const agent = new Agent({ headersTimeout: 0, bodyTimeout: 0 })
for (let tries = 0; ; tries++) {
  const registered = await post(`http://127.0.0.1:${admin}/deployments`, { uri: `http://127.0.0.1:${port}` }).catch((error: unknown) => error)
  if (registered === undefined) break
  if (tries === 200) throw new Error('restate-server did not take the service.', { cause: registered })
  await new Promise((resolve) => setTimeout(resolve, 100))
}
await serve(() => post(`http://127.0.0.1:${ingress}/bench/steps`, undefined))

async function post(url: string, body: unknown): Promise<void> {
  const { origin, pathname } = new URL(url)
  const { statusCode, body: answer } = await agent.request({
    origin,
    path: pathname,
    method: 'POST',
    ...(body !== undefined && { headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) }),
  })
  const text = await answer.text()
  if (statusCode >= 300) throw new Error(`${url}: ${statusCode} ${text}`)
}
