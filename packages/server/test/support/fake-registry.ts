/** A registry on loopback that speaks the distribution protocol: manifests and blobs by digest, tokens for whoever has the password, blobs elsewhere. */
import { type IncomingMessage, type ServerResponse, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { type ImageParts, layoutOf } from './image.ts'

const token = 'token-of-the-registry'
const basic = `Basic ${Buffer.from('ada:secret').toString('base64')}`

export type FakeRegistry = AsyncDisposable & {
  host: string
  /** Puts an image there; returns its reference. */
  push(name: string, parts: ImageParts): string
  /** What was asked for, with what authorization. */
  readonly asked: { path: string; authorization: string | undefined }[]
  /** Answers in place of its own. */
  answer: ((request: IncomingMessage, response: ServerResponse) => boolean) | undefined
}

/** `isClosed`: it wants a token, which its own realm gives to `ada` with the password `secret`. */
export async function startFakeRegistry({ isClosed = false } = {}): Promise<FakeRegistry> {
  const blobs = new Map<string, { bytes: Buffer; type: string }>()
  const asked: FakeRegistry['asked'] = []
  const server = createServer((request, response) => {
    const path = (request.url ?? '').split('?', 1)[0] ?? ''
    const { authorization } = request.headers
    asked.push({ path, authorization })
    if (registry.answer?.(request, response)) return
    if (path === '/token') {
      response.writeHead(authorization === basic ? 200 : 401, { 'content-type': 'application/json' })
      return void response.end(JSON.stringify({ token }))
    }
    if (isClosed && authorization !== `Bearer ${token}`) {
      response.writeHead(401, { 'www-authenticate': `Bearer realm="http://${registry.host}/token",service="fake"` })
      return void response.end()
    }
    const found = blobs.get(path)
    response.writeHead(found ? 200 : 404, { 'content-type': found?.type ?? 'text/plain' })
    response.end(found?.bytes ?? 'not here')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const registry: FakeRegistry = {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    asked,
    answer: undefined,
    push(name, parts) {
      const { files, digest } = layoutOf(parts)
      for (const [path, bytes] of files) {
        const at = path.replace('blobs/sha256/', 'sha256:')
        blobs.set(`/v2/${name}/${at === digest ? 'manifests' : 'blobs'}/${at}`, {
          bytes,
          type: at === digest ? 'application/vnd.oci.image.manifest.v1+json' : 'application/octet-stream',
        })
      }
      return `${registry.host}/${name}@${digest}`
    },
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
  return registry
}
