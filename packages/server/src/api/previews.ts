/**
 * What listens on a port inside a sandbox, shown at `/preview/<link>/…` of this server, by HTTP and WebSockets. The link says which
 * sandbox and port, until when, and is signed. What comes from inside is hostile: browsers give it an origin of its own, without our cookies or keys.
 */
import { createHmac, timingSafeEqual } from 'node:crypto'
import { type IncomingHttpHeaders, type IncomingMessage, type ServerResponse, request as httpRequest } from 'node:http'
import type { Duplex } from 'node:stream'
import { z } from 'zod'
import { errorCodes } from '@longhaul/protocol'
import { AppError, type Log, secretBytes, toAppError, wallClock } from '../kernel/index.ts'
import type { SandboxService } from '../sandbox/index.ts'
import type { AddressCheck } from './guard.ts'
import type { Direct } from './listen.ts'

export type PreviewOptions = { sandboxes: Pick<SandboxService, 'connect'>; checkAddress: AddressCheck; log: Log }
export type Links = { sign(target: Target): string; read(link: string): Target | undefined }
export type Previews = Direct & { upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> }

const Target = z.strictObject({ tenantId: z.string(), sandboxId: z.string(), port: z.number(), expiresAt: z.number() })
type Target = z.infer<typeof Target>

/** The key is made at each start and kept nowhere: what it signed ends with this process. */
export function openLinks(): Links {
  const key = secretBytes(32)
  const signature = (text: string) => createHmac('sha256', key).update(text).digest()
  return {
    sign(target) {
      const text = Buffer.from(JSON.stringify(target)).toString('base64url')
      return `${text}.${signature(text).toString('base64url')}`
    },
    read(link) {
      const [text = '', given = ''] = link.split('.')
      const signed = Buffer.from(given, 'base64url')
      const expected = signature(text)
      if (signed.length !== expected.length || !timingSafeEqual(signed, expected)) return undefined
      const target = Target.parse(JSON.parse(Buffer.from(text, 'base64url').toString()))
      return target.expiresAt > wallClock().getTime() ? target : undefined
    },
  }
}

export const previewPath = (link: string): string => `/preview/${link}/`

/** A page gets no origin of ours: it reads no key that the console keeps, and asks nothing in its user's name. */
const previewPolicy = 'sandbox allow-scripts allow-forms allow-modals allow-popups allow-downloads'
const notInwards = /^(host|connection|keep-alive|proxy-.*|te|trailer|transfer-encoding|upgrade|expect|cookie|authorization|origin|referer)$/
const notOutwards =
  /^(connection|keep-alive|proxy-.*|trailer|transfer-encoding|upgrade|set-cookie|content-security-policy.*|strict-transport-security|clear-site-data|service-worker-allowed|alt-svc|access-control-.*|cross-origin-.*|referrer-policy|x-frame-options)$/

export function openPreviews({ sandboxes, checkAddress, log }: PreviewOptions, links: Links): Previews {
  async function dial(request: IncomingMessage): Promise<{ duplex: Duplex; path: string; port: number }> {
    checkAddress(request.headers.host, undefined) // The link is what authorises; its page has no origin to name.
    const [, link = '', path = ''] = /^\/preview\/([^/?]+)(\/.*)?$/.exec(request.url ?? '') ?? []
    const target = links.read(link)
    if (!target) throw new AppError('unauthenticated', 'This address is not valid, or no longer. Ask for a new one: npx longhaul sandboxes link.')
    return { duplex: await sandboxes.connect(target, target.sandboxId, target.port), path: path || '/', port: target.port }
  }

  return {
    owns: (path) => path?.startsWith('/preview/') ?? false,
    async handle(request, response) {
      try {
        if (request.method === 'OPTIONS' && request.headers['access-control-request-method']) return void answerPreflight(request, response)
        if (/^\/preview\/[^/?]+$/.test(request.url ?? ''))
          return void response.writeHead(308, { location: `${request.url}/`, 'referrer-policy': 'no-referrer' }).end()
        await pass(request, response, await dial(request))
      } catch (error) {
        if (response.headersSent) return void response.destroy()
        const { code, message } = toAppError(error)
        if (code === 'internal') log.error('a preview failed', { error })
        response.writeHead(errorCodes[code].http, {
          'content-type': 'text/plain; charset=utf-8',
          'cache-control': 'no-store',
          'content-security-policy': 'sandbox',
          'x-content-type-options': 'nosniff',
        })
        response.end(`${message}\n`)
      }
    },
    async upgrade(request, socket, head) {
      socket.on('error', () => socket.destroy())
      try {
        const { duplex, path, port } = await dial(request)
        const headers = {
          ...kept(request.headers, notInwards),
          host: `localhost:${port}`,
          connection: 'Upgrade',
          upgrade: request.headers.upgrade ?? 'websocket',
        }
        duplex.write(`GET ${path} HTTP/1.1\r\n${lines(headers)}\r\n`)
        duplex.write(head)
        duplex.on('close', () => socket.destroy())
        socket.on('close', () => duplex.destroy())
        duplex.pipe(socket)
        socket.pipe(duplex)
      } catch (error) {
        const { code } = toAppError(error)
        socket.end(`HTTP/1.1 ${errorCodes[code].http} ${code}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`)
      }
    },
  }
}

/** One request inwards, on a connection of its own, and its answer outwards. */
function pass(request: IncomingMessage, response: ServerResponse, { duplex, path, port }: { duplex: Duplex; path: string; port: number }): Promise<void> {
  return new Promise((resolve, reject) => {
    const inner = httpRequest({
      createConnection: () => duplex,
      method: request.method,
      path,
      headers: { ...kept(request.headers, notInwards), host: `localhost:${port}`, connection: 'close' },
      setHost: false,
    })
    response.on('close', () => {
      duplex.destroy()
      resolve()
    })
    inner.on('error', (cause) => reject(new AppError('unavailable', `What listens on port ${port} gave no answer that is HTTP.`, cause)))
    inner.on('response', (answer) => {
      const ours = { 'content-security-policy': previewPolicy, 'referrer-policy': 'no-referrer', 'x-robots-tag': 'noindex', 'access-control-allow-origin': '*' }
      response.writeHead(answer.statusCode ?? 502, { ...kept(answer.headers, notOutwards), ...ours })
      answer.on('error', () => response.destroy())
      answer.pipe(response)
    })
    request.pipe(inner)
  })
}

/** A page without an origin is a stranger to its own server: browsers ask first whether it may. It may, since it has the link. */
function answerPreflight(request: IncomingMessage, response: ServerResponse): void {
  response.writeHead(204, {
    'access-control-allow-origin': '*',
    'access-control-allow-methods': String(request.headers['access-control-request-method']),
    'access-control-allow-headers': String(request.headers['access-control-request-headers'] ?? '*'),
  })
  response.end()
}

const kept = (headers: IncomingHttpHeaders, not: RegExp) =>
  Object.fromEntries(Object.entries(headers).filter(([name, value]) => value !== undefined && !not.test(name)))

const lines = (headers: Record<string, string | string[] | undefined>): string =>
  Object.entries(headers)
    .map(([name, value]) => `${name}: ${String(value)}\r\n`)
    .join('')
