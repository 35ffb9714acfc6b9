import { type Models, usualModels } from '../models.ts'
import type { Vendor } from './face.ts'

type Listing = { id: string | undefined; vendor: Vendor; names(): Promise<readonly string[]>; models: Models; tenantId: string }

/** When the list was made has no meaning here, and clients want a date. */
const created = Date.parse('2026-01-01T00:00:00Z')

/** Routes, `default`, and the usual model of each provider. Any other model of a provider can be asked for as well, so one that is asked for by name is there if it can be resolved. */
export async function listModels({ id, vendor, names, models, tenantId }: Listing): Promise<object> {
  const describe: (id: string) => { id: string } = vendor === 'openai' ? ofOpenAi : ofAnthropic
  if (id !== undefined) {
    const known = await names()
    if (!known.includes(id)) await models.resolve(id, { tenantId })
    return describe(id)
  }
  const all = [...new Set([...(await names()), ...usualModels(await models.providersOf(tenantId))])].map(describe)
  if (vendor === 'openai') return { object: 'list', data: all }
  return { data: all, has_more: false, first_id: all[0]?.id ?? null, last_id: all.at(-1)?.id ?? null }
}

const ofOpenAi = (id: string) => ({ id, object: 'model', created: created / 1000, owned_by: id.includes('/') ? id.slice(0, id.indexOf('/')) : 'longhaul' })
const ofAnthropic = (id: string) => ({ type: 'model', id, display_name: id, created_at: new Date(created).toISOString() })
