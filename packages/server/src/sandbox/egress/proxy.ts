/**
 * The only way out of a sandbox: an HTTP proxy on a socket that this sandbox alone can reach. It lets through what a rule names, dials
 * only addresses that it has checked itself, and writes every attempt down. Everything that comes in was possibly written by hostile code.
 */
import type { EgressRule } from '@longhaul/protocol'
import { closeSync, constants, openSync } from 'node:fs'
import { chmod, readFile, rm, writeFile } from 'node:fs/promises'
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import type { Socket } from 'node:net'
import { join } from 'node:path'
import type { Duplex } from 'node:stream'
import { TLSSocket, createSecureContext } from 'node:tls'
import { type Log, monotonicMs, newId, wallClock } from '../../kernel/index.ts'
import { egressPath } from '../driver.ts'
import { storable } from '../output.ts'
import { createAuthority } from './authority.ts'
import { type Hello, readHello } from './client-hello.ts'
import { type Attempt, forward } from './forward.ts'
import { type Limits, createMeter } from './meter.ts'
import { splitHost } from './names.ts'
import { type Reach, Unreachable, reachHost } from './reach.ts'
import type { PackageCache } from './package-cache.ts'
import type { Recorder } from './recorder.ts'
import { decideHost, decideRequest, isReading, plainPath } from './rules.ts'
import { cutShort, firstBytes, rejoin, tunnel } from './tunnel.ts'

export type ProxyOptions = {
  tenantId: string
  sandboxId: string
  /** Where the socket and the authority's certificate go. */
  folder: string
  rules: readonly EgressRule[]
  limits: Limits
  used: { bytes: number; requests: number }
  /** Something was let through to this host: what comes back is written by others. */
  onReached?(host: string): void
  /** Files of packages that all sandboxes share. Absent: none. */
  packages?: PackageCache | undefined
  /** Answers requests that are for the proxy itself, and not for a host through it. Absent: they are refused. */
  door?: Door | undefined
}

export type Door = (request: IncomingMessage, response: ServerResponse) => void

export type EgressProxy = {
  /** For the commands inside: where the proxy is, and whom to trust. */
  readonly env: Record<string, string>
  setRules(rules: readonly EgressRule[], limits: Limits): void
  used(): { bytes: number; requests: number }
  flush(): Promise<void>
  stop(): Promise<void>
}

type Target = { host: string; port: number; isTls: boolean }
type Open = { target: Target; cut(why: string): void }

const connectionsMax = 128
const proxyUrl = 'http://127.0.0.1:3128'
/** Where programs inside find a `Door`: needs no proxy settings, which not every client heeds. */
export const doorUrl = proxyUrl
/** Attempts past the limit of requests that are still written down. */
const excessRecordedMax = 100
const systemCertificates = '/etc/ssl/certs/ca-certificates.crt'

