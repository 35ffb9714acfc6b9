/** A real worker process, connected to a WebSocket server that is the test itself. */
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createServer } from 'node:http'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { type ServerFrame, WorkerFrame } from '@longhaul/protocol'
import { type WebSocket, WebSocketServer } from 'ws'

const entry = fileURLToPath(new URL('../../src/worker-main.ts', import.meta.url))

type Options = {
  isUnixSocket?: boolean
  env?: Record<string, string>
  stdin?: 'pipe' | 'ignore'
  onFrame?: (frame: WorkerFrame, reply: (...frames: ServerFrame[]) => void) => void
  isChecked?: boolean
}

export async function startWorkerProcess(folder: string, { isUnixSocket = false, env = {}, stdin = 'pipe', onFrame, isChecked = true }: Options = {}) {
  const home = await mkdtemp(join(tmpdir(), 'longhaul-worker-'))
  const server = createServer()
  const sockets = new WebSocketServer({ server, path: '/v1/worker', perMessageDeflate: false })
  server.listen(isUnixSocket ? join(home, 's.sock') : 0)
  await once(server, 'listening')
  const address = server.address()
  const url = typeof address === 'object' ? `ws://127.0.0.1:${address?.port}/v1/worker` : `ws+unix://${address}:/v1/worker`

  const frames: WorkerFrame[] = []
  let messageCount = 0
  let socket: WebSocket | undefined
  let authorization: string | undefined
  let wake = () => {}
  const send = (...batch: ServerFrame[]) => socket?.send(JSON.stringify(batch))
  sockets.on('connection', (connected, request) => {
    socket = connected
    authorization = request.headers.authorization
    connected.on('message', (data) => {
      messageCount++
      const replies: ServerFrame[] = []
      for (const raw of JSON.parse(String(data)) as unknown[]) {
        const frame = isChecked ? WorkerFrame.parse(raw) : (raw as WorkerFrame)
        if (isChecked) frames.push(frame)
        if (frame.type === 'hello') replies.push({ type: 'licence', untilMs: Number.MAX_SAFE_INTEGER }) // Nobody stops anything here.
        onFrame?.(frame, (...more) => replies.push(...more))
      }
      if (replies.length > 0) send(...replies)
      wake()
    })
  })

  const child: ChildProcess = spawn(process.execPath, ['--conditions=longhaul-source', entry], {
    env: {
      PATH: process.env['PATH'],
      LONGHAUL_WORKER_URL: url,
      LONGHAUL_WORKER_TOKEN: 'secret-token',
      LONGHAUL_AGENT_FOLDER: folder,
      LONGHAUL_AGENT_DATA_DIR: home,
      ...env,
    },
    stdio: [stdin, 'pipe', 'pipe'],
  })
  let stderr = ''
  child.stderr?.on('data', (data) => (stderr += String(data)))
  const exited = once(child, 'exit').then(([code, signal]) => ({ code, signal, stderr }) as { code: number | null; signal: string | null; stderr: string })

  return {
    child,
    exited,
    frames,
    send,
    dataDir: home,
    messageCount: () => messageCount,
    authorization: () => authorization,
    closeSocket: () => socket?.close(),
    /** The first frame that matches, once there is one; rejects when the worker ends before. */
    async next<Type extends WorkerFrame['type']>(
      type: Type,
      matches: (frame: Extract<WorkerFrame, { type: Type }>) => boolean = () => true,
    ): Promise<Extract<WorkerFrame, { type: Type }>> {
      for (;;) {
        const found = frames.find((frame) => frame.type === type && matches(frame as Extract<WorkerFrame, { type: Type }>))
        if (found) return found as Extract<WorkerFrame, { type: Type }>
        const ended = await Promise.race([exited, new Promise<undefined>((resolve) => (wake = () => resolve(undefined)))])
        if (ended) throw new Error(`The worker ended before it sent ${type}: ${ended.stderr}`)
      }
    },
    start(run: string, input: null | string = null) {
      const asker = { id: 'k', name: 'tester', access: { personalData: true } }
      send({
        type: 'run.start',
        run,
        agent: 'test',
        version: '1',
        input,
        asker,
        session: null,
        messages: [],
        createdAt: '2026-01-15T12:00:00.000Z',
        historyLength: 0,
      })
    },
    async [Symbol.asyncDispose]() {
      child.kill('SIGKILL')
      await exited
      sockets.close()
      for (const client of sockets.clients) client.terminate()
      server.close()
      await rm(home, { recursive: true, force: true })
    },
  }
}
