/** Keys and people may be limited to agents and namespaces. Every operation is held to that here; `reach.test.ts` walks all of them. Pure. */
import type { Operation } from '@longhaul/protocol'
import type { Caller } from '../identity/index.ts'
import { AppError } from '../kernel/index.ts'

type Reach = Pick<Caller, 'agents' | 'namespaces'>
/** Absent and null: all of them. */
type Place = { agent?: string | null | undefined; namespace?: string | null | undefined }

/** Where an operation takes effect everywhere unless it names a place. */
const everywhere = new Set(['limits.set', 'stops.create', 'retention.set', 'guardrails.set', 'callPrivacy.set', 'marketplace.install', 'marketplace.uninstall'])
/** What is about the whole tenant whatever it names: all agents are held by it, or seen in it. */
const ofTenant = new Set([
  ...['policies.put', 'policies.delete', 'routes.set', 'routes.delete', 'routes.clearCache', 'providers.set', 'providers.delete'],
  ...['models.set', 'models.unset', 'models.refresh', 'models.apply', 'models.rollback'],
  ...['namespaces.put', 'namespaces.delete', 'sso.set', 'sso.delete'],
  ...['audit.list', 'audit.export', 'marketplace.review', 'marketplace.revoke'],
])

/** Throws `not_found`, as for what is not there, when the input names an agent or a namespace beyond the caller's. */
export function assertReach(caller: Reach, { id }: Operation, input: Record<string, unknown>): void {
  if (!isLimited(caller)) return
  const { agent, namespace } = placeIn(input)
  const named = [agent, id === 'agents.get' ? text(input['name']) : undefined, ...listOf(input['destinations']).map(({ agent: to }) => text(to))]
  for (const name of named) if (name !== undefined) assertIn(caller.agents, name, 'agent')
  if (namespace !== undefined) assertIn(caller.namespaces, namespace, 'namespace')
  if (ofTenant.has(id)) throw ofTheTenant(caller)
  if (!everywhere.has(id) || text(input['runId']) !== undefined) return // Of a run the audience decides.
  if (caller.agents && agent === undefined) throw tooWide('agents', caller.agents)
  if (caller.namespaces && namespace === undefined) throw tooWide('namespaces', caller.namespaces)
}

export const isLimited = ({ agents, namespaces }: Reach): boolean => !!agents || !!namespaces

/** Whether something of this place is within the caller's reach. What holds in all places is not. */
export const isReached = ({ agents, namespaces }: Reach, { agent, namespace }: Place): boolean =>
  (!agents || (typeof agent === 'string' && agents.includes(agent))) && (!namespaces || (typeof namespace === 'string' && namespaces.includes(namespace)))

/** The thing, unless it is beyond the caller's reach or not there: nobody can tell which. */
export function reached<Thing extends Place>(caller: Reach, thing: Thing | undefined, what: string): Thing {
  if (!thing || !isReached(caller, thing)) throw new AppError('not_found', `No ${what}.`)
  return thing
}

/** Looks through pages for one. */
export async function findInPages<Thing extends { id: string }>(
  id: string,
  list: (cursor: string | undefined) => Promise<{ items: Thing[]; next: string | null }>,
): Promise<Thing | undefined> {
  for (let cursor: string | undefined; ;) {
    const { items, next } = await list(cursor)
    const found = items.find((item) => item.id === id)
    if (found || next === null) return found
    cursor = next
  }
}

function assertIn(names: readonly string[] | undefined, name: string, what: string): void {
  if (names && !names.includes(name)) throw new AppError('not_found', `No ${what} ${name}. There are: ${names.join(', ')}.`)
}

const tooWide = (what: string, names: readonly string[]): AppError =>
  new AppError('forbidden', `This would hold for all ${what}, and the caller is limited to these: ${names.join(', ')}. Name one.`)

const ofTheTenant = ({ agents, namespaces }: Reach): AppError =>
  new AppError('forbidden', `This is about the whole tenant, and the caller is limited to these: ${[...(agents ?? []), ...(namespaces ?? [])].join(', ')}.`)

const placeIn = (input: Record<string, unknown>) => ({ agent: text(input['agent']), namespace: text(input['namespace']) })
const text = (value: unknown): string | undefined => (typeof value === 'string' ? value : undefined)
const listOf = (value: unknown): Record<string, unknown>[] => (Array.isArray(value) ? (value as Record<string, unknown>[]) : []) // As the operation parsed it.
