/** Which catalogue counts for a tenant: the one that the program brings along, or one that was read later and applied. */
import type { CatalogueVersion, ModelFacts, applyCatalogue, listCatalogueVersions, refreshModels, rollbackCatalogue } from '@longhaul/protocol'
import type { z } from 'zod'
import { type Db, noteAudit } from '../../db/index.ts'
import { AppError, newId, pageBy, wallClock } from '../../kernel/index.ts'
import { type Refreshed, catalogue, counts, factsByModel } from './catalogue.ts'
import { changesOf, mergeCatalogue, readCatalogue } from './refresh.ts'
import {
  type VersionRow,
  applyVersion,
  currentVersionId,
  findVersion,
  insertVersion,
  listVersions,
  lockVersions,
  previousApplied,
  restoreVersion,
  retireCurrent,
} from './refresh-store.ts'

type Input<Of extends { input: z.ZodType }> = z.output<Of['input']>
type Output<Of extends { output: z.ZodType }> = z.input<Of['output']>
type By = { tenantId: string; keyId: string; name: string }

export type Catalogues = {
  /** Undefined: the program's own. Read again only when another one counts. */
  of(tenantId: string): Promise<Refreshed | undefined>
}

export type CatalogueBoard = {
  /** Reads one and says what would change. Nothing counts yet. */
  refresh(by: By, input: Input<typeof refreshModels>): Promise<Output<typeof refreshModels>>
  /** From now on this one counts: other prices begin today. Throws `not_found`, and `conflict` when the program's own is newer. */
  apply(by: By, input: Input<typeof applyCatalogue>): Promise<CatalogueVersion>
  /** Back to the one that counted before, or to the program's own. */
  rollback(by: By): Promise<Output<typeof rollbackCatalogue>>
  versions(tenantId: string, input: Input<typeof listCatalogueVersions>): Promise<Output<typeof listCatalogueVersions>>
}

/** Reads an address for the server: only on the public internet. Rejects with an `AppError` that says why not. */
export type Download = (url: string) => Promise<string>

const tenantsMax = 1_000
const shownMax = 500

export function openCatalogues(db: Db): Catalogues {
  const known = new Map<string, Promise<Refreshed | undefined> & { id?: string }>()
  return {
    async of(tenantId) {
      const id = await currentVersionId(db.forTenant(tenantId))
      if (id === undefined) return void known.delete(tenantId)
      const found = known.get(tenantId)
      if (found?.id === id) return found
      const loading: Promise<Refreshed | undefined> & { id?: string } = findVersion(db.forTenant(tenantId), id).then(
        (version) => version && { readOn: version.readOn, byModel: new Map(version.models.map((facts) => [facts.model, facts])) },
      )
      loading.id = id
      loading.catch(() => known.delete(tenantId)) // Whoever asked hears of it; the next one asks again.
      if (known.size >= tenantsMax) known.clear()
      known.set(tenantId, loading)
      return loading
    },
  }
}

type Options = { db: Db; catalogues: Catalogues; download: Download; refreshTerms(tenantId: string): void }

export function openCatalogueBoard({ db, catalogues, download, refreshTerms }: Options): CatalogueBoard {
  const today = () => wallClock().toISOString().slice(0, 10)
  const currentOf = async (tenantId: string): Promise<ReadonlyMap<string, ModelFacts>> => factsByModel(await catalogues.of(tenantId))

  return {
    async refresh({ tenantId, name }, { url, catalogue }) {
      const value = url === undefined ? catalogue : parse(await download(url), url)
      const read = readCatalogue(value, today())
      const changes = changesOf(await currentOf(tenantId), read.models, today())
      const id = newId()
      const source = url ?? 'a file'
      await db
        .forTenant(tenantId)
        .transaction((tx) => insertVersion(tx, { id, source, readOn: read.readOn, changeCount: changes.length, madeBy: name, models: read.models }))
      const order = { price: 0, limits: 1, added: 2 }
      const sorted = changes.toSorted((one, other) => Number(other.isSuspicious) - Number(one.isSuspicious) || order[one.kind] - order[other.kind])
      return { id, source, readOn: read.readOn, modelCount: read.models.length, changeCount: changes.length, changes: sorted.slice(0, shownMax) }
    },
    async apply({ tenantId, keyId, name }, { versionId }) {
      const applied = await db.forTenant(tenantId).transaction(async (tx) => {
        await lockVersions(tx)
        const version = await findVersion(tx, versionId)
        if (!version) throw new AppError('not_found', `No catalogue ${versionId}. Read one with: longhaul models refresh --from …`)
        if (version.isCurrent) throw new AppError('conflict', 'This catalogue counts already.')
        if (!counts(version.readOn))
          throw new AppError(
            'conflict',
            `This catalogue is of ${version.readOn}. The program’s own, of ${catalogue.readOn}, is newer and counts before it. Read a newer one.`,
          )
        // One that has counted before is as it was put together then.
        const models = version.appliedAt ? undefined : mergeCatalogue(await currentOf(tenantId), version.models, today())
        await retireCurrent(tx)
        await noteAudit(tx, {
          who: { id: keyId, name },
          action: 'models.apply',
          target: versionId,
          detail: { source: version.source, changes: version.changeCount },
        })
        return applyVersion(tx, versionId, name, models)
      })
      refreshTerms(tenantId)
      return toVersion(applied)
    },
    async rollback({ tenantId, keyId, name }) {
      const now = await db.forTenant(tenantId).transaction(async (tx) => {
        await lockVersions(tx)
        const current = await currentVersionId(tx)
        if (current === undefined) return undefined
        const previous = await previousApplied(tx)
        await retireCurrent(tx)
        await noteAudit(tx, { who: { id: keyId, name }, action: 'models.rollback', target: current, detail: { to: previous ?? null } })
        return previous === undefined ? undefined : restoreVersion(tx, previous)
      })
      refreshTerms(tenantId)
      return { current: now ? toVersion(now) : null }
    },
    versions: async (tenantId, { limit, cursor }) => {
      const { items, next } = await pageBy(limit, cursor, (before, count) => listVersions(db.forTenant(tenantId), { before, limit: count }))
      return { items: items.map(toVersion), next }
    },
  }
}

const toVersion = ({ madeAt, appliedAt, isCurrent, ...version }: VersionRow): CatalogueVersion => ({
  ...version,
  isCurrent: isCurrent && counts(version.readOn),
  madeAt: madeAt.toISOString(),
  appliedAt: appliedAt?.toISOString() ?? null,
})

function parse(text: string, url: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    throw new AppError('invalid', `What is at ${url} is not JSON.`)
  }
}
