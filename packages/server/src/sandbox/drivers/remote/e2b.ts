/** E2B's sandboxes: their REST API for the machines, and in each machine `envd`, which speaks Connect's JSON for processes and plain HTTP for files. */
import { posix } from 'node:path'
import { z } from 'zod'
import { type RemoteBox, type RemoteCommand, RemoteError, type RemoteService, askService, bytesOf } from './service.ts'
import { packTar } from './tar.ts'

export type E2bSettings = {
  url: string
  key: string
  template: string
  /** Where `envd` of every machine is reached, the machine being named in a header. Absent: at its own name below the domain that the API tells. */
  sandboxUrl?: string | undefined
}

const id = z.string().regex(/^[\w-]+$/)
const Machine = z.looseObject({ sandboxID: id, domain: z.string().nullish(), envdAccessToken: z.string().nullish() })
const Listed = z.array(z.looseObject({ sandboxID: id }))
const Event = z.looseObject({
  event: z.looseObject({
    start: z.looseObject({ pid: z.number().int() }).optional(),
    data: z.looseObject({ stdout: z.string().optional(), stderr: z.string().optional() }).optional(),
    end: z.looseObject({ exitCode: z.number().int().optional(), exited: z.boolean().optional(), status: z.string().optional() }).optional(),
  }),
})
const Trailer = z.looseObject({ error: z.looseObject({ message: z.string().optional(), code: z.string().optional() }).optional() })

const envdPort = 49_983
/** A machine that nobody asked anything for so long is paused, and keeps its files. */
const pausesAfterSeconds = 3_600
const messageBytesMax = 16 * 1024 * 1024
const longestMs = 24 * 3_600_000
const user = 'user'
const upload = '/tmp/.longhaul-upload.tar'
/** By what stands before the machines. A 502 that says nothing of this may have passed the request on. */
const isGone = (status: number, said: string): boolean => status === 502 && /sandbox (was )?not found/i.test(said)