export async function openProxy(reach: Reach, recorder: Recorder, log: Log, options: ProxyOptions): Promise<EgressProxy> {
  const { folder, tenantId, sandboxId } = options
  let rules = options.rules
  const meter = createMeter(options.limits, options.used)
  let requestsMax = options.limits.requestsMax
  const authority = createAuthority(sandboxId)
  const open = new Set<Open>()
  const targets = new WeakMap<Duplex, Target>()
  await trustInside(folder, authority.certificate)

  function attempt(target: Pick<Target, 'host' | 'port'>, method: string | null, path: string | null): Attempt {
    const from = monotonicMs()
    const startedAt = wallClock()
    let isTold = false
    const used = { out: 0, in: 0 }
    return {
      used,
      spend(way, bytes) {
        used[way] += bytes
        return meter.spend(bytes)
      },
      end(verdict, reason, status = null) {
        if (isTold) return
        isTold = true
        if (meter.used().requests > requestsMax + excessRecordedMax) return
        recorder.add({
          tenantId,
          sandboxId,
          id: newId(),
          host: storable(target.host.slice(0, 255)),
          port: target.port,
          method: method && storable(method.slice(0, 20)),
          path: path && storable(path.slice(0, 1_000)),
          verdict,
          reason: reason && storable(reason.slice(0, 500)),
          status,
          bytesOut: used.out,
          bytesIn: used.in,
          startedAt,
          durationMs: Math.round(monotonicMs() - from),
        })
      },
    }
  }

  /** One request that the proxy reads, whether it came in plain or out of TLS. */
  async function onRequest(target: Target, request: IncomingMessage, response: ServerResponse, rawPath: string): Promise<void> {
    const method = request.method ?? 'GET'
    const plain = plainPath(rawPath)
    const trial = attempt(target, method, plain?.path ?? rawPath.split('?')[0] ?? '')
    const refuse = (status: number, reason: string, verdict: 'refused' | 'failed' = 'refused') => {
      trial.end(verdict, reason, null)
      answer(response, status, reason)
    }
    const why = meter.whyNoRequest()
    if (why) return refuse(429, why)
    if (!plain) return refuse(400, 'The path is written in a way that servers read differently.')
    const named = request.headers.host === undefined ? undefined : splitHost(request.headers.host, target.port)
    if (named?.host !== target.host) return refuse(421, `The Host header is not ${target.host}.`)
    const decision = decideRequest(rules, target.host, target.port, method, plain)
    if (!decision.isAllowed) return refuse(403, decision.reason)
    const cutting = new AbortController()
    const entry: Open = { target, cut: (reason) => cutting.abort(new Unreachable('refused', reason)) }
    open.add(entry)
    options.onReached?.(target.host)
    try {
      const { rule } = decision
      const mayShare = plain.isCertain && rule.credential === undefined
      const shared = mayShare ? options.packages?.shared({ ...target, ...plain, method, headers: request.headers }) : undefined
      await forward({ reach, target, rule, path: plain.path + plain.query, shared, request, response, trial, signal: cutting.signal })
    } catch (error) {
      const { verdict, message } =
        error instanceof Unreachable ? error : { verdict: 'failed' as const, message: error instanceof Error ? error.message : String(error) }
      refuse(verdict === 'refused' ? 403 : 502, message, verdict)
    } finally {
      open.delete(entry)
    }
  }

  /** Requests inside a connection that CONNECT opened. */
  const inner = createServer((request, response) => {
    const target = targets.get(request.socket)
    if (!target) return answer(response, 500, 'A connection of unknown origin.')
    onRequest(target, request, response, request.url ?? '').catch((error: unknown) => log.error('request of a sandbox failed', { error, sandboxId }))
  })
  inner.on('upgrade', (_, socket) => cutShort(socket, 501, 'Upgrades are not let through where requests are read.'))
  inner.on('clientError', (_, socket) => socket.destroy())

  async function onConnect(request: IncomingMessage, socket: Socket, head: Buffer): Promise<void> {
    const target = splitHost(request.url ?? '', 443)
    const trial = attempt(target ?? { host: request.url ?? '', port: 0 }, null, null)
    const refuse = (status: number, reason: string, verdict: 'refused' | 'failed' = 'refused') => {
      trial.end(verdict, reason)
      cutShort(socket, status, reason)
    }
    if (!target) return refuse(403, 'Only names can be connected to, and no addresses.')
    const decision = decideHost(rules, target.host, target.port)
    const why = decision.isAllowed && decision.isRead ? undefined : meter.whyNoRequest()
    if (!decision.isAllowed) return refuse(403, decision.reason)
    if (why) return refuse(429, why)
    socket.write('HTTP/1.1 200 Connection established\r\n\r\n')
    const first = await firstBytes(socket, head, (bytes) => readHello(bytes).is !== 'incomplete')
    if (!first) return refuse(0, 'Nothing was said, or it broke off in the middle.', 'failed')
    const hello: Hello = readHello(first)
    if (hello.is === 'hello' && hello.serverName?.toLowerCase() !== target.host)
      return refuse(
        0,
        `TLS was asked for ${hello.serverName === undefined ? 'no name' : JSON.stringify(hello.serverName.slice(0, 255))} in a connection to ${target.host}.`,
      )
    if (hello.is === 'hello' && !decision.isRead) return passOn(target, trial, socket, first)
    // What is not TLS is plain HTTP, or nothing that we let through: its reader says so.
    const plain = rejoin(first, socket)
    if (hello.is !== 'hello') return take(plain, { ...target, isTls: false })
    const secure = new TLSSocket(plain, {
      isServer: true,
      ALPNProtocols: ['http/1.1'],
      secureContext: createSecureContext(),
      SNICallback: (name, done) => done(null, name.toLowerCase() === target.host ? authority.contextFor(target.host) : undefined),
    })
    secure.on('error', (error) => {
      meter.whyNoRequest() // So that no loop of them fills the table.
      trial.end('failed', `TLS with the sandbox failed: ${error.message}`)
      socket.destroy()
    })
    take(secure, { ...target, isTls: true })
  }

  function take(connection: Duplex, target: Target): void {
    targets.set(connection, target)
    inner.emit('connection', connection)
  }

  async function passOn(target: Omit<Target, 'isTls'>, trial: Attempt, socket: Socket, first: Buffer): Promise<void> {
    const entry: Open = { target: { ...target, isTls: true }, cut: () => {} }
    try {
      const outer = await reachHost(reach, target.host, target.port)
      open.add(entry)
      options.onReached?.(target.host)
      const { end, cut } = tunnel(socket, outer, first, trial.spend)
      entry.cut = cut
      const reason = await end
      trial.end(reason === undefined ? 'allowed' : 'refused', reason ?? null)
    } catch (error) {
      const { verdict, message } = error instanceof Unreachable ? error : { verdict: 'failed' as const, message: String(error) }
      trial.end(verdict, message)
      socket.destroy()
    } finally {
      open.delete(entry)
    }
  }

  const server = createServer({ headersTimeout: 30_000, requestTimeout: 0 }, (request, response) => {
    if (options.door && request.url?.startsWith('/')) return options.door(request, response)
    const [, authority = '', rest = ''] = /^http:\/\/([^/?#]*)([^#]*)/i.exec(request.url ?? '') ?? []
    const target = splitHost(authority, 80)
    const path = rest.startsWith('/') ? rest : `/${rest}`
    if (!target) {
      const trial = attempt({ host: authority || '-', port: 0 }, request.method ?? null, path.split('?')[0] ?? null)
      meter.whyNoRequest()
      trial.end('refused', 'Only http:// and a name can be asked for, and no addresses.')
      return answer(response, 403, 'This is a proxy. Only http:// and a name can be asked for, and no addresses.')
    }
    onRequest({ ...target, isTls: false }, request, response, path).catch((error: unknown) => log.error('request of a sandbox failed', { error, sandboxId }))
  })
  server.maxConnections = connectionsMax
  server.on('connect', (request, socket, head) => {
    socket.on('error', () => {}) // 'close' follows.
    onConnect(request, socket as Socket, head).catch((error: unknown) => {
      log.error('connection of a sandbox failed', { error, sandboxId })
      socket.destroy()
    })
  })
  server.on('upgrade', (_, socket) => cutShort(socket, 501, 'Upgrades are let through in TLS only.'))
  server.on('clientError', (_, socket) => socket.destroy())
  const sockets = new Set<Socket>()
  server.on('connection', (socket) => {
    sockets.add(socket)
    socket.on('close', () => sockets.delete(socket))
  })
  await listenIn(folder, server)

  return {
    get env() {
      return environment(rules.some(isReading))
    },
    setRules(next, limits) {
      rules = next
      requestsMax = limits.requestsMax
      meter.setLimits(limits)
      for (const { target, cut } of open) if (!decideHost(rules, target.host, target.port).isAllowed) cut('The rule that allowed it was taken away.')
    },
    used: meter.used,
    flush: recorder.flush,
    async stop() {
      for (const { cut } of open) cut('The sandbox was closed.')
      for (const socket of sockets) socket.destroy()
      await new Promise((resolve) => server.close(resolve))
      await recorder.flush()
    },
  }
}

function answer(response: ServerResponse, status: number, reason: string): void {
  if (response.headersSent) return void response.destroy()
  const body = `longhaul: ${reason}\n`
  response.writeHead(status, {
    'content-type': 'text/plain; charset=utf-8',
    'content-length': Buffer.byteLength(body),
    connection: 'close',
    'x-longhaul-refused': 'egress',
  })
  response.end(body)
}

/** A path may be longer than a socket's may be: it is named through the folder's own descriptor. */
async function listenIn(folder: string, server: ReturnType<typeof createServer>): Promise<void> {
  const path = join(folder, 'proxy.sock')
  await rm(path, { force: true })
  const descriptor = openSync(folder, constants.O_RDONLY | constants.O_DIRECTORY)
  try {
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(`/proc/self/fd/${descriptor}/proxy.sock`, resolve)
    })
    await chmod(path, 0o666) // Whoever reaches the folder may: that is this sandbox.
  } finally {
    closeSync(descriptor)
  }
}

