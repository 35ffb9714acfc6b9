/** Templates: prepared once in the background, kept as archives, and given to sandboxes that begin as copies of them. */
import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import type { DeclaredEgress, Egress, Template, TemplateDetail, createTemplate } from '@longhaul/protocol'
import type { z } from 'zod'
import type { Audience, Db } from '../db/index.ts'
import { AppError, type Log, StepFailure, after, newId, pageBy, sleep, toFailure } from '../kernel/index.ts'
import type { Archives } from './archives.ts'
import type { Sandbox } from './driver.ts'
import { failure } from './failures.ts'
import type { OpenHosted } from './hosted.ts'
import type { Images, NamedImage } from './images/images.ts'
import { defaultLimits } from './limits.ts'
import { type Steps, createPreparationLog, layOut, runSteps, stepsOf } from './preparation.ts'
import { walkSeed } from './seed.ts'
import { type Quota, withoutValues } from './sandbox-store.ts'
import { deleteSnapshot, insertSnapshot } from './snapshot-store.ts'
import {
  type TemplateRow,
  deleteTemplate,
  failInterrupted,
  findDeclared,
  findTemplate,
  insertTemplate,
  listTemplates,
  listUnused,
  readLog,
  recordFailed,
  recordProgress,
  recordReady,
  recordTemplateUse,
  toTemplate,
} from './template-store.ts'
import { referenceOf } from './images/registry.ts'
import { createTurns } from './turns.ts'

type Input = z.output<(typeof createTemplate)['input']>
type Maker = Audience & { keyId: string }
/** What a sandbox begins with. */
export type Prepared = Pick<TemplateRow, 'id' | 'limits' | 'image' | 'env'> & { snapshotId: string }

export type TemplateService = {
  create(caller: Maker, input: Input): Promise<Template>
  list(caller: Audience, page: { limit: number; cursor?: string | undefined; name?: string | undefined }): Promise<{ items: Template[]; next: string | null }>
  get(caller: Audience, ref: string): Promise<TemplateDetail>
  delete(caller: Audience, ref: string): Promise<Template>
}

/** What an agent's version declares. `seed` is the folder that its workspaces begin with, `readEgress` gives the values of credentials. */
export type Declared = {
  tenantId: string
  agent: string
  steps: Steps
  limits: Input['limits']
  image?: NamedImage | undefined
  egress: DeclaredEgress | undefined
  readEgress(): Promise<Egress | undefined>
  seed: string | undefined
}

export type Templates = {
  readonly service: TemplateService
  /** A version that is ready, noted as used. Throws `not_found`, or `conflict` with the reason while it is not. */
  use(audience: Audience, ref: string): Promise<Prepared>
  /** The same of an agent, prepared now if nobody has yet. Throws a `StepFailure` when its preparation failed. */
  useDeclared(declared: Declared, signal: AbortSignal): Promise<Prepared>
  /** Lays it out in a new workspace. */
  unpackTo(prepared: Prepared, sandbox: Sandbox): Promise<void>
  start(): Promise<void>
  /** Deletes what nobody used for long and nobody would miss. */
  collect(): Promise<number>
  /** Ends preparations that are under way. */
  stop(): Promise<void>
}

export type TemplatesOptions = {
  db: Db
  log: Log
  hosted: OpenHosted
  images: Pick<Images, 'open' | 'hold'>
  archives: Archives
  home: string
  quota: Quota
  keepMs: number
}

const atOnce = 2
const noteEveryMs = 500
const lookEveryMs = 300
/** A preparation that failed is tried again for an agent no sooner. */
const retryAfterMs = 60_000
const interrupted = 'The server was stopped while it was prepared. Create it again.'

