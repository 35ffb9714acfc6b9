/** The same operations over gRPC, with server reflection and health, on a port of its own: HTTP/2 without TLS, as a proxy in front speaks it. */
import { type Http2Server, type ServerHttp2Session, constants, createServer } from 'node:http2'
import { type DescMethod, create } from '@bufbuild/protobuf'
import { type ConnectRouter, type MethodImpl, createContextValues } from '@connectrpc/connect'
import { connectNodeAdapter } from '@connectrpc/connect-node'
import type { Operation } from '@longhaul/protocol'
import { type Log, after, sleep } from '../../kernel/index.ts'
import type { AddressCheck } from '../guard.ts'
import type { Pipeline } from '../pipeline.ts'
import { openCalls, placeKey } from './calls.ts'
import { openConverter } from './convert.ts'
import { fileOf, registryOf } from './descriptor.ts'
import numbers from './field-numbers.json' with { type: 'json' }
import { numbered } from './numbers.ts'
import { openReflection } from './reflection.ts'
import { packageName, shapesOf } from './shapes.ts'
import { healthCheck, healthWatch, reflectionMethod, servingState, wellKnownFiles } from './well-known.ts'

export type GrpcOptions = {
  pipeline: Pipeline
  checkAddress: AddressCheck
  host: string
  port: number
  bodyBytesMax: number
  connectionsMax: number
  /** Rejects while the server cannot do its work. */
  health(): Promise<void>
  stopping: AbortSignal
  log: Log
}
export type Grpc = { url: string; stop(): Promise<void> }

const requestTimeoutMs = 60_000
const streamsMax = 100
const pingEveryMs = 30_000
const healthEveryMs = 5_000
const partingMs = 2_000

export async function listenGrpc(options: GrpcOptions): Promise<Grpc> {
  const { host, port, bodyBytesMax, connectionsMax, stopping } = options
  const { messages, services } = shapesOf()
  const file = fileOf(numbered(messages, numbers), services)
  const registry = registryOf([file])
  const byMethod = new Map<DescMethod, Operation>()
  const calls = openCalls({ ...options, converter: openConverter(messages) })
  const reflect = openReflection([file, ...wellKnownFiles])

  function routes(router: ConnectRouter): void {
    for (const { name, methods } of services) {
      const service = registry.getService(`${packageName}.${name}`)
      for (const { name: methodName, operation, isStream } of methods) {
        const method = service?.methods.find((each) => each.name === methodName)
        if (!method) throw new Error(`${name} has no ${methodName}.`) // It was made of the same shapes.
        byMethod.set(method, operation)
        const made = isStream ? calls.stream(operation) : calls.unary(operation)
        router.rpc(method, made as MethodImpl<DescMethod>, { readMaxBytes: operation.bodyBytesMax ?? bodyBytesMax }) // Of the kind that the method is of.
      }
    }
    router.rpc(reflectionMethod, reflect as MethodImpl<DescMethod>, { readMaxBytes: 10_000 })
    const status = async () =>
      create(healthCheck.output, {
        status: await options.health().then(
          () => servingState('SERVING'),
          () => servingState('NOT_SERVING'),
        ),
      } as never)
    router.rpc(healthCheck, status as MethodImpl<DescMethod>, { readMaxBytes: 10_000 })
    router.rpc(healthWatch, watchHealth(status, stopping) as MethodImpl<DescMethod>, { readMaxBytes: 10_000 })
  }

  const handle = connectNodeAdapter({
    routes,
    grpc: true,
    grpcWeb: false,
    connect: false,
    acceptCompression: [], // What is small may not become large here.
    requestGate: calls.gate((method) => byMethod.get(method)),
    contextValues: ({ socket, headers }) =>
      createContextValues().set(placeKey, { peer: socket.remoteAddress, host: headers.host ?? String(headers[':authority'] ?? '') }),
  })
  const server = createServer({ settings: { maxConcurrentStreams: streamsMax }, maxSessionMemory: 16 }, handle)
  const sessions = new Set<ServerHttp2Session>()
  server.maxConnections = connectionsMax
  server.on('session', (session) => {
    sessions.add(session)
    const cancel = keepAlive(session)
    session.on('error', () => session.destroy())
    session.once('close', () => {
      cancel()
      sessions.delete(session)
    })
  })
  // Whoever does not send what was begun, or opens a stream and says nothing.
  server.on('stream', (stream) => {
    const cancel = after(requestTimeoutMs, () => stream.readableEnded || stream.close(constants.NGHTTP2_CANCEL), false)
    stream.once('close', cancel)
  })
  await listening(server, host, port)
  const address = server.address()
  const realPort = typeof address === 'object' && address ? address.port : port
  return {
    url: `http://${host.includes(':') ? `[${host}]` : host}:${realPort}`,
    async stop() {
      const closed = new Promise<void>((resolve) => server.close(() => resolve()))
      for (const session of sessions) session.close() // After the calls that are under way.
      const cancel = after(partingMs, () => sessions.forEach((session) => session.destroy()))
      await closed
      cancel()
    },
  }
}

const listening = (server: Http2Server, host: string, port: number): Promise<void> =>
  new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen(port, host, resolve)
  })

/** A peer that answers no ping is gone. */
function keepAlive(session: ServerHttp2Session): () => void {
  let isAnswered = true
  let cancel = () => {}
  const beat = () => {
    if (!isAnswered || session.destroyed) return session.destroy()
    isAnswered = false
    session.ping((error) => {
      if (!error) isAnswered = true
    })
    cancel = after(pingEveryMs, beat, false)
  }
  cancel = after(pingEveryMs, beat, false)
  return () => cancel()
}

function watchHealth(status: () => Promise<unknown>, stopping: AbortSignal) {
  return async function* (_: unknown, { signal }: { signal: AbortSignal }) {
    const end = AbortSignal.any([signal, stopping])
    for (let last = ''; ;) {
      const now = await status()
      const text = String((now as { status: number }).status) // As its descriptor says.
      if (text !== last) yield now
      last = text
      if (end.aborted) return
      await sleep(healthEveryMs, end)
    }
  }
}