/** Programs that add an authority get ours alone; those that only take a whole bundle get the host's with ours. */
async function trustInside(folder: string, certificate: string): Promise<void> {
  const system = await readFile(systemCertificates, 'utf8').catch(() => '') // None on this host: ours alone, then.
  await writeFile(join(folder, 'ca.pem'), certificate, { mode: 0o644 })
  await writeFile(join(folder, 'bundle.pem'), `${system}${certificate}`, { mode: 0o644 })
}

function environment(isRead: boolean): Record<string, string> {
  const [ca, bundle] = [`${egressPath}/ca.pem`, `${egressPath}/bundle.pem`]
  const both = (name: string, value: string) => ({ [name]: value, [name.toLowerCase()]: value })
  return {
    ...both('HTTP_PROXY', proxyUrl),
    ...both('HTTPS_PROXY', proxyUrl),
    ...both('NO_PROXY', 'localhost,127.0.0.1,::1'),
    NODE_USE_ENV_PROXY: '1',
    ...(isRead && {
      NODE_EXTRA_CA_CERTS: ca,
      SSL_CERT_FILE: bundle,
      CURL_CA_BUNDLE: bundle,
      REQUESTS_CA_BUNDLE: bundle,
      PIP_CERT: bundle,
      GIT_SSL_CAINFO: bundle,
      npm_config_cafile: bundle,
    }),
  }
}
