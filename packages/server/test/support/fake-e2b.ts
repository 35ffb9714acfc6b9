/**
 * E2B's two interfaces, as their own client speaks them: REST for machines, and `envd` in each (Connect's JSON frames, files over HTTP). A machine is a
 * sandbox of bubblewrap; its files outlive a pause.
 */
import { mkdtempSync, rmSync } from 'node:fs'
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { silentLog } from '../../src/kernel/index.ts'
import type { Sandbox } from '../../src/sandbox/driver.ts'
import { bwrapDriver } from '../../src/sandbox/drivers/bwrap/bwrap.ts'
import { claimRoot } from '../../src/sandbox/root.ts'

type Machine = {
  sandboxID: string
  metadata: Record<string, string>
  body: Record<string, unknown>
  state: 'running' | 'paused'
  sandbox: Sandbox
  uploads: Map<string, Buffer>
}
export type FakeE2b = {
  url: string
  machines: Map<string, Machine>
  calls: string[]
  /** The next command runs, and something on the way answers 502 in its place. */
  losesAnswer: boolean
  [Symbol.asyncDispose](): Promise<void>
}

export async function startFakeE2b(key = 'e2b_key'): Promise<FakeE2b> {
  const root = claimRoot(mkdtempSync(join(tmpdir(), 'longhaul-e2b-')))
  const driver = bwrapDriver({ root, log: silentLog })
  const machines = new Map<string, Machine>()
  const calls: string[] = []
  const running = new Map<number, AbortController>()
  let pidCount = 100
  let count = 0

  const server = createServer(
    (request, response) => void answer(request, response).catch((error: unknown) => send(response, 500, { code: 500, message: String(error) })),
  )
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))

  const told = ({ sandboxID, body }: Machine) => ({
    sandboxID,
    templateID: body['templateID'],
    envdVersion: '0.6.0',
    envdAccessToken: `token-${sandboxID}`,
    domain: null,
  })

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', 'http://e2b')
    calls.push(`${request.method} ${url.pathname}`)
    const bytes = await bytesOf(request)
    if (request.headers['e2b-sandbox-id'] !== undefined) return envd(request, response, url, bytes)
    if (request.headers['x-api-key'] !== key) return send(response, 401, { code: 401, message: 'Invalid API key' })
    const body = bytes.length > 0 ? (JSON.parse(bytes.toString()) as Record<string, unknown>) : {}
    const [, sandboxID = '', action = ''] = /^\/(?:v2\/)?sandboxes\/([\w-]+)(?:\/(\w+))?$/.exec(url.pathname) ?? []
    if (url.pathname === '/v2/sandboxes' && request.method === 'POST') {
      const id = `m${++count}x${process.pid}`
      const machine: Machine = {
        ...{ sandboxID: id, metadata: body['metadata'] as Record<string, string>, body, state: 'running' },
        ...{ sandbox: await driver.create({ id }), uploads: new Map() },
      }
      machines.set(id, machine)
      return send(response, 201, told(machine))
    }
    if (url.pathname === '/v2/sandboxes') {
      const wanted = [...new URLSearchParams(url.searchParams.get('metadata') ?? '')]
      const found = [...machines.values()].filter(({ metadata }) => wanted.every(([name, value]) => metadata[name] === decodeURIComponent(value)))
      return send(
        response,
        200,
        found.map((machine) => ({ ...told(machine), state: machine.state, metadata: machine.metadata })),
      )
    }
    const machine = machines.get(sandboxID)
    if (!machine) return send(response, 404, { code: 404, message: `Sandbox ${sandboxID} not found` })
    if (request.method === 'DELETE') {
      machines.delete(sandboxID)
      await machine.sandbox.destroy()
      return send(response, 204)
    }
    if (action === 'pause') {
      await machine.sandbox.stop()
      machine.state = 'paused'
      return send(response, 204)
    }
    if (action !== 'connect') return send(response, 404, { code: 404, message: 'no such thing' })
    if (machine.state === 'paused') machine.sandbox = await driver.create({ id: sandboxID })
    machine.state = 'running'
    send(response, 201, told(machine))
  }

  async function envd(request: IncomingMessage, response: ServerResponse, url: URL, bytes: Buffer): Promise<void> {
    const machine = machines.get(String(request.headers['e2b-sandbox-id']))
    if (machine?.state !== 'running') return send(response, 502, { message: 'The sandbox was not found' })
    if (request.headers['x-access-token'] !== `token-${machine.sandboxID}`) return send(response, 401, { message: 'unauthorized' })
    if (url.pathname === '/files') {
      const path = url.searchParams.get('path') ?? ''
      if (request.method === 'POST') {
        const made = path.startsWith('/workspace/') ? path : `/workspace/${path.slice(path.lastIndexOf('/') + 1)}`
        await machine.sandbox.files({ action: 'write', files: [{ path: made, base64: bytes.toString('base64') }] })
        // What lies outside of the workspace can only be put there from inside.
        if (made !== path) await shell(machine, `mv '${made}' '${path}'`)
        return send(response, 200, [{ path, name: path, type: 'file' }])
      }
      const file = await machine.sandbox.files({ action: 'read', path, bytesMax: 30_000_000 }).catch(() => undefined)
      if (file?.action !== 'read') return send(response, 404, { code: 404, message: 'not found' })
      response.writeHead(200, { 'content-type': 'application/octet-stream' })
      return void response.end(Buffer.from(file.base64, 'base64'))
    }
    if (url.pathname === '/process.Process/SendSignal') {
      const { process: which, signal } = JSON.parse(bytes.toString()) as { process: { pid: number }; signal: string }
      if (signal !== 'SIGNAL_SIGKILL' || !running.has(which.pid)) return send(response, 404, { code: 'not_found', message: 'process not found' })
      running.get(which.pid)?.abort()
      return send(response, 200, {})
    }
    if (url.pathname !== '/process.Process/Start') return send(response, 404, { code: 'unimplemented' })
    const { process: asked } = JSON.parse(bytes.subarray(5, 5 + bytes.readUInt32BE(1)).toString()) as {
      process: { cmd: string; args: string[]; envs: Record<string, string>; cwd: string }
    }
    if (fake.losesAnswer) {
      fake.losesAnswer = false
      await machine.sandbox.exec(
        { cmd: asked.cmd, args: asked.args, env: asked.envs, cwd: asked.cwd, timeoutMs: 10_000 },
        { signal: new AbortController().signal },
      )
      return send(response, 502, '<html>502 Bad Gateway</html>')
    }
    const pid = ++pidCount
    const abort = new AbortController()
    running.set(pid, abort)
    response.writeHead(200, { 'content-type': 'application/connect+json' })
    const tell = (value: object, flags = 0) => {
      const text = Buffer.from(JSON.stringify(value))
      const head = Buffer.alloc(5)
      head.writeUInt8(flags, 0)
      head.writeUInt32BE(text.length, 1)
      response.write(head.subarray(0, 2)) // Cut where it hurts.
      response.write(Buffer.concat([head.subarray(2), text]))
    }
    tell({ event: { start: { pid } } })
    tell({ event: { keepalive: {} } })
    try {
      const { exitCode } = await machine.sandbox.exec(
        { cmd: asked.cmd, args: asked.args, env: asked.envs, cwd: asked.cwd, timeoutMs: 600_000 },
        { signal: abort.signal, onOutput: (stream, text) => tell({ event: { data: { [stream]: Buffer.from(text).toString('base64') } } }) },
      )
      tell({ event: { end: { ...(exitCode !== 0 && { exitCode: exitCode ?? -1 }), exited: exitCode !== null, status: `exit status ${exitCode}` } } })
    } catch {
      tell({ event: { end: { exitCode: -1, exited: false, status: 'signal: killed' } } })
    }
    running.delete(pid)
    tell({}, 2)
    response.end()
  }

  const shell = (machine: Machine, script: string) => machine.sandbox.exec({ script, timeoutMs: 10_000 }, { signal: new AbortController().signal })
  const fake: FakeE2b = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ...{ machines, calls, losesAnswer: false },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      await driver.stop()
      root.release()
      rmSync(root.path, { recursive: true, force: true })
    },
  }
  return fake
}

async function bytesOf(request: IncomingMessage): Promise<Buffer> {
  const pieces: Buffer[] = []
  for await (const piece of request as AsyncIterable<Buffer>) pieces.push(piece)
  return Buffer.concat(pieces)
}

function send(response: ServerResponse, status: number, body?: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  response.end(body === undefined ? undefined : JSON.stringify(body))
}
