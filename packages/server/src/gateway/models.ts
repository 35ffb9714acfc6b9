/** The models that can be had here: which targets a name stands for, and what is known of their health. Shared by agents and by the faces over HTTP. */
import type { CacheRule } from '@longhaul/protocol'
import { type Log, StepFailure } from '../kernel/index.ts'
import type { Target } from './failover.ts'
import { type Health, openHealth } from './health.ts'
import type { RouteNote } from './money/index.ts'
import { isKeyedName, keyedProviders } from './provider-table.ts'
import { type Provider, type ProviderSettings, configureProviders } from './providers.ts'
import type { WatchLimits } from './watch.ts'
import { answerBytesMax, boundedFetch } from './wire.ts'

/** Who asks and for what, as far as a route may look at it. */
export type Asked = {
  tenantId?: string | undefined
  keyId?: string | undefined
  keyName?: string | undefined
  agent?: string | undefined
  /** Of a step of a run: which try at it this is. */
  attempt?: number | undefined
  namespace?: string | undefined
  runId?: string | undefined
  session?: string | undefined
  user?: string | undefined
  tags?: Readonly<Record<string, string>> | undefined
  /** Of the request: what is cheap to know. Only a route asks for it. */
  request?: (() => Readonly<RequestFacts>) | undefined
}

export type RequestFacts = {
  face: string
  bytes: number
  messageCount: number
  toolCount: number
  hasImages: boolean
  wantsJson: boolean
  isStream: boolean
  /** Of the last message of the user: its beginning. */
  text: string
  /** A digest of what requests of one kind have in common: instructions, tools, schema. */
  template: string
}

/** What a route says of a request: its targets in the order in which they are asked. */
export type Picked = {
  models: readonly string[]
  /** How many of them, from the first on, are better than the one before each: an answer that is not as asked goes on to the next of these. 0: to nobody. */
  climbs: number
  /** Streamed answers that could go on to another target are held until all of them was looked at. Absent: until they have begun. */
  holdsStreams?: boolean | undefined
  cache?: CacheRule | undefined
  /** Why this one is asked, to be recorded with the call. */
  note(model: string): RouteNote
  /** This one is about to be asked: its session goes on with it. */
  asking(model: string): void
}

/** Undefined when there is no route of that name. */
export type PickTargets = (name: string, asked: Asked) => Promise<Picked | undefined>

/** `route` when the name is that of one. */
export type Resolved = {
  targets: readonly Target[]
  climbs: number
  cache?: CacheRule | undefined
  route?: Pick<Picked, 'note' | 'asking' | 'holdsStreams'> | undefined
}

export type ModelsOptions = ProviderSettings & {
  /** What `default` stands for, as `provider/model` or the name of a route. Absent: the usual model of the first provider that is configured. */
  model?: string | undefined
  /** The longest silence: before the first word, and between two. */
  timeoutMs: number
  /** The longest a whole call may take. Absent: ten times `timeoutMs`. */
  totalMsMax?: number
  answerBytesMax?: number
  pickTargets?: PickTargets | undefined
  /** With keys of the tenant's own: they go before the server's of the same name. */
  tenantProviders?: ((tenantId: string) => Promise<ReadonlyMap<string, Provider>>) | undefined
  log: Log
}

export type Models = {
  /** The server's own. */
  providers: ReadonlyMap<string, Provider>
  /** Those that this tenant's calls can go to. */
  providersOf(tenantId: string | undefined): Promise<ReadonlyMap<string, Provider>>
  defaultModel: string
  health: Health
  limits: WatchLimits
  answerBytesMax: number
  fetch: typeof globalThis.fetch
  log: Log
  /** Why a tenant's calls cannot go to this `provider/model` now, with the remedy; undefined when they can. */
  whyNot(tenantId: string, model: string): Promise<string | undefined>
  /** At least one. Rejects with a `StepFailure` that names the remedy. */
  resolve(name: string, asked: Asked): Promise<Resolved>
}

