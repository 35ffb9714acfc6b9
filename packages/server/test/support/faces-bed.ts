/** The faces on a real port, in front of a fake provider, with official clients that know nothing of it. */
import Anthropic from '@anthropic-ai/sdk'
import { type Permission, permissions } from '@longhaul/protocol'
import { Hono } from 'hono'
import OpenAI from 'openai'
import { listen } from '../../src/api/index.ts'
import { type FacesOptions, type Ledger, type ModelsOptions, openFaces, openModels } from '../../src/gateway/index.ts'
import type { Caller } from '../../src/identity/index.ts'
import { type LogLevel, createLog } from '../../src/kernel/index.ts'
import { canaryKey, scriptedModel } from './fake-gateway.ts'
import { type FakeScript, startFakeProvider } from './fake-provider.ts'

/** What was admitted and what became of it, in order. */
export type Booked = { call: Parameters<Ledger['admit']>[0]; outcome: Parameters<Ledger['settle']>[1] }

export const callerKey = 'lh_caller'

const callerOf = (name: string, allowed: readonly Permission[]): Caller => ({
  tenantId: 'acme',
  askerId: undefined,
  keyId: `key-${name}`,
  name,
  permissions: allowed,
  access: { personalData: true },
})
const callers: Record<string, Caller> = {
  [callerKey]: callerOf('caller', permissions),
  lh_second: callerOf('second', permissions),
  lh_foreign: { ...callerOf('foreign', permissions), tenantId: 'other' },
  lh_reader: callerOf('reader', ['runs:read']),
}

export async function openFacesBed(
  script: FakeScript,
  options: Partial<ModelsOptions> &
    Partial<Pick<FacesOptions, 'bodyBytesMax' | 'ledger' | 'checkAddress' | 'routeNames' | 'answers' | 'similar' | 'guardrails' | 'callLog'>> = {},
) {
  const fake = await startFakeProvider(script)
  const lines: { level: LogLevel; message: string; data: Record<string, unknown> }[] = []
  const log = createLog((level, message, data) => lines.push({ level, message, data }), 'debug')
  const booked: Booked[] = []
  const hits: Parameters<Ledger['bookHit']>[0][] = []
  const ledger: Ledger = {
    admit: async (call) => ({ isAdmitted: true, reservation: call, outputTokensMax: call.outputTokensMax }),
    settle: async (reservation, outcome) => {
      booked.push({ call: reservation as Booked['call'], outcome })
      return null
    },
    bookHit: async (call) => void hits.push(call),
  }
  const models = openModels({
    keys: { openai: canaryKey, anthropic: canaryKey, google: canaryKey },
    compatible: { baseUrl: fake.compatibleUrl, model: 'qwen3:8b', apiKey: canaryKey },
    baseUrls: fake.baseUrls,
    offline: scriptedModel([]),
    timeoutMs: 10_000,
    log,
    ...options,
  })
  const direct = openFaces({ models, authenticate: async (secret) => callers[secret], ledger, bodyBytesMax: 1_000_000, log, ...options })
  const listening = await listen(new Hono(), { host: '127.0.0.1', port: 0, direct: [direct] })
  const { url } = listening
  return {
    url,
    fake,
    models,
    booked,
    hits,
    lines,
    /** The one line of each call that is over. */
    calls: () => lines.filter(({ message }) => message === 'model request').map(({ data }) => data),
    openai: new OpenAI({ apiKey: callerKey, baseURL: `${url}/openai/v1` }),
    anthropic: new Anthropic({ apiKey: callerKey, baseURL: `${url}/anthropic` }),
    post: (path: string, body: unknown, headers: Record<string, string> = {}) =>
      fetch(url + path, {
        method: 'POST',
        headers: { authorization: `Bearer ${callerKey}`, 'content-type': 'application/json', ...headers },
        body: typeof body === 'string' || body instanceof Uint8Array ? (body as string) : JSON.stringify(body),
      }),
    async [Symbol.asyncDispose]() {
      listening.server.closeAllConnections()
      await listening.stop()
      await fake[Symbol.asyncDispose]()
    },
  }
}
export type FacesBed = Awaited<ReturnType<typeof openFacesBed>>
