/**
 * An API server that speaks the wire of Kubernetes (JSON over HTTP, commands over WebSocket by `v5.channel.k8s.io`) and really runs what it is asked to,
 * by bubblewrap, and `nsenter` for commands: this machine has no cluster. It keeps mounts, user, capabilities, privileges, network and read-only root; it
 * bounds neither memory nor time. It needs root.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type WebSocket, WebSocketServer } from 'ws'
import { familyOf } from '../../src/sandbox/processes.ts'
import { type Ignored, filterBytes, jailArguments } from './fake-docker.ts'

export type PodBody = {
  metadata: { name: string; labels: Record<string, string> }
  spec: {
    runtimeClassName?: string
    securityContext: { runAsUser: number; runAsGroup: number } & Record<string, unknown>
    containers: {
      image: string
      command: string[]
      securityContext: { allowPrivilegeEscalation: boolean; readOnlyRootFilesystem: boolean; capabilities: { drop: string[] } } & Record<string, unknown>
      volumeMounts: { name: string; subPath?: string; mountPath: string; readOnly: boolean }[]
    }[]
    volumes: { name: string; persistentVolumeClaim?: { claimName: string }; emptyDir?: { medium: string; sizeLimit: string } }[]
  } & Record<string, unknown>
}
export type FakeClusterOptions = {
  /** Where the claim is on this machine. */
  claimFolder: string
  ignores?: Ignored | undefined
  version?: { major: string; minor: string; gitVersion: string }
  /** Of a container that does not come up. */
  waits?: { reason: string; message?: string }
  /** A cluster whose network policy nobody enforces has `NetworkMode` among what it ignores. */
  token?: string
  refuses?: { status: number; message: string }
}
type Pod = { body: PodBody; child: ChildProcess; commands: Set<ChildProcess>; sockets: Set<WebSocket>; isRunning(): boolean; firstPid(): number }
export type FakeCluster = {
  url: string
  pods: Map<string, Pod>
  created: PodBody[]
  calls: string[]
  /** Deletes nothing that it is asked to: as if nobody asked. */
  isDeaf: boolean
  [Symbol.asyncDispose](): Promise<void>
}

const base = '/api/v1/namespaces/agents'
/**
 * Sets what a runtime sets for whoever joins a container: the folder, no new privileges, the filter. Only a child is in the pod's process namespace.
 * It is waited for here, since `nsenter` stops itself when its child is stopped, and nobody would have it go on.
 */
const joining = `import ctypes, os, sys
pid = os.fork()
if pid:
  for each in 0, 1, 2: os.close(each)
  _, how = os.waitpid(pid, 0)
  os._exit(os.WEXITSTATUS(how) if os.WIFEXITED(how) else 128 + os.WTERMSIG(how))
class F(ctypes.Structure): _fields_ = [("n", ctypes.c_ushort), ("p", ctypes.c_char_p)]
os.chdir("/workspace")
c = ctypes.CDLL(None)
if sys.argv[2] == "1": c.prctl(38, 1, 0, 0, 0)
code = bytes.fromhex(sys.argv[3])
if code: c.prctl(22, 2, ctypes.byref(F(len(code) // 8, code)))
os.execvpe(sys.argv[4], sys.argv[4:], {"PATH": "/opt/longhaul/bin:/usr/bin:/bin", "LANG": "C.UTF-8", "UV_THREADPOOL_SIZE": "1"})`

