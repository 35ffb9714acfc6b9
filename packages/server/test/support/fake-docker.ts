/**
 * An engine that speaks Docker's wire on a Unix socket (HTTP/1.1, chunked answers, hijacked and framed streams) and really runs what it is asked to,
 * by bubblewrap: this machine has no engine. It keeps mounts, user, capabilities, privileges, network and read-only root; it bounds neither memory, processes nor time.
 */
import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, lstatSync, mkdtempSync, readlinkSync, rmSync, writeFileSync } from 'node:fs'
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Duplex, Readable } from 'node:stream'
import { familyOf } from '../../src/sandbox/processes.ts'

export type ContainerBody = {
  Image: string
  Entrypoint: string[]
  User: string
  Labels: Record<string, string>
  HostConfig: {
    CapDrop: string[]
    SecurityOpt: string[]
    ReadonlyRootfs: boolean
    NetworkMode: string
    Tmpfs: Record<string, string>
    Mounts: { Source: string; Target: string; ReadOnly: boolean }[]
  } & Record<string, unknown>
} & Record<string, unknown>

/** Walls that a careless engine leaves out although it was asked for them. Bubblewrap itself cannot do without `no_new_privs`. */
export type Ignored = 'CapDrop' | 'ReadonlyRootfs' | 'NetworkMode' | 'Seccomp' | 'Mounts'
export type FakeOptions = {
  ignores?: Ignored | undefined
  info?: Record<string, unknown>
  image?: { Config: { Volumes?: Record<string, object> } } | 'absent'
  startFails?: string
}

type Container = {
  body: ContainerBody
  child?: ChildProcess
  socket?: Duplex
  ended: PromiseWithResolvers<number>
  hasEnded: boolean
}

export type FakeDocker = {
  socket: string
  containers: Map<string, Container>
  /** Every body of a creation, in order. */
  created: ContainerBody[]
  calls: string[]
  options: FakeOptions
  [Symbol.asyncDispose](): Promise<void>
}

const isRoot = process.getuid?.() === 0

export async function startFakeDocker(options: FakeOptions = {}): Promise<FakeDocker> {
  const folder = mkdtempSync(join(tmpdir(), 'longhaul-docker-'))
  writeFileSync(join(folder, 'hosts'), '127.0.0.1 localhost\n') // An engine makes one for each container.
  const containers = new Map<string, Container>()
  const fake: FakeDocker = {
    ...{ socket: join(folder, 'docker.sock'), containers, created: [], calls: [], options },
    async [Symbol.asyncDispose]() {
      for (const { child, socket } of containers.values()) {
        child?.kill('SIGKILL')
        socket?.destroy()
      }
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
      rmSync(folder, { recursive: true, force: true })
    },
  }

  const server = createServer((request, response) => void answer(request, response).catch((error: unknown) => send(response, 500, { message: String(error) })))
  server.on('upgrade', (request: IncomingMessage, socket: Duplex) => {
    fake.calls.push(`${request.method} ${request.url}`)
    const container = containers.get(/^\/v1\.44\/containers\/(\w+)\/attach\?/.exec(request.url ?? '')?.[1] ?? '')
    if (!container) return socket.end('HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 32\r\n\r\n{"message":"No such container."}')
    socket.on('error', () => {})
    socket.write('HTTP/1.1 101 UPGRADED\r\nContent-Type: application/vnd.docker.raw-stream\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n')
    container.socket = socket
  })
  await new Promise<void>((resolve) => server.listen(fake.socket, resolve))

  async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    fake.calls.push(`${request.method} ${request.url}`)
    const url = new URL(request.url ?? '', 'http://docker')
    if (!url.pathname.startsWith('/v1.44/')) return send(response, 400, { message: 'an unknown version' })
    const [kind, name = '', action = ''] = url.pathname.slice('/v1.44/'.length).split('/')
    if (kind === 'info') return send(response, 200, { ...goodInfo, ...options.info })
    if (kind === 'images') {
      const { image = { Config: { Volumes: null } } } = options
      return image === 'absent' ? send(response, 404, { message: `No such image: ${decodeURIComponent(name)}` }) : send(response, 200, image)
    }
    if (name === 'create') {
      const body = JSON.parse(await textOf(request)) as ContainerBody
      const missing = body.HostConfig.Mounts.find(({ Source }) => !existsSync(Source))
      if (missing) return send(response, 400, { message: `invalid mount config for type "bind": bind source path does not exist: ${missing.Source}` })
      const id = randomBytes(32).toString('hex')
      containers.set(id, { body, ended: Promise.withResolvers(), hasEnded: false })
      fake.created.push(body)
      return send(response, 201, { Id: id, Warnings: [] })
    }
    if (name === 'json') {
      const [wanted] = (JSON.parse(url.searchParams.get('filters') ?? '{}') as { label?: string[] }).label ?? []
      const found = [...containers].filter(([, { body }]) => Object.entries(body.Labels).some(([key, value]) => `${key}=${value}` === wanted))
      return send(
        response,
        200,
        found.map(([Id]) => ({ Id })),
      )
    }
    const container = containers.get(name)
    if (!container) return send(response, 404, { message: `No such container: ${name}` })
    const { child } = container
    const isRunning = child !== undefined && !container.hasEnded
    if (action === 'wait') {
      response.writeHead(200, { 'content-type': 'application/json' })
      response.flushHeaders()
      return void container.ended.promise.then((StatusCode) => response.end(`${JSON.stringify({ StatusCode })}\n`))
    }
    if (action === 'start') {
      if (options.startFails) return send(response, 400, { message: options.startFails })
      run(container, join(folder, 'hosts'), options.ignores)
      return send(response, 204)
    }
    if (action === 'json') return send(response, 200, { Id: name, State: { OOMKilled: false, Running: isRunning } })
    if (request.method === 'DELETE') {
      child?.kill('SIGKILL')
      container.socket?.destroy()
      containers.delete(name)
      return send(response, 204)
    }
    if (!isRunning) return send(response, 409, { message: `container ${name} is not running` })
    if (action === 'stats')
      return send(response, 200, { memory_stats: { usage: 7_000_000 }, cpu_stats: { cpu_usage: { total_usage: 5e6 } }, pids_stats: { current: 3 } })
    if (action === 'kill') child.kill('SIGKILL')
    else if (action === 'pause' || action === 'unpause')
      for (const pid of familyOf(child.pid ?? 0).slice(1)) process.kill(pid, action === 'pause' ? 'SIGSTOP' : 'SIGCONT')
    else return send(response, 404, { message: 'page not found' })
    send(response, 204)
  }
  return fake
}

