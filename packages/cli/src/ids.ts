import type { Client } from '@longhaul/sdk/client'
import { Problem } from './problem.ts'

const uuid = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/i

/** Ids begin with the time, so that neighbours begin alike: their ends tell them apart. */
export const shortId = (id: string): string => id.slice(-8)

/** A run's whole id from what a person typed: the id, its end as lists show it, or `last`. */
export const runIdFrom = (client: Client, given: string): Promise<string> =>
  idFrom(given, 'run', 'npx longhaul runs list', async () => (await client.runs.list({ limit: 200 })).items.map(({ id }) => id))

export const approvalIdFrom = (client: Client, given: string): Promise<string> =>
  idFrom(given, 'approval', 'npx longhaul approvals list', async () => (await client.approvals.list({ limit: 200 })).items.map(({ id }) => id))

export const limitIdFrom = (client: Client, given: string): Promise<string> =>
  idFrom(given, 'limit', 'npx longhaul limits list', async () => (await client.limits.list({ limit: 200 })).items.map(({ id }) => id))

/** A stop may also be called by what it stops. */
export async function stopIdFrom(client: Client, given: string): Promise<string> {
  if (uuid.test(given)) return given.toLowerCase()
  const { items } = await client.stops.list({ limit: 200 })
  const named = items.filter(({ agent, namespace, runId }) =>
    runId ? given.length >= 4 && runId.endsWith(given.toLowerCase()) : agent ? agent === given : namespace ? namespace === given : given === 'tenant',
  )
  if (named.length === 1 && named[0]) return named[0].id
  return idFrom(given, 'stop', 'npx longhaul stops list', async () => items.map(({ id }) => id))
}

/** A key may also be called by its name. */
export async function keyIdFrom(client: Client, given: string): Promise<string> {
  if (uuid.test(given)) return given.toLowerCase()
  const { items } = await client.keys.list()
  const named = items.filter(({ name }) => name === given)
  if (named.length > 1)
    throw new Problem('invalid', `${named.length} keys are called "${given}".`, `Give the id of one: ${named.map(({ id }) => shortId(id)).join(', ')}`)
  return named[0]?.id ?? idFrom(given, 'key', 'npx longhaul keys list', async () => items.map(({ id }) => id))
}

export const mailIdFrom = (client: Client, given: string): Promise<string> =>
  idFrom(given, 'mail', 'npx longhaul mails list', async () => (await client.mails.list({ limit: 200 })).items.map(({ id }) => id))

/** A person goes by the e-mail address, too. */
export async function personIdFrom(client: Client, given: string): Promise<string> {
  if (uuid.test(given)) return given.toLowerCase()
  const ids: string[] = []
  for (let cursor: string | undefined; ;) {
    const { items, next } = await client.people.list({ limit: 200, ...(cursor !== undefined && { cursor }) })
    const named = items.find(({ email }) => email === given.toLowerCase())
    if (named) return named.id
    ids.push(...items.map(({ id }) => id))
    if (next === null) return idFrom(given, 'person', 'npx longhaul people list', async () => ids)
    cursor = next
  }
}

async function idFrom(given: string, noun: string, command: string, list: () => Promise<string[]>): Promise<string> {
  if (uuid.test(given)) return given.toLowerCase()
  const ids = await list()
  if (given === 'last' && noun === 'run') {
    if (!ids[0]) throw new Problem('not_found', 'There is no run yet.')
    return ids[0]
  }
  const matching = ids.filter((id) => given.length >= 4 && id.endsWith(given.toLowerCase()))
  if (matching.length > 1) throw new Problem('invalid', `Several ${noun}s end in "${given}".`, `Give more of the id. ${command} --json shows whole ids.`)
  if (!matching[0]) throw new Problem('not_found', `No ${noun} "${given}" among the last ${ids.length}.`, `Give a whole id, or the end of one: ${command}`)
  return matching[0]
}
