/**
 * Providers that a tenant has keys of its own at. They go before the server's of the same name; where a tenant's key cannot be had, its calls fail
 * instead of going on at the server's expense. Keys are in the memory of this process and in the header of a request, and nowhere else.
 */
import type { ModelProvider, setProvider } from '@longhaul/protocol'
import type { z } from 'zod'
import { type Db, noteAudit } from '../db/index.ts'
import { type Caller, type Secrets, whoIs } from '../identity/index.ts'
import { AppError, type Log, monotonicMs } from '../kernel/index.ts'
import { type ProviderEntry, type VersionedEntry, deleteProvider, listProviders, upsertProvider } from './provider-store.ts'
import { isKeyedName, keyedProviders } from './provider-table.ts'
import { type Provider, tenantProvider } from './providers.ts'

export type TenantProviders = {
  /** By name; empty for most. Resolves with what was known last when the database cannot be asked. */
  of(tenantId: string): Promise<ReadonlyMap<string, Provider>>
  list(tenantId: string): Promise<ModelProvider[]>
  /** Throws `invalid` for a vendor or an address that cannot be, `not_found` for a secret that is not there. */
  set(caller: Caller, input: z.output<(typeof setProvider)['input']>): Promise<ModelProvider>
  /** Throws `not_found`. */
  delete(caller: Caller, name: string): Promise<ModelProvider>
}

export type TenantProvidersOptions = {
  db: Db
  secrets: Pick<Secrets, 'use' | 'find'>
  /** Where the operator has put providers. */
  baseUrls?: Partial<Record<string, string | undefined>> | undefined
  awsRegion?: string | undefined
  log: Log
}

/** How long a change at another server may go unnoticed. */
const freshMs = 2_000
const tenantsMax = 10_000

/** `sign`: what the providers were made from. As long as it is the same they are, with what is known of their keys' rests. */
type Known = { sign: string; providers: ReadonlyMap<string, Provider> }
type Entry = { known: Promise<Known>; untilMs: number }