export function openTemplates({ db, log, hosted, images, archives, home, quota, keepMs }: TemplatesOptions): Templates {
  const turns = createTurns(atOnce)
  const preparing = new Map<string, { abort: AbortController; over: Promise<void> }>()
  const declaring = new Map<string, Promise<TemplateRow>>()
  const { outputBytesMax: _, ...limitsDefault } = defaultLimits
  let isStopped = false

  type Content = {
    steps: Steps
    image: NamedImage | undefined
    egress: Egress | undefined
    seed?: string | undefined
    from: Prepared | undefined
    files: NonNullable<Input['files']>
  }

  /** Goes on in the background; resolves with the row as soon as there is one. */
  async function begin(
    about: { tenantId: string; name: string; ownerId: string | null; isLimited: boolean; limits: Input['limits']; digest?: string },
    content: Content,
  ) {
    if (isStopped) throw new AppError('unavailable', 'The server is stopping.')
    const { steps, image, egress, from, files } = content
    const spec = {
      ...steps,
      ...(from && { fromId: from.id }),
      ...(image && { image: image.image }),
      egress: withoutValues(egress ?? null),
      fileCount: files.length,
    }
    const {
      limits: asked,
      digest = createHash('sha256')
        .update(JSON.stringify([spec, files]))
        .digest('hex'),
      ...whose
    } = about
    const given = Object.fromEntries(Object.entries(asked ?? {}).filter(([, value]) => value !== undefined))
    const row = await insertTemplate(
      db,
      {
        ...whose,
        id: newId(),
        spec,
        digest,
        limits: { ...limitsDefault, ...from?.limits, ...given },
        image: image?.image ?? null,
        env: { ...from?.env, ...steps.env },
        home,
        stepCount: stepsOf(steps).length,
      },
      quota,
    )
    const abort = new AbortController()
    const over = prepare(row, content, about.ownerId, abort.signal)
      .catch((error: unknown) => log.error('the end of a preparation was not recorded', { error, templateId: row.id }))
      .finally(() => preparing.delete(row.id))
    preparing.set(row.id, { abort, over })
    return row
  }

  async function prepare(row: TemplateRow, content: Content, ownerId: string | null, signal: AbortSignal): Promise<void> {
    const written = createPreparationLog()
    let step: string | null = null
    let stepsDone = 0
    let cancelNote: (() => void) | undefined
    const note = async () => {
      cancelNote?.()
      cancelNote = undefined
      if (!(await recordProgress(db, row, { step, stepsDone, ...written.read() }))) preparing.get(row.id)?.abort.abort() // It was deleted, here or elsewhere.
    }
    const noteLater = () => {
      cancelNote ??= after(noteEveryMs, () => void note().catch((error: unknown) => log.debug('the progress of a preparation was not noted', { error })), false)
    }
    const watched = { ...written, add: (text: string) => (written.add(text), noteLater()) }
    try {
      const leave = await turns.take(signal)
      try {
        const snapshotId = await build(row, content, ownerId, watched, {
          signal,
          onStep(label, done) {
            ;[step, stepsDone] = [label, done]
            noteLater()
          },
        })
        await note()
        if (snapshotId && (await recordReady(db, row, snapshotId.id, snapshotId.bytes)))
          return log.info('template prepared', { name: row.name, version: row.version })
        if (snapshotId) await discard(row.tenantId, snapshotId.id) // It was deleted meanwhile.
      } finally {
        leave()
      }
    } catch (error) {
      const problem = isStopped ? interrupted : toFailure(error).message
      await note().catch(() => {}) // Its end is what matters, and is written next.
      await recordFailed(db, row, problem)
      log.info('template not prepared', { name: row.name, version: row.version, problem })
    } finally {
      cancelNote?.()
    }
  }

  async function build(
    row: TemplateRow,
    { steps, image, egress, seed, from, files }: Content,
    ownerId: string | null,
    written: ReturnType<typeof createPreparationLog>,
    watch: Parameters<typeof runSteps>[3],
  ) {
    const { tenantId, limits, env } = row
    const place = await hosted({ tenantId, id: row.id, limits, seed, egress, image: image && (() => images.hold(tenantId, image)) })
    try {
      if (egress && !place.sandbox.egress)
        throw failure('sandbox_unavailable', 'Nothing can be let out of sandboxes of this driver. Egress needs the driver bwrap: apt-get install bubblewrap.')
      await layOut(place.sandbox, archives, from?.snapshotId ?? null, files)
      await runSteps(place.sandbox, { ...steps, env }, written, watch)
      watch.signal.throwIfAborted()
      const id = newId()
      const { bytes, digest } = await archives.keep(id, await place.sandbox.trees!.pack('/workspace', true)) // `layOut` has seen to it that there are some.
      try {
        await insertSnapshot(
          db,
          { tenantId, id, name: null, ownerId: ownerId ?? row.id, sandboxId: row.id, isInternal: true, limits, image: row.image, bytes, digest },
          quota,
        )
      } catch (error) {
        await archives.remove(id)
        throw error
      }
      return { id, bytes }
    } finally {
      await place.end()
    }
  }

  async function discard(tenantId: string, snapshotId: string): Promise<void> {
    await deleteSnapshot(db, tenantId, snapshotId)
    await archives.remove(snapshotId)
  }

  async function remove(row: TemplateRow): Promise<TemplateRow | undefined> {
    const deleted = await deleteTemplate(db, row)
    const running = preparing.get(row.id)
    running?.abort.abort()
    await running?.over
    if (deleted && deleted.snapshotId !== null) await discard(deleted.tenantId, deleted.snapshotId)
    return deleted
  }

  async function load(caller: Audience, ref: string): Promise<TemplateRow> {
    const row = await findTemplate(db.forTenant(caller.tenantId), caller, ref, false)
    if (!row) throw new AppError('not_found', `No template ${ref}.`)
    return row
  }

  async function use(audience: Audience, ref: string): Promise<Prepared> {
    const row = (await findTemplate(db.forTenant(audience.tenantId), audience, ref, true)) ?? (await load(audience, ref))
    if (row.snapshotId === null)
      throw new AppError(
        'conflict',
        row.state === 'failed'
          ? `Template ${row.name}@${row.version} could not be prepared: ${row.problem}`
          : `Template ${row.name}@${row.version} is still being prepared.`,
      )
    if (row.image !== null && !referenceOf(row.image))
      throw new AppError('invalid', `Template ${row.name}@${row.version} has an image that lies in its agent’s folder: only that agent’s runs begin with it.`)
    await recordTemplateUse(db, row)
    return { ...row, snapshotId: row.snapshotId }
  }

  const nameOf = (agent: string) => `agent/${agent}`

  /** The row of this declaration, in whatever state; begun when there is none that could be waited for. */
  async function declare({ tenantId, agent, steps, limits, image, egress, readEgress, seed }: Declared): Promise<TemplateRow> {
    const imageId = image && (await images.open(tenantId, image)).id
    const digest = await digestOf([steps, limits ?? {}, egress ?? null, ...(imageId === undefined ? [] : [imageId])], seed)
    const key = `${tenantId}/${agent}/${digest}`
    const known = declaring.get(key)
    if (known) return known
    const finding = (async () => {
      const found = await findDeclared(db.forTenant(tenantId), { tenantId, name: nameOf(agent), digest, retryAfterMs })
      if (found) return found
      const about = { tenantId, name: nameOf(agent), ownerId: null, isLimited: false, limits, digest }
      return begin(about, { steps, image, egress: await readEgress(), seed, from: undefined, files: [] })
    })().finally(() => declaring.delete(key))
    declaring.set(key, finding)
    return finding
  }

  async function useDeclared(declared: Declared, signal: AbortSignal): Promise<Prepared> {
    let row: TemplateRow | undefined = await declare(declared)
    const id = row.id
    while (row?.state === 'preparing') {
      if (signal.aborted) throw failure('cancelled', 'The run was cancelled while its template was prepared.')
      const here = preparing.get(id)
      await (here ? Promise.race([here.over, sleep(lookEveryMs, signal).catch(() => {})]) : sleep(lookEveryMs, signal).catch(() => {})) // Aborted: as above.
      row = await findTemplate(db.forTenant(declared.tenantId), { tenantId: declared.tenantId, askerId: undefined }, id, false)
    }
    if (!row || row.snapshotId === null)
      throw new StepFailure({
        code: 'template_failed',
        message: `The template of this agent's sandbox could not be prepared. ${row?.problem ?? 'It was deleted meanwhile.'}`,
        retryable: false,
      })
    await recordTemplateUse(db, row)
    return { ...row, snapshotId: row.snapshotId }
  }

  return {
    service: {
      async create(caller, { name, from, files = [], limits, image: named, egress, ...steps }) {
        const base = from === undefined ? undefined : await use(caller, from)
        const image = named ?? base?.image ?? undefined
        const about = { tenantId: caller.tenantId, name, ownerId: caller.keyId, isLimited: caller.askerId !== undefined, limits }
        return toTemplate(await begin(about, { steps, image: image === undefined ? undefined : { image }, egress, from: base, files }))
      },
      async list(caller, { limit, cursor, name }) {
        const { items, next } = await pageBy(limit, cursor, (before, count) =>
          listTemplates(db.forTenant(caller.tenantId), caller, { limit: count, before, name }),
        )
        return { items: items.map(toTemplate), next }
      },
      async get(caller, ref) {
        const row = await load(caller, ref)
        return { ...toTemplate(row), ...(await readLog(db.forTenant(row.tenantId), row)) }
      },
      async delete(caller, ref) {
        const deleted = await remove(await load(caller, ref))
        if (!deleted) throw new AppError('not_found', `No template ${ref}.`)
        return toTemplate(deleted)
      },
    },
    use,
    useDeclared,
    unpackTo: ({ snapshotId }, sandbox) => layOut(sandbox, archives, snapshotId, []),
    async start() {
      const count = await failInterrupted(db, home, interrupted)
      if (count > 0) log.warn('templates that were being prepared when the server ended are failed', { count })
    },
    async collect() {
      const rows = await listUnused(db, keepMs, 20)
      for (const row of rows) await remove(row)
      return rows.length
    },
    async stop() {
      isStopped = true
      for (const { abort } of preparing.values()) abort.abort()
      await Promise.all([...preparing.values()].map(({ over }) => over))
    },
  }
}

/** Of a declaration and of everything in its seed. */
async function digestOf(declaration: unknown, seed: string | undefined): Promise<string> {
  const hash = createHash('sha256').update(JSON.stringify(declaration))
  if (seed === undefined) return hash.digest('hex')
  for await (const entry of walkSeed(seed, defaultLimits)) {
    hash.update(`\0${entry.type}\0${entry.path}\0`)
    if (entry.type === 'file') hash.update(`${entry.mode}\0`).update(await readFile(entry.source))
    if (entry.type === 'link') hash.update(entry.target)
  }
  return hash.digest('hex')
}