export function e2bService({ url, key, template, sandboxUrl }: E2bSettings): RemoteService {
  const ask = (method: string, path: string, body?: object) =>
    askService('E2B', `${url.replace(/\/$/, '')}${path}`, {
      ...{ method, timeoutMs: 120_000 },
      headers: { 'x-api-key': key, 'content-type': 'application/json' },
      ...(body && { body: JSON.stringify(body) }),
    })

  async function find(name: string): Promise<string | undefined> {
    const metadata = encodeURIComponent(`longhaul=${encodeURIComponent(name)}`)
    const [found] = Listed.parse(await (await ask('GET', `/v2/sandboxes?metadata=${metadata}&state=running&state=paused&limit=1`)).json())
    return found?.sandboxID
  }

  function boxOf({ sandboxID, domain, envdAccessToken }: z.infer<typeof Machine>): RemoteBox {
    const base = sandboxUrl ?? `https://${envdPort}-${sandboxID}.${domain ?? 'e2b.app'}`
    const headers = (as: string) => ({
      ...{ 'e2b-sandbox-id': sandboxID, 'e2b-sandbox-port': String(envdPort), authorization: `Basic ${Buffer.from(`${as}:`).toString('base64')}` },
      ...(typeof envdAccessToken === 'string' && { 'x-access-token': envdAccessToken }),
    })
    const files = (path: string) => `${base}/files?${new URLSearchParams({ path, username: user })}`

    async function follow(
      { cmd, args, cwd, env, isPrivileged = false, onOutput }: RemoteCommand,
      started: PromiseWithResolvers<number>,
    ): Promise<{ exitCode: number | null }> {
      const response = await askService('E2B', `${base}/process.Process/Start`, {
        ...{ method: 'POST', timeoutMs: longestMs, isGone },
        headers: {
          ...headers(isPrivileged ? 'root' : user),
          'content-type': 'application/connect+json',
          'connect-protocol-version': '1',
          'keepalive-ping-interval': '50',
        },
        body: envelope({ process: { cmd, args, envs: env, cwd }, stdin: false }),
      })
      for await (const { isLast, value } of envelopes(response)) {
        if (isLast) {
          const { error } = Trailer.parse(value)
          throw new RemoteError(`E2B: ${error?.message ?? error?.code ?? 'it broke off before the command ended'}`)
        }
        const { start, data, end } = Event.parse(value).event
        if (start) started.resolve(start.pid)
        if (data?.stdout !== undefined) onOutput('stdout', Buffer.from(data.stdout, 'base64'))
        if (data?.stderr !== undefined) onOutput('stderr', Buffer.from(data.stderr, 'base64'))
        if (end) return { exitCode: end.exited === false ? null : (end.exitCode ?? 0) }
      }
      throw new RemoteError('E2B broke off before the command ended')
    }

    const run: RemoteBox['run'] = (command) => {
      const started = Promise.withResolvers<number>()
      started.promise.catch(() => {}) // Whoever waits for its end hears of it.
      const ended = follow(command, started).catch((error: unknown) => {
        started.reject(error)
        throw error
      })
      const kill = async () => {
        const body = JSON.stringify({ process: { pid: await started.promise }, signal: 'SIGNAL_SIGKILL' })
        await askService('E2B', `${base}/process.Process/SendSignal`, {
          method: 'POST',
          headers: { ...headers(user), 'content-type': 'application/json' },
          body,
        })
      }
      return { kill, ended }
    }

    return {
      run,
      async write(entries) {
        const archive = packTar(entries)
        await askService('E2B', files(upload), {
          ...{ method: 'POST', timeoutMs: 300_000, isGone },
          headers: { ...headers(user), 'content-type': 'application/octet-stream' },
          body: archive,
        })
        let said = ''
        const unpack = `tar -xf ${upload} -C /workspace --no-same-owner; code=$?; rm -f ${upload}; exit "$code"`
        const { exitCode } = await run({
          ...{ cmd: '/bin/sh', args: ['-c', unpack], cwd: '/', env: {}, timeoutMs: 120_000 },
          onOutput: (_, bytes) => (said += Buffer.from(bytes).toString().slice(0, 500)),
        }).ended
        if (exitCode !== 0) throw new RemoteError(`the files could not be laid out: ${said.trim()}`)
      },
      read: async (path, bytesMax) =>
        bytesOf(await askService('E2B', files(posix.normalize(path)), { timeoutMs: 300_000, headers: headers(user), isGone }), bytesMax),
      rest: async () => void (await ask('POST', `/sandboxes/${sandboxID}/pause`)),
    }
  }

  return {
    name: 'e2b',
    async open(name) {
      const found = await find(name)
      if (found !== undefined)
        return { box: boxOf(Machine.parse(await (await ask('POST', `/v2/sandboxes/${found}/connect`, { timeout: pausesAfterSeconds })).json())), isNew: false }
      const body = { templateID: template, timeout: pausesAfterSeconds, autoPause: true, allow_internet_access: false, metadata: { longhaul: name } }
      return { box: boxOf(Machine.parse(await (await ask('POST', '/v2/sandboxes', body)).json())), isNew: true }
    },
    async remove(name) {
      const found = await find(name)
      if (found === undefined) return
      await ask('DELETE', `/sandboxes/${found}`).catch((error: unknown) => {
        if (!(error instanceof RemoteError && error.status === 404)) throw error
      })
    },
  }
}

/** Connect's frame: a byte of flags, the length, the message. */
function envelope(value: object): Buffer<ArrayBuffer> {
  const body = Buffer.from(JSON.stringify(value))
  const head = Buffer.alloc(5)
  head.writeUInt32BE(body.length, 1)
  return Buffer.concat([head, body])
}

async function* envelopes(response: Response): AsyncGenerator<{ isLast: boolean; value: unknown }> {
  let rest: Buffer = Buffer.alloc(0)
  for await (const piece of response.body ?? []) {
    rest = Buffer.concat([rest, piece])
    while (rest.length >= 5) {
      const length = rest.readUInt32BE(1)
      if (length > messageBytesMax) throw new RemoteError('E2B sent a message that is too long')
      if (rest.length < 5 + length) break
      const text = rest.subarray(5, 5 + length).toString('utf8')
      yield { isLast: ((rest[0] ?? 0) & 2) !== 0, value: text === '' ? {} : JSON.parse(text) }
      rest = rest.subarray(5 + length)
    }
  }
}