export async function startFakeKubernetes(options: FakeClusterOptions): Promise<FakeCluster> {
  const { claimFolder, ignores, waits, token, refuses, version = { major: '1', minor: '33', gitVersion: 'v1.33.1' } } = options
  const hasWall = (name: Ignored) => ignores !== name
  const folder = mkdtempSync(join(tmpdir(), 'longhaul-cluster-'))
  writeFileSync(join(folder, 'hosts'), '127.0.0.1 localhost\n')
  const pods = new Map<string, Pod>()
  const calls: string[] = []
  const created: PodBody[] = []
  const server = createServer((request, response) => void answer(request, response).catch((error: unknown) => status(response, 500, String(error))))
  const sockets = new WebSocketServer({ noServer: true, handleProtocols: (offered) => (offered.has('v5.channel.k8s.io') ? 'v5.channel.k8s.io' : false) })
  server.on('upgrade', (request, socket, head) => {
    calls.push(`${request.method} ${request.url?.split('?')[0]}`)
    const url = new URL(request.url ?? '', 'http://cluster')
    const pod = pods.get(new RegExp(`^${base}/pods/([^/]+)/exec$`).exec(url.pathname)?.[1] ?? '')
    if (!pod?.isRunning() || !isKnown(request)) return socket.end('HTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n')
    sockets.handleUpgrade(request, socket, head, (client) => exec(pod, client, url.searchParams.getAll('command')))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))

  const isKnown = (request: IncomingMessage) => token === undefined || request.headers.authorization === `Bearer ${token}`

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '', 'http://cluster')
    calls.push(`${request.method} ${url.pathname}`)
    if (!isKnown(request)) return status(response, 401, 'Unauthorized')
    if (url.pathname === '/version') return send(response, 200, version)
    if (!url.pathname.startsWith(`${base}/pods`)) return status(response, 404, 'the server could not find the requested resource')
    const name = url.pathname.slice(`${base}/pods/`.length)
    if (request.method === 'POST') {
      if (refuses) return status(response, refuses.status, refuses.message)
      const body = JSON.parse(await textOf(request)) as PodBody
      created.push(body)
      pods.set(body.metadata.name, start(body))
      return send(response, 201, body)
    }
    if (name === '') {
      const wanted = url.searchParams.get('labelSelector') ?? ''
      const found = [...pods.values()].filter(({ body }) => Object.entries(body.metadata.labels).some(([key, value]) => `${key}=${value}` === wanted))
      return send(response, 200, { items: found.map(({ body }) => body) })
    }
    const pod = pods.get(name)
    if (!pod) return status(response, 404, `pods "${name}" not found`)
    if (request.method === 'DELETE' && !fake.isDeaf) end(pod) // It stays in the list until it has ended.
    const state = waits ? { waiting: waits } : pod.isRunning() ? { running: {} } : { waiting: { reason: 'ContainerCreating' } }
    send(response, 200, { ...pod.body, status: { phase: !waits && pod.isRunning() ? 'Running' : 'Pending', containerStatuses: [{ state }] } })
  }

  function start(body: PodBody): Pod {
    const { spec } = body
    const [container] = spec.containers
    if (!container) throw new Error('A pod without a container.')
    const claimed = container.volumeMounts.filter(({ name }) => name === 'claim')
    const memory = container.volumeMounts.filter(({ name }) => spec.volumes.some((volume) => volume.name === name && volume.emptyDir) && name !== 'shm')
    const sizeOf = (name: string) => spec.volumes.find((volume) => volume.name === name)?.emptyDir?.sizeLimit ?? '0'
    const jail = jailArguments({
      mounts: claimed.map(({ subPath = '', mountPath, readOnly }) => ({ Source: join(claimFolder, subPath), Target: mountPath, ReadOnly: readOnly })),
      tmpfs: Object.fromEntries(memory.map(({ name, mountPath }) => [mountPath, `mode=1777,size=${sizeOf(name)}`])),
      ...{ hosts: join(folder, 'hosts'), hasNoNetwork: true, isReadOnly: container.securityContext.readOnlyRootFilesystem, ignores },
    })
    const args = [...jail, '--as-pid-1', '--', ...privileges(body), ...container.command]
    const child = spawn('bwrap', args, { stdio: 'ignore', cwd: '/', env: { PATH: process.env['PATH'] } })
    const pod: Pod = {
      ...{ body, child, commands: new Set(), sockets: new Set() },
      firstPid: () => familyOf(child.pid ?? 0)[1] ?? 0,
      isRunning: () => child.exitCode === null && child.signalCode === null && commandOf(pod.firstPid()).startsWith('/bin/sh'),
    }
    child.on('close', () => {
      for (const each of pod.commands) each.kill('SIGKILL')
      pods.delete(body.metadata.name)
    })
    return pod
  }

  function privileges({ spec }: PodBody): string[] {
    const { capabilities, allowPrivilegeEscalation } = spec.containers[0]!.securityContext
    const { runAsUser, runAsGroup } = spec.securityContext
    const drops = capabilities.drop.includes('ALL') && hasWall('CapDrop') ? ['--bounding-set=-all', '--inh-caps=-all'] : []
    return [
      'setpriv',
      '--reuid',
      `${runAsUser}`,
      '--regid',
      `${runAsGroup}`,
      '--clear-groups',
      ...drops,
      ...(allowPrivilegeEscalation ? [] : ['--no-new-privs']),
      '--',
    ]
  }

  function exec(pod: Pod, client: WebSocket, command: string[]): void {
    const first = pod.body.spec.containers[0]!.securityContext
    const filter = hasWall('Seccomp') ? filterBytes.toString('hex') : ''
    const into = ['--target', `${pod.firstPid()}`, '--mount', '--pid', '--net', '--ipc', '--uts', '--no-fork', '--', ...privileges(pod.body)]
    const join = ['/usr/bin/python3', '-c', joining, 'join', first.allowPrivilegeEscalation ? '0' : '1', filter, ...command]
    const child = spawn('nsenter', [...into, ...join], { stdio: 'pipe', cwd: '/' })
    pod.commands.add(child)
    pod.sockets.add(client)
    child.stdin.on('error', () => {})
    client.on('message', (message: Buffer) => {
      if (message[0] === 0) child.stdin.write(message.subarray(1))
      if (message[0] === 255 && message[1] === 0) child.stdin.end()
    })
    client.on('close', () => child.stdin.end()) // As the node does, once the connection is gone.
    for (const [channel, from] of [
      [1, child.stdout],
      [2, child.stderr],
    ] as const)
      from.on('data', (bytes: Buffer) => {
        from.pause()
        client.send(Buffer.concat([Buffer.from([channel]), bytes]), () => from.resume())
      })
    child.on('close', (code) => {
      pod.commands.delete(child)
      pod.sockets.delete(client)
      const failed = { status: 'Failure', reason: 'NonZeroExitCode', details: { causes: [{ reason: 'ExitCode', message: String(code ?? 137) }] } }
      client.send(Buffer.concat([Buffer.from([3]), Buffer.from(JSON.stringify(code === 0 ? { status: 'Success' } : failed))]), () => client.close())
    })
  }

  const fake: FakeCluster = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    ...{ pods, created, calls, isDeaf: false },
    async [Symbol.asyncDispose]() {
      for (const pod of pods.values()) end(pod)
      for (const client of sockets.clients) client.terminate()
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      rmSync(folder, { recursive: true, force: true })
    },
  }
  return fake
}

/** Its first process: one that took another user on is not taken along by bubblewrap's end. */
function end(pod: Pod): void {
  const first = pod.firstPid()
  if (commandOf(first) !== '') process.kill(first, 'SIGKILL')
  else pod.child.kill('SIGKILL')
}

function commandOf(pid: number): string {
  try {
    return pid === 0 ? '' : readFileSync(`/proc/${pid}/cmdline`, 'utf8')
  } catch {
    return '' // It has ended.
  }
}

async function textOf(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = []
  for await (const piece of request as AsyncIterable<Buffer>) pieces.push(piece)
  return Buffer.concat(pieces).toString()
}

const status = (response: ServerResponse, code: number, message: string) => send(response, code, { kind: 'Status', status: 'Failure', message, code })

function send(response: ServerResponse, code: number, body: unknown): void {
  response.writeHead(code, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}
