/** Answers in Redis. What it does not say within a moment is not there: a model is asked instead. */
import { RESP_TYPES, createClient } from '@redis/client'
import { type Log, wallClock, withTimeout } from '../../kernel/index.ts'
import type { KeptAnswer } from './answer-store.ts'
import type { AnswerStore } from './stores.ts'

const answerMsMax = 250
const reconnectMsMax = 5_000
const scanCount = 500

/** One value: the length of the head in four bytes, the head as JSON, the body. */
type Head = Pick<KeptAnswer, 'model' | 'headers'> & { keptAtMs: number; expiresAtMs: number }

/** `redis://…` or `rediss://…`. Connects when it is first asked, and again whenever the connection is lost. */
export function redisStore(url: string, log: Log): AnswerStore {
  const client = createClient({
    url,
    RESP: 2, // Every Redis speaks it, and what speaks like one.
    // A command that cannot be sent now is not waited for.
    disableOfflineQueue: true,
    socket: { connectTimeout: 2_000, reconnectStrategy: (tries: number) => Math.min(reconnectMsMax, 50 * 2 ** Math.min(tries, 7)) },
  }).withTypeMapping({ [RESP_TYPES.BLOB_STRING]: Buffer })
  let isDown = false
  client.on('error', (error: unknown) => {
    if (!isDown) log.warn('the Redis of the cache is away; models are asked until it is back', { error })
    isDown = true
  })
  client.on('ready', () => {
    if (isDown) log.info('the Redis of the cache is back')
    isDown = false
  })
  let connecting: Promise<unknown> | undefined
  const connected = async () => {
    connecting ??= client.connect().catch(() => {}) // Only when we stop: until then it is tried again.
    await connecting
    return client
  }
  const within = <Result>(work: Promise<Result>): Promise<Result> =>
    withTimeout(answerMsMax, work, () => new Error(`Redis did not answer within ${answerMsMax} ms.`))
  const nameOf = (tenantId: string, key: Buffer) => `longhaul:answers:${tenantId}:${key.toString('base64url')}`

  return {
    isShared: true,
    async find(tenantId, key) {
      const value = await within(connected().then((redis) => redis.get(nameOf(tenantId, key))))
      return value === null ? undefined : unpack(Buffer.from(value))
    },
    async replace(tenantId, { key, ttlMs, model, headers, body }) {
      const now = wallClock().getTime()
      const value = pack({ model, headers, keptAtMs: now, expiresAtMs: now + ttlMs }, body)
      await within(connected().then((redis) => redis.set(nameOf(tenantId, key), value, { expiration: { type: 'PX', value: ttlMs } })))
    },
    async clear(tenantId) {
      const redis = await within(connected())
      let count = 0
      let cursor = '0'
      do {
        const page = await redis.scan(cursor, { MATCH: `longhaul:answers:${escaped(tenantId)}:*`, COUNT: scanCount })
        cursor = String(page.cursor)
        if (page.keys.length > 0) count += await redis.unlink(page.keys)
      } while (cursor !== '0')
      return count
    },
    sweep: async () => 0, // They expire by themselves.
    async stop() {
      if (connecting) client.destroy()
    },
  }
}

/** Redis reads patterns. */
const escaped = (text: string): string => text.replaceAll(/[*?[\]\\^-]/g, (sign) => `\\${sign}`)

function pack(head: Head, body: Buffer): Buffer {
  const text = Buffer.from(JSON.stringify(head))
  const length = Buffer.alloc(4)
  length.writeUInt32BE(text.length)
  return Buffer.concat([length, text, body])
}

/** What somebody else has written there is no answer. */
function unpack(value: Buffer): KeptAnswer | undefined {
  const length = value.length >= 4 ? value.readUInt32BE(0) : Infinity
  if (4 + length > value.length) return undefined
  const { model, headers, keptAtMs, expiresAtMs } = JSON.parse(value.toString('utf8', 4, 4 + length)) as Head // As we wrote it.
  const now = wallClock().getTime()
  return { model, headers, body: value.subarray(4 + length), ageMs: Math.max(0, now - keptAtMs), leftMs: expiresAtMs - now }
}