/** What an engine that enforces everything says of itself. */
const goodInfo = {
  ...{ OSType: 'linux', ServerVersion: '28.0.0', MemoryLimit: true, SwapLimit: true, PidsLimit: true, CpuCfsQuota: true },
  SecurityOptions: ['name=apparmor', 'name=seccomp,profile=builtin', 'name=cgroupns'],
  Runtimes: { runc: { path: 'runc' }, runsc: { path: '/usr/local/bin/runsc' }, 'io.containerd.runc.v2': { path: 'runc' } },
}

/** bubblewrap closes the ones that it makes by itself. */
const folders = ['/etc', '/opt', '/opt/longhaul', '/opt/longhaul/bin', '/run', '/run/longhaul'].flatMap((path) => ['--dir', path])

export type Jail = {
  mounts: { Source: string; Target: string; ReadOnly: boolean }[]
  /** Their options by path, as an engine has them. */
  tmpfs: Record<string, string>
  hosts: string
  hasNoNetwork: boolean
  isReadOnly: boolean
  ignores?: Ignored | undefined
}

/** Walls of a container in bubblewrap's words, up to the command. Descriptor 3 has the filter. */
export function jailArguments({ mounts, tmpfs, hosts, hasNoNetwork, isReadOnly, ignores }: Jail): string[] {
  const hasWall = (name: Ignored) => ignores !== name
  return [
    ...['--die-with-parent', '--unshare-ipc', '--unshare-uts', '--hostname', 'sandbox', '--unshare-pid', '--proc', '/proc', '--dev', '/dev'],
    ...(isRoot ? ['--cap-add', 'ALL'] : ['--unshare-user']),
    ...(hasNoNetwork && hasWall('NetworkMode') ? ['--unshare-net'] : []),
    ...['--ro-bind', '/usr', '/usr', ...systemLinks(), ...folders, '--ro-bind', process.execPath, '/opt/longhaul/bin/node'],
    ...['--ro-bind', hosts, '/etc/hosts', '--ro-bind-try', '/etc/alternatives', '/etc/alternatives'],
    ...Object.entries(tmpfs).flatMap(([path, text]) => {
      const value = (name: string) => new RegExp(`(?:^|,)${name}=(\\w+)`).exec(text)?.[1] ?? ''
      return ['--perms', value('mode'), '--size', value('size'), '--tmpfs', path]
    }),
    ...mounts.flatMap(({ Source, Target, ReadOnly }) => [ReadOnly ? '--ro-bind' : '--bind', Source, Target]),
    ...(hasWall('Mounts') ? [] : ['--perms', '1777', '--tmpfs', '/workspace']), // Another folder than the server's.
    ...(isReadOnly && hasWall('ReadonlyRootfs') ? ['--remount-ro', '/'] : ['--perms', '1777', '--tmpfs', '/etc']),
    ...['--clearenv', '--setenv', 'PATH', '/opt/longhaul/bin:/usr/bin:/bin', '--chdir', '/workspace'],
  ]
}

