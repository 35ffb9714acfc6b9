/**
 * Files of packages that sandboxes of all tenants share: kept when the registry itself, asked by the server and by nobody's name, states the digest
 * that they have. So nobody can put anything there but what the registry gives to everybody.
 */
import { createHash } from 'node:crypto'
import type { FileHandle } from 'node:fs/promises'
import { mkdir, open, readdir, rename, rm, stat } from 'node:fs/promises'
import { type IncomingHttpHeaders, request as startRequest } from 'node:http'
import { join } from 'node:path'
import { type Readable, Transform } from 'node:stream'
import { type Log, newId, wallClock } from '../../kernel/index.ts'
import { createTurns } from '../turns.ts'
import { type PackageFile, type PackageRegistries, packageFileAt } from './package-registries.ts'
import { type Reach, publicReach, reachHost, secureOver } from './reach.ts'

export type PackageCache = {
  /** What may be shared of the answer to this request; undefined where it is no file of a package, or asked for by somebody in particular. */
  shared(request: SharedRequest): SharedFile | undefined
  /** Resolves when nothing is being looked at any more. */
  stop(): Promise<void>
}

export type SharedRequest = { host: string; port: number; isTls: boolean; path: string; query: string; method: string; headers: IncomingHttpHeaders }

export type SharedFile = {
  /** The file, where the registry stated within the last day that this is it. */
  read(): Promise<{ bytes: number; stream: Readable } | undefined>
  /** Passes on what comes, and keeps it if its registry then states that it is the file. Undefined where there is no room, or it is no whole file. */
  keep(headers: IncomingHttpHeaders): Transform | undefined
}

export type PackageCacheOptions = {
  folder: string
  /** Of everything in the folder, also of what is coming. */
  bytesMax: number
  registries: PackageRegistries
  log: Log
  reach?: Reach
}

/** A file that a registry has taken back is served for no longer. */
const statedMsMax = 24 * 3_600_000
/** Of `bytesMax`, for what is coming and was not looked at yet; so no file is larger. */
const comingShare = 1 / 4
const comingCountMax = 64
const documentBytesMax = 32 * 1024 * 1024
const documentMsMax = 60_000
const atOnceMax = 4
const comingEnd = '.coming'
/** Who says who is asking is given an answer of his own. */
const personal = /authorization|cookie|token|secret|api-?key|^range$|^if-/i

export async function openPackageCache({ folder, bytesMax, registries, log, reach = publicReach }: PackageCacheOptions): Promise<PackageCache> {
  await mkdir(folder, { recursive: true, mode: 0o700 })
  /** By name, the one that was not used for longest first. */
  const kept = await load(folder)
  const keptBytesMax = bytesMax * (1 - comingShare)
  let keptBytes = [...kept.values()].reduce((sum, { bytes }) => sum + bytes, 0)
  const coming = { bytes: 0, count: 0 }
  const turns = createTurns(atOnceMax)
  const stopping = new AbortController()
  const working = new Map<Transform, Promise<void>>()
  await sweep()

  async function sweep(): Promise<void> {
    for (const [name, { bytes }] of kept) {
      if (keptBytes <= keptBytesMax) return
      kept.delete(name)
      keptBytes -= bytes
      await rm(join(folder, name), { force: true }) // Whoever reads it has it open.
    }
  }

  async function read(name: string): Promise<{ bytes: number; stream: Readable } | undefined> {
    const entry = kept.get(name)
    if (!entry || wallClock().getTime() - entry.statedAtMs > statedMsMax) return undefined
    kept.delete(name)
    kept.set(name, entry)
    const file = await open(join(folder, name), 'r').catch(() => undefined) // It was swept just now.
    return file && { bytes: entry.bytes, stream: file.createReadStream() }
  }

  function keep(name: string, file: PackageFile, headers: IncomingHttpHeaders): Transform | undefined {
    const bytes = Number(headers['content-length'] ?? Number.NaN)
    if (!Number.isSafeInteger(bytes) || bytes < 1 || headers['content-encoding'] !== undefined) return undefined
    if (coming.bytes + bytes > bytesMax * comingShare || coming.count === comingCountMax || stopping.signal.aborted) return undefined
    coming.bytes += bytes
    coming.count++
    const draft = join(folder, `${newId()}${comingEnd}`)
    const { copy, copied } = copyTo(draft, bytes, file.algorithm)
    const work = copied
      .then((digest) => (digest === undefined ? undefined : accept(draft, { name, file, bytes, digest })))
      .catch((error: unknown) => {
        if (!stopping.signal.aborted) log.info('a file of a package was not kept', { url: file.url, error })
      })
      .then(() => rm(draft, { force: true }))
      .finally(() => {
        coming.bytes -= bytes
        coming.count--
        working.delete(copy)
      })
    working.set(copy, work)
    return copy
  }

  async function accept(draft: string, { name, file, bytes, digest }: { name: string; file: PackageFile; bytes: number; digest: string }): Promise<void> {
    const giveBack = await turns.take(stopping.signal)
    try {
      const stated = file.digestIn(await fetchDocument(reach, file.document, stopping.signal))
      if (stated !== digest) return log.info('a file of a package is not what its registry states', { url: file.url, stated, digest })
    } finally {
      giveBack()
    }
    await rename(draft, join(folder, name))
    keptBytes += bytes - (kept.get(name)?.bytes ?? 0)
    kept.delete(name)
    kept.set(name, { bytes, statedAtMs: wallClock().getTime() })
    await sweep()
  }

  return {
    shared({ host, port, isTls, path, query, method, headers }) {
      if (method !== 'GET' || !isTls || port !== 443 || query !== '' || Object.keys(headers).some((name) => personal.test(name))) return undefined
      const file = packageFileAt(registries, host, path)
      if (!file) return undefined
      const name = createHash('sha256').update(file.url).digest('hex')
      return { read: () => read(name), keep: (answered) => keep(name, file, answered) }
    },
    async stop() {
      stopping.abort()
      for (const copy of working.keys()) copy.destroy()
      await Promise.all(working.values())
    },
  }
}

