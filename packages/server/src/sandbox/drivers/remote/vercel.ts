/** Vercel's sandboxes over their HTTP API, version 2 and 3: named machines whose files outlive their sessions. */
import { z } from 'zod'
import { wallClock } from '../../../kernel/index.ts'
import { type RemoteBox, type RemoteCommand, RemoteError, type RemoteService, askService, bytesOf } from './service.ts'
import { packGzip } from './tar.ts'

export type VercelSettings = { url: string; token: string; teamId?: string | undefined; projectId?: string | undefined; image?: string | undefined }

const Session = z.looseObject({
  ...{ id: z.string().regex(/^[\w-]+$/), status: z.string() },
  /** Of its start, and how long it may last from then on, in milliseconds. */
  ...{ startedAt: z.number().optional(), requestedAt: z.number().optional(), timeout: z.number().optional() },
})
type Session = z.infer<typeof Session>
const Opened = z.looseObject({ session: Session })
const Line = z.looseObject({
  command: z.looseObject({ id: z.string().regex(/^[\w-]+$/), exitCode: z.number().int().nullish() }).optional(),
  stream: z.enum(['stdout', 'stderr', 'error']).optional(),
  /** Text of a stream; of an error, what went wrong. */
  data: z.union([z.string(), z.looseObject({ message: z.string() })]).optional(),
})
const lineCharactersMax = 16 * 1024 * 1024
const longestMs = 24 * 3_600_000
/** Beyond a command's own time-out. */
const sparedMs = 60_000

export function vercelService({ url, token, teamId, projectId, image }: VercelSettings): RemoteService {
  const ask = (
    method: string,
    path: string,
    { body, ...init }: { body?: object | Uint8Array<ArrayBuffer>; headers?: Record<string, string>; timeoutMs?: number } = {},
  ) => {
    const at = new URL(`${url.replace(/\/$/, '')}${path}`)
    if (teamId !== undefined) at.searchParams.set('teamId', teamId)
    const isRaw = body instanceof Uint8Array
    return askService('Vercel', at.href, {
      ...{ method, ...init },
      headers: { authorization: `Bearer ${token}`, ...(!isRaw && { 'content-type': 'application/json' }), ...init.headers },
      ...(body !== undefined && { body: isRaw ? body : JSON.stringify(body) }),
    })
  }
  const project = projectId === undefined ? '' : `projectId=${encodeURIComponent(projectId)}&`

  async function find(name: string): Promise<z.infer<typeof Opened> | undefined> {
    try {
      return Opened.parse(await (await ask('GET', `/v2/sandboxes/${encodeURIComponent(name)}?${project}resume=true`)).json())
    } catch (error) {
      if (error instanceof RemoteError && error.status === 404) return undefined
      throw error
    }
  }

  function boxOf(opened: Session): RemoteBox {
    const session = `/v2/sandboxes/sessions/${opened.id}`
    let endsMs = endOf(opened)

    /** A session ends at its time whatever runs in it, by itself five minutes after its start: it is put off by as much as the command may need. */
    async function putOffEnd(timeoutMs: number): Promise<void> {
      const wantedMs = wallClock().getTime() + timeoutMs + sparedMs
      if (wantedMs <= endsMs) return
      const body = { duration: Math.ceil(wantedMs - endsMs) }
      endsMs = wantedMs // Commands that begin at once ask for it once.
      // Refused where the plan allows no more, or where sessions have no such end. A command that is cut off is told as that.
      const answer = await ask('POST', `${session}/extend-timeout`, { body }).catch(() => undefined)
      if (answer) endsMs = endOf(Opened.parse(await answer.json()).session)
    }

    return {
      run(command) {
        const started = Promise.withResolvers<string>()
        started.promise.catch(() => {}) // Whoever waits for its end hears of it.
        const ended = (async () => {
          await putOffEnd(command.timeoutMs)
          return follow(command, session, started)
        })().catch((error: unknown) => {
          started.reject(error)
          throw error
        })
        const kill = async () => void (await ask('POST', `${session}/cmd/${await started.promise}/kill`, { body: { signal: 9 } }))
        return { kill, ended }
      },
      async write(entries) {
        await ask('POST', `${session}/fs/write`, {
          body: packGzip(entries),
          headers: { 'content-type': 'application/gzip', 'x-cwd': '/workspace' },
          timeoutMs: 300_000,
        })
      },
      read: async (path, bytesMax) => bytesOf(await ask('POST', `${session}/fs/read`, { body: { path }, timeoutMs: 300_000 }), bytesMax),
      rest: async () => void (await ask('POST', `${session}/stop`)),
    }
  }

  async function follow(
    { cmd, args, cwd, env, isPrivileged = false, onOutput }: RemoteCommand,
    session: string,
    started: PromiseWithResolvers<string>,
  ): Promise<{ exitCode: number | null }> {
    const body = { command: cmd, args, cwd, env, sudo: isPrivileged, wait: true, logs: true }
    const response = await ask('POST', `${session}/cmd`, { body, timeoutMs: longestMs })
    for await (const value of lines(response)) {
      const { command, stream, data } = Line.parse(value)
      if (command) {
        started.resolve(command.id)
        if (typeof command.exitCode === 'number') return { exitCode: command.exitCode }
      } else if (stream === 'error' || typeof data !== 'string') throw new RemoteError(`Vercel: ${JSON.stringify(data)?.slice(0, 500)}`)
      else if (stream) onOutput(stream, Buffer.from(data))
    }
    throw new RemoteError('Vercel broke off before the command ended')
  }

  return {
    name: 'vercel',
    async open(name) {
      const found = await find(name)
      if (found) return { box: boxOf(found.session), isNew: false }
      const body = {
        ...(projectId !== undefined && { projectId }),
        ...(image !== undefined && { image }),
        name,
        persistent: true,
        networkPolicy: { mode: 'deny-all' },
      }
      const { session } = Opened.parse(await (await ask('POST', '/v3/sandboxes', { body, timeoutMs: 180_000 })).json())
      return { box: boxOf(session), isNew: true }
    },
    async remove(name) {
      await ask('DELETE', `/v2/sandboxes/${encodeURIComponent(name)}?${project}`).catch((error: unknown) => {
        if (!(error instanceof RemoteError && error.status === 404)) throw error
      })
    },
  }
}

/** Infinity where it is not told. */
const endOf = ({ startedAt, requestedAt, timeout = Infinity }: Session): number => (startedAt ?? requestedAt ?? Infinity) + timeout

/** JSON values, one to a line. */
async function* lines(response: Response): AsyncGenerator {
  const decoder = new TextDecoder()
  let rest = ''
  for await (const piece of response.body ?? []) {
    rest += decoder.decode(piece, { stream: true })
    const found = rest.split('\n')
    rest = found.pop() ?? ''
    if (rest.length > lineCharactersMax) throw new RemoteError('Vercel sent a line that is too long')
    for (const each of found) if (each.trim() !== '') yield JSON.parse(each)
  }
}
