/** The programs that the benchmark of the gateway starts: a fake provider, a bare pass-through, and our gateway. Each prints its address. */
import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { permissions } from '@longhaul/protocol'
import { Agent } from 'undici'
import { listen } from '../packages/server/src/api/index.ts'
import { openFaces, openModels } from '../packages/server/src/gateway/index.ts'
import { offlinePlanner } from '../packages/server/src/gateway/offline/index.ts'
import { createLog } from '../packages/server/src/kernel/index.ts'

const [, , name, upstreamUrl = ''] = process.argv
const say = (url: string): void => void process.stdout.write(`${url}\n`)

const usage = { prompt_tokens: 400, completion_tokens: 200, total_tokens: 600 }
const whole = JSON.stringify({
  id: 'chatcmpl-1',
  object: 'chat.completion',
  created: 1_780_000_000,
  model: 'm',
  choices: [{ index: 0, message: { role: 'assistant', content: 'word '.repeat(200) }, logprobs: null, finish_reason: 'stop' }],
  usage,
})
const chunk = (fields: object) =>
  `data: ${JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion.chunk', created: 1_780_000_000, model: 'm', usage: null, ...fields })}\n\n`
const word = chunk({ choices: [{ index: 0, delta: { content: 'word ' }, logprobs: null, finish_reason: null }] })
const ending = chunk({ choices: [{ index: 0, delta: {}, logprobs: null, finish_reason: 'stop' }] }) + chunk({ choices: [], usage }) + 'data: [DONE]\n\n'

/** Answers at once; a stream in 200 pieces, or one piece a second for ten seconds. */
function upstream(): void {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (piece: Buffer) => chunks.push(piece))
    request.on('end', async () => {
      const body = Buffer.concat(chunks)
      if (!body.includes('"stream":true')) {
        response.writeHead(200, { 'content-type': 'application/json', 'content-length': whole.length })
        return void response.end(whole)
      }
      response.writeHead(200, { 'content-type': 'text/event-stream' })
      const isSlow = body.includes('"slow"')
      for (let i = 0; i < (isSlow ? 10 : 200); i++) {
        response.write(word)
        await new Promise((resolve) => (isSlow ? setTimeout(resolve, 1_000) : setImmediate(resolve)))
      }
      response.end(ending)
    })
  })
  server.listen(0, '127.0.0.1', () => say(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
}

/** The least that Node can do: no parsing, no checks. */
function bare(): void {
  const agent = new Agent({ headersTimeout: 0, bodyTimeout: 0, pipelining: 1 })
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (piece: Buffer) => chunks.push(piece))
    request.on('end', () => {
      agent.dispatch(
        { origin: upstreamUrl, path: request.url ?? '', method: 'POST', headers: { 'content-type': 'application/json' }, body: Buffer.concat(chunks) },
        {
          onRequestStart() {},
          onResponseStart: (_, status, headers) => void response.writeHead(status, headers),
          onResponseData: (_, piece) => void response.write(piece),
          onResponseEnd: () => void response.end(),
          onResponseError: () => void response.destroy(),
        },
      )
    })
  })
  server.listen(0, '127.0.0.1', () => say(`http://127.0.0.1:${(server.address() as AddressInfo).port}`))
}

/** Everything on but the database: keys are looked up in memory, as the server's cache does, and each call writes its line of log. */
async function longhaul(): Promise<void> {
  const log = createLog((level, message, data) => void JSON.stringify({ level, message, ...data }))
  const models = openModels({
    keys: {},
    compatible: { baseUrl: `${upstreamUrl}/v1`, model: 'm', apiKey: 'sk-upstream' },
    offline: offlinePlanner(),
    timeoutMs: 60_000,
    log,
  })
  const caller = { tenantId: 'default', askerId: undefined, keyId: 'bench', name: 'bench', permissions, access: { personalData: true } }
  const direct = openFaces({ models, authenticate: async (secret) => (secret === 'lh_bench' ? caller : undefined), bodyBytesMax: 32_000_000, log })
  const { url } = await listen({ fetch: () => new Response(null, { status: 404 }) }, { host: '127.0.0.1', port: 0, direct: [direct] })
  say(url)
}

const programs: Record<string, () => void | Promise<void>> = { upstream, bare, longhaul }
await programs[name ?? '']?.()