type Kept = { bytes: number; statedAtMs: number }

/** What an earlier server left: whole files, and what was coming when it ended. */
async function load(folder: string): Promise<Map<string, Kept>> {
  const found: [string, Kept][] = []
  for (const name of await readdir(folder)) {
    const path = join(folder, name)
    if (!/^[0-9a-f]{64}$/.test(name)) await rm(path, { force: true })
    else {
      const { size, mtimeMs } = await stat(path)
      found.push([name, { bytes: size, statedAtMs: mtimeMs }])
    }
  }
  return new Map(found.sort(([, one], [, other]) => one.statedAtMs - other.statedAtMs))
}

/** `copied` is the digest of what came, once it is on the disk; undefined where it was not that many bytes. A disk that is full holds up nobody. */
function copyTo(path: string, bytes: number, algorithm: string): { copy: Transform; copied: Promise<string | undefined> } {
  const { promise: copied, resolve } = Promise.withResolvers<string | undefined>()
  const hash = createHash(algorithm)
  let handle: FileHandle | undefined
  let count = 0
  let hasEnded = false
  const end = async (isWhole: boolean) => {
    if (hasEnded) return
    hasEnded = true
    const isWritten = await handle?.sync().then(
      () => true,
      () => false,
    )
    await handle?.close().catch(() => {}) // What cannot be closed was not written either.
    resolve(isWhole && isWritten === true && count === bytes ? hash.digest('hex') : undefined)
  }
  const write = async (piece: Buffer) => {
    count += piece.length
    if (!handle || hasEnded || count > bytes) return
    hash.update(piece)
    await handle.writeFile(piece).catch(() => end(false))
  }
  const copy = new Transform({
    construct(done) {
      open(path, 'wx', 0o600).then(
        (opened) => {
          handle = opened
          done()
        },
        () => done(), // No room, no copy.
      )
    },
    transform: (piece: Buffer, _, done) => void write(piece).then(() => done(null, piece)),
    flush(done) {
      void end(true) // Nobody waits for the disk.
      done()
    },
    destroy(error, done) {
      void end(false)
      done(error)
    },
  })
  return { copy, copied }
}

/** Asked in the server's own name: without a word of the sandbox's. Throws where there is none, or no JSON. */
async function fetchDocument(reach: Reach, { url, accept }: PackageFile['document'], stop: AbortSignal): Promise<unknown> {
  const { hostname, host, port, pathname } = new URL(url)
  const signal = AbortSignal.any([stop, AbortSignal.timeout(documentMsMax)])
  const socket = await reachHost(reach, hostname, Number(port || 443))
  try {
    const asked = startRequest({
      ...{ method: 'GET', path: pathname, signal, headers: { host, accept, 'user-agent': 'longhaul', connection: 'close' } },
      createConnection: () => secureOver(reach, socket, hostname),
    })
    const pieces: Buffer[] = []
    let bytes = 0
    await new Promise<void>((resolve, reject) => {
      asked.on('error', reject)
      asked.on('response', (answer) => {
        if (answer.statusCode !== 200) return void asked.destroy(new Error(`${url} answered ${answer.statusCode}`))
        answer.on('error', reject)
        answer.on('data', (piece: Buffer) => {
          bytes += piece.length
          if (bytes > documentBytesMax) asked.destroy(new Error(`${url} is longer than ${documentBytesMax} bytes`))
          else pieces.push(piece)
        })
        answer.on('end', resolve)
      })
      asked.end()
    })
    return JSON.parse(Buffer.concat(pieces).toString('utf8'))
  } finally {
    socket.destroy()
  }
}