/** Throws an `AppError` when a setting cannot be right. A model that cannot be had fails its calls, not the start. */
export function openModels(options: ModelsOptions): Models {
  const own = configureProviders(options)
  const first = [...own.values()][0]! // The offline stand-in is always there.
  const defaultModel = options.model || `${first.name}/${first.model}`
  const bytesMax = options.answerBytesMax ?? answerBytesMax
  /** The tenant's before the server's. Made anew only when the tenant's have changed: they are asked for with each call. */
  const merged = new WeakMap<ReadonlyMap<string, Provider>, ReadonlyMap<string, Provider>>()
  async function providersOf(tenantId: string | undefined): Promise<ReadonlyMap<string, Provider>> {
    const theirs = tenantId === undefined ? undefined : await options.tenantProviders?.(tenantId)
    if (!theirs || theirs.size === 0) return own
    const known = merged.get(theirs) ?? new Map([...theirs, ...[...own].filter(([name]) => !theirs.has(name))])
    merged.set(theirs, known)
    return known
  }
  /** Where nobody has said what `default` is, and the server has nothing but the stand-in, it is the tenant's own. */
  const defaultOf = (providers: ReadonlyMap<string, Provider>): string => {
    const [theirs] = providers.values()
    return options.model || first.name !== 'offline' || !theirs ? defaultModel : `${theirs.name}/${theirs.model}`
  }
  return {
    providers: own,
    providersOf,
    defaultModel,
    health: openHealth(),
    limits: { silenceMsMax: options.timeoutMs, totalMsMax: options.totalMsMax ?? options.timeoutMs * 10 },
    answerBytesMax: bytesMax,
    fetch: boundedFetch(bytesMax),
    log: options.log,
    async whyNot(tenantId, model) {
      const providers = await providersOf(tenantId)
      const found = findModel(providers, model)
      return found ? found.provider.problem : whyNoModel(providers, model)
    },
    async resolve(name, asked) {
      const providers = options.tenantProviders ? await providersOf(asked.tenantId) : own
      const wanted = name === 'default' ? defaultOf(providers) : name
      const direct = findModel(providers, wanted)
      if (direct) return { targets: usable([direct]), climbs: 0 }
      const picked = wanted.includes('/') ? undefined : await options.pickTargets?.(wanted, asked)
      // A target whose provider has no key here is left out, as long as another one has.
      const found = picked?.models.flatMap((model) => findModel(providers, model) ?? [])
      if (picked && found && found.length > 0) {
        const targets = usable(found)
        const climbs = targets.filter(({ model }) => picked.models.indexOf(model) < picked.climbs).length
        return { targets, climbs, cache: picked.cache, route: picked }
      }
      if (picked) throw unknown(whyNoTarget(providers, wanted, picked))
      const bare = findBare(providers, wanted)
      if (bare) return { targets: usable([bare]), climbs: 0 }
      throw unknown(whyNoModel(providers, wanted))
    },
  }
}

/** Those that can be asked. Throws when there is none, with why. */
function usable(targets: readonly Target[]): readonly Target[] {
  const able = targets.filter(({ provider }) => provider.problem === undefined)
  const [first] = targets
  if (able.length > 0 || !first) return able
  const { label, problem } = first.provider
  throw new StepFailure({ message: `The key of ${label} cannot be had. ${problem}`, code: 'key_refused', retryable: false })
}

const unknown = (message: string) => new StepFailure({ message, code: 'unknown_model', retryable: false })

function findModel(providers: ReadonlyMap<string, Provider>, model: string): Target | undefined {
  const slash = model.indexOf('/')
  const provider = slash > 0 ? providers.get(model.slice(0, slash)) : undefined
  if (!provider || slash === model.length - 1) return undefined
  return provider.name !== 'offline' || model === 'offline/planner' ? { provider, model } : undefined
}

/** Programs that were written for one vendor name their models without it. */
function findBare(providers: ReadonlyMap<string, Provider>, name: string): Target | undefined {
  const all = [...providers.values()]
  const provider =
    all.find(({ model, isOwnServer }) => isOwnServer && model === name) ?? all.find(({ prefixes }) => prefixes.some((prefix) => name.startsWith(prefix)))
  return provider && { provider, model: `${provider.name}/${name}` }
}

function whyNoModel(providers: ReadonlyMap<string, Provider>, model: string): string {
  const shown = JSON.stringify(model.slice(0, 200))
  const bare = Object.entries(keyedProviders).find(([, { prefixes }]) => prefixes.some((prefix) => model.startsWith(prefix)))
  const name = model.includes('/') ? model.slice(0, model.indexOf('/')) : (bare?.[0] ?? '')
  if (isKeyedName(name)) {
    const { keySetting, label } = keyedProviders[name]
    return providers.has(name)
      ? `The model ${shown} has no name after the slash.`
      : `The model ${shown} needs a key of ${label}. Set ${keySetting} and start again.`
  }
  if (name === 'compatible' && !providers.has('compatible')) {
    return `The model ${shown} needs an OpenAI-compatible server. Set LONGHAUL_OPENAI_COMPATIBLE_BASE_URL and LONGHAUL_OPENAI_COMPATIBLE_MODEL and start again.`
  }
  const usable = usualModels(providers).join(', ')
  const why = model.includes('/') && !providers.has(name) ? `, and no provider ${name.slice(0, 60)} here` : ''
  return `There is no model and no route ${shown}${why}. A model is written provider/model; here for example: ${usable}.`
}

function whyNoTarget(providers: ReadonlyMap<string, Provider>, route: string, { models }: Picked): string {
  const [first] = models
  if (first === undefined) return `No target of the route ${JSON.stringify(route)} fits this request. Give it one without a condition.`
  return `The route ${JSON.stringify(route)} has no target that can be had here. ${whyNoModel(providers, first)}`
}

/** The usual model of each provider. */
export const usualModels = (providers: ReadonlyMap<string, Provider>): string[] => [...providers.values()].map(({ name, model }) => `${name}/${model}`)

/** Whether everything that could answer is the stand-in. */
export const isOffline = ({ defaultModel }: Pick<Models, 'defaultModel'>): boolean => defaultModel.startsWith('offline/')