/** One instruction, "allow": that there is a filter can be seen inside; what it holds is the engine's. */
export const filterBytes = Buffer.from([6, 0, 0, 0, 0, 0, 0xff, 0x7f])

function run(container: Container, hosts: string, ignores: Ignored | undefined): void {
  const { body, socket } = container
  const { HostConfig } = body
  const hasWall = (name: Ignored) => ignores !== name
  const user = body.User.split(':')[0] ?? ''
  const drops = [
    ...(HostConfig.CapDrop.includes('ALL') && hasWall('CapDrop') ? ['--bounding-set=-all', '--inh-caps=-all'] : []),
    ...(HostConfig.SecurityOpt.includes('no-new-privileges:true') ? ['--no-new-privs'] : []),
  ]
  const args = [
    ...jailArguments({
      ...{ mounts: HostConfig.Mounts, tmpfs: HostConfig.Tmpfs, hosts, ignores },
      ...{ hasNoNetwork: HostConfig.NetworkMode === 'none', isReadOnly: HostConfig.ReadonlyRootfs },
    }),
    ...(hasWall('Seccomp') ? ['--seccomp', '3'] : []),
    '--',
    ...(isRoot ? ['setpriv', '--reuid', user, '--regid', user, '--clear-groups', ...drops, '--'] : []),
    ...body.Entrypoint,
  ]
  const child = spawn('bwrap', args, { stdio: ['pipe', 'pipe', 'pipe', 'pipe'], cwd: '/', env: { PATH: process.env['PATH'] } })
  container.child = child
  const filter = child.stdio[3] as import('node:stream').Writable
  filter.on('error', () => {})
  filter.end(filterBytes)
  child.stdin?.on('error', () => {})
  if (socket && child.stdin) socket.pipe(child.stdin)
  if (socket)
    for (const [stream, from] of [
      [1, child.stdout],
      [2, child.stderr],
    ] as const)
      if (from) frame(stream, from, socket)
  child.on('close', (code) => {
    container.hasEnded = true
    container.ended.resolve(code ?? 137)
    socket?.end()
  })
}

function frame(stream: 1 | 2, from: Readable, to: Duplex): void {
  from.on('data', (bytes: Buffer) => {
    const head = Buffer.alloc(8)
    head.writeUInt8(stream, 0)
    head.writeUInt32BE(bytes.length, 4)
    to.write(head.subarray(0, 3)) // Cut where it hurts.
    to.write(head.subarray(3))
    if (to.write(bytes)) return
    from.pause()
    to.once('drain', () => from.resume())
  })
}

const systemLinks = (): string[] =>
  ['/bin', '/sbin', '/lib', '/lib64'].flatMap((path) => {
    const info = lstatSync(path, { throwIfNoEntry: false })
    return info?.isSymbolicLink() ? ['--symlink', readlinkSync(path), path] : info ? ['--ro-bind', path, path] : []
  })

async function textOf(request: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = []
  for await (const piece of request as AsyncIterable<Buffer>) pieces.push(piece)
  return Buffer.concat(pieces).toString()
}

function send(response: ServerResponse, status: number, body?: unknown): void {
  response.writeHead(status, { 'content-type': 'application/json' })
  if (body === undefined) return void response.end()
  const text = JSON.stringify(body)
  response.write(text.slice(0, 7)) // In pieces, chunked.
  response.end(text.slice(7))
}