export function openTenantProviders({ db, secrets, baseUrls = {}, awsRegion = 'us-east-1', log }: TenantProvidersOptions): TenantProviders {
  const entries = new Map<string, Entry>()

  async function read(tenantId: string, before: Promise<Known> | undefined): Promise<Known> {
    const last = await before?.catch(() => undefined)
    const rows = await listProviders(db.forTenant(tenantId))
    const sign = JSON.stringify(rows)
    if (last?.sign === sign) return last
    const made = await Promise.all(rows.map((row) => make(tenantId, row)))
    return { sign, providers: new Map(made.map((provider) => [provider.name, provider])) }
  }

  async function make(tenantId: string, row: VersionedEntry): Promise<Provider> {
    const { name } = row
    const place = { baseUrl: row.baseUrl ?? baseUrls[name], awsRegion: row.awsRegion ?? awsRegion }
    const found = await Promise.all(row.secrets.map((secret) => keysOf(tenantId, row, secret)))
    const keys = found.flatMap((each) => ('keys' in each ? [each.keys] : []))
    const problems = found.flatMap((each) => ('problem' in each ? [each.problem] : []))
    if (problems.length > 0) log.warn('a tenant’s key of a provider cannot be had', { tenantId, provider: name, problems })
    try {
      return tenantProvider(name, keys.join(','), {
        ...place,
        setting: `longhaul providers set ${name}`,
        problem: keys.length === 0 ? problems.join(' ') : undefined,
      })
    } catch (error) {
      return tenantProvider(name, '', {
        ...place,
        setting: `longhaul providers set ${name}`,
        problem: error instanceof AppError ? error.message : String(error),
      })
    }
  }

  async function keysOf(tenantId: string, { name, setById, setBy }: ProviderEntry, secret: string): Promise<{ keys: string } | { problem: string }> {
    try {
      return { keys: await secrets.use(tenantId, secret, { who: { id: setById, name: setBy }, purpose: `provider ${name}`, whyNot: whyNotFor(name) }) }
    } catch (error) {
      return { problem: error instanceof AppError ? error.message : `The secret ${secret} cannot be read.` }
    }
  }

  function of(tenantId: string): Promise<Known> {
    const entry = entries.get(tenantId)
    if (entry && entry.untilMs > monotonicMs()) return entry.known
    if (entries.size >= tenantsMax) entries.clear()
    const known = read(tenantId, entry?.known).catch((error: unknown) => {
      if (!entry) throw error
      log.warn('providers of a tenant could not be read; those known before go on', { tenantId, error })
      return entry.known
    })
    known.catch(() => entries.delete(tenantId)) // Whoever asked hears of it; the next one asks again.
    entries.set(tenantId, { known, untilMs: monotonicMs() + freshMs })
    return known
  }

  const toProvider = (entry: ProviderEntry, providers: ReadonlyMap<string, Provider>): ModelProvider => ({
    name: entry.name,
    secrets: entry.secrets,
    baseUrl: entry.baseUrl,
    awsRegion: entry.awsRegion,
    problem: providers.get(entry.name)?.problem ?? null,
    setBy: entry.setBy,
    setAt: entry.setAt.toISOString(),
  })

  return {
    of: async (tenantId) => (await of(tenantId)).providers,
    async list(tenantId) {
      const [{ providers }, rows] = await Promise.all([of(tenantId), listProviders(db.forTenant(tenantId))])
      return rows.map((row) => toProvider(row, providers))
    },
    async set(caller, { name, secrets: names, baseUrl, awsRegion: region }) {
      const { tenantId } = caller
      checkPlace(name, baseUrl ?? baseUrls[name], baseUrl)
      for (const secret of names) {
        const found = await secrets.find(tenantId, secret)
        if (!found) throw new AppError('not_found', `No secret ${secret}. Set it with: longhaul secrets set ${secret}`)
        const why = whyNotFor(name)(found)
        if (why !== undefined) throw new AppError('invalid', why)
      }
      const entry = { name, secrets: [...new Set(names)], baseUrl: baseUrl ?? null, awsRegion: region ?? null, setById: caller.keyId, setBy: caller.name }
      const set = await db.forTenant(tenantId).transaction(async (tx) => {
        await noteAudit(tx, { who: whoIs(caller), action: 'providers.set', target: name, detail: { secrets: entry.secrets, baseUrl: entry.baseUrl } })
        return upsertProvider(tx, entry)
      })
      entries.delete(tenantId)
      return toProvider(set, (await of(tenantId)).providers)
    },
    async delete(caller, name) {
      const deleted = await db.forTenant(caller.tenantId).transaction(async (tx) => {
        const gone = await deleteProvider(tx, name)
        if (!gone) throw new AppError('not_found', `No provider ${name} with keys of the tenant’s own.`)
        await noteAudit(tx, { who: whoIs(caller), action: 'providers.delete', target: name })
        return gone
      })
      entries.delete(caller.tenantId)
      return toProvider(deleted, new Map())
    },
  }
}

/** A secret that was made for something else is not for this. */
const whyNotFor =
  (provider: string) =>
  ({ name, agents, hosts }: { name: string; agents: string[] | null; hosts: string[] }): string | undefined =>
    agents !== null || hosts.length > 0
      ? `The secret ${name} is for ${agents !== null ? 'agents' : 'hosts'} that it names, so it cannot be a key of ${provider}. Set one without them.`
      : undefined

/** A tenant may send its keys to the vendor's addresses alone: the server reaches others that the tenant must not. */
function checkPlace(name: string, baseUrl: string | undefined, given: string | undefined): void {
  if (!isKeyedName(name))
    throw new AppError('invalid', `name: there is no provider ${JSON.stringify(name)}. There are: ${Object.keys(keyedProviders).join(', ')}.`)
  const { label, hosts = [], baseUrl: usual } = keyedProviders[name]
  if (baseUrl === undefined && usual === '')
    throw new AppError('invalid', `baseUrl: ${label} has an address of your own. Give it, at one of: ${hosts.join(', ')}.`)
  if (given === undefined) return
  const url = new URL(given)
  if (url.username || url.password || url.search || url.port) throw new AppError('invalid', 'baseUrl: must not hold a user, password, port or query.')
  if (!hosts.some((host) => url.hostname === host || (host.startsWith('.') && url.hostname.endsWith(host))))
    throw new AppError('invalid', `baseUrl: ${url.hostname} is no address of ${label}.${hosts.length > 0 ? ` These are: ${hosts.join(', ')}.` : ''}`)
}
