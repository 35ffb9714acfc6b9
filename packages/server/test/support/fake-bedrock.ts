/** Amazon Bedrock on loopback: it checks each signature by its own reading of Signature Version 4, and streams frames of the event stream encoding with their check sums. */
import { createHash, createHmac } from 'node:crypto'
import { type IncomingMessage, createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { crc32 } from 'node:zlib'
import type { Json } from '@longhaul/protocol'

export type BedrockKey = { id: string; secret: string; token?: string }
export type BedrockFrame = { type: string; body: Json; isException?: boolean }
export type BedrockStep =
  | { frames: BedrockFrame[]; /** Cuts and damages what is sent. */ damage?: (bytes: Buffer) => Buffer; segmentBytes?: number }
  /** Of embeddings: a vector of the text's length, and so many tokens. */
  | { embeddingTokens: number }
  | { status: number; type: string; message: string }
export type BedrockRequest = { path: string; headers: IncomingMessage['headers']; body: Json; signedBy: string }

const sha256 = (text: string | Buffer) => createHash('sha256').update(text).digest('hex')
const hmac = (key: string | Buffer, text: string) => createHmac('sha256', key).update(text).digest()

export type Signing = {
  method: string
  path: string
  query: string
  headers: [string, string][]
  bodyHash: string
  at: string
  region: string
  service: string
}

/** Path segments are encoded once more than they are in the request, as for every service but S3. */
export function signatureOf({ method, path, query, headers, bodyHash, at, region, service }: Signing, secret: string): string {
  const canonicalPath = path
    .split('/')
    .map((part) => encodeURIComponent(part).replace(/[!'()*]/g, (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`))
    .join('/')
  const names = headers.map(([name]) => name).join(';')
  const canonical = [method, canonicalPath, query, ...headers.map(([name, value]) => `${name}:${value.trim().replace(/ +/g, ' ')}`), '', names, bodyHash].join(
    '\n',
  )
  const day = at.slice(0, 8)
  const scope = `${day}/${region}/${service}/aws4_request`
  const key = hmac(hmac(hmac(hmac(`AWS4${secret}`, day), region), service), 'aws4_request')
  return hmac(key, ['AWS4-HMAC-SHA256', at, scope, sha256(canonical)].join('\n')).toString('hex')
}

/** Why the request would be refused; the id of the key that signed it otherwise. */
function checkSignature(request: IncomingMessage, body: Buffer, keys: readonly BedrockKey[], region: string): { signedBy: string } | { why: string } {
  const authorization = request.headers.authorization ?? ''
  if (authorization === 'Bearer bedrock-token') return { signedBy: 'bearer' }
  const [, id, day, ofRegion, service, names = '', given] =
    /^AWS4-HMAC-SHA256 Credential=([^/]+)\/(\d{8})\/([^/]+)\/([^/]+)\/aws4_request, ?SignedHeaders=([^,]+), ?Signature=([0-9a-f]{64})$/.exec(authorization) ??
    []
  const key = keys.find((each) => each.id === id)
  const at = String(request.headers['x-amz-date'] ?? '')
  if (!key || at.slice(0, 8) !== day || ofRegion !== region || service !== 'bedrock') return { why: 'The security token included in the request is invalid.' }
  const signed = names.split(';')
  for (const name of ['host', 'x-amz-date', ...(key.token === undefined ? [] : ['x-amz-security-token'])])
    if (!signed.includes(name)) return { why: `${name} is not signed.` }
  if (key.token !== undefined && request.headers['x-amz-security-token'] !== key.token) return { why: 'The session token is wrong.' }
  const [path = '', query = ''] = (request.url ?? '').split('?')
  const headers = signed.map((name): [string, string] => [name, String(request.headers[name] ?? '')])
  const expected = signatureOf({ method: request.method ?? '', path, query, headers, bodyHash: sha256(body), at, region, service }, key.secret)
  return expected === given ? { signedBy: key.id } : { why: 'The request signature we calculated does not match the signature you provided.' }
}

/** Total length, length of headers, check sum of the two; headers; payload; check sum of all of it. */
export function frameOf({ type, body, isException = false }: BedrockFrame): Buffer {
  const headers = Buffer.concat(
    [
      [':message-type', isException ? 'exception' : 'event'],
      [isException ? ':exception-type' : ':event-type', type],
      [':content-type', 'application/json'],
    ].map(([name = '', value = '']) => {
      const length = Buffer.alloc(2)
      length.writeUInt16BE(Buffer.byteLength(value))
      return Buffer.concat([Buffer.from([name.length]), Buffer.from(name), Buffer.from([7]), length, Buffer.from(value)])
    }),
  )
  const payload = Buffer.from(JSON.stringify(body))
  const total = 16 + headers.length + payload.length
  const prelude = Buffer.alloc(12)
  prelude.writeUInt32BE(total, 0)
  prelude.writeUInt32BE(headers.length, 4)
  prelude.writeUInt32BE(crc32(prelude.subarray(0, 8)), 8)
  const message = Buffer.concat([prelude, headers, payload])
  const sum = Buffer.alloc(4)
  sum.writeUInt32BE(crc32(message))
  return Buffer.concat([message, sum])
}

export async function startFakeBedrock(
  script: readonly BedrockStep[],
  { keys = [], region = 'us-east-1' }: { keys?: readonly BedrockKey[]; region?: string } = {},
) {
  const requests: BedrockRequest[] = []
  const server = createServer(async (request, response) => {
    const chunks: Buffer[] = []
    for await (const chunk of request) chunks.push(chunk as Buffer)
    const bytes = Buffer.concat(chunks)
    const refuse = (status: number, type: string, message: string) => {
      response.writeHead(status, { 'content-type': 'application/json', 'x-amzn-errortype': type })
      response.end(JSON.stringify({ message }))
    }
    const checked = checkSignature(request, bytes, keys, region)
    if ('why' in checked) return refuse(403, 'InvalidSignatureException', checked.why)
    if (!/^\/model\/[^/]+\/(converse-stream|invoke)$/.test(request.url ?? '')) return refuse(404, 'UnknownOperationException', `Nothing at ${request.url}.`)
    requests.push({ path: request.url ?? '', headers: request.headers, body: JSON.parse(bytes.toString('utf8')) as Json, signedBy: checked.signedBy })
    const step = script[Math.min(requests.length, script.length) - 1]
    if (!step) return refuse(500, 'InternalServerException', 'The script has no step.')
    if ('status' in step) return refuse(step.status, step.type, step.message)
    if ('embeddingTokens' in step) {
      const { inputText, texts } = JSON.parse(bytes.toString('utf8')) as { inputText?: string; texts?: string[] }
      const vectors = (texts ?? [inputText ?? '']).map((text) => [text.length, 1])
      response.writeHead(200, { 'content-type': 'application/json', ...(texts && { 'x-amzn-bedrock-input-token-count': String(step.embeddingTokens) }) })
      return void response.end(
        JSON.stringify(
          texts ? { embeddings: vectors, response_type: 'embeddings_floats' } : { embedding: vectors[0], inputTextTokenCount: step.embeddingTokens },
        ),
      )
    }
    response.writeHead(200, { 'content-type': 'application/vnd.amazon.eventstream' })
    const whole = Buffer.concat(step.frames.map(frameOf))
    const sent = step.damage ? step.damage(whole) : whole
    const size = step.segmentBytes ?? sent.length
    for (let from = 0; from < sent.length; from += size) {
      response.write(sent.subarray(from, from + size))
      await new Promise((resolve) => setImmediate(resolve))
    }
    response.end()
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    requests,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}
