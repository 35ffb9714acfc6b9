import { z } from 'zod'

/** Fields of every list request. `cursor` is opaque: give back what the last page's `next` was. */
export const PageInput = { limit: z.coerce.number().int().min(1).max(200).default(50), cursor: z.string().max(500).optional() }
export const pageOf = <Item extends z.ZodType>(item: Item) => z.object({ items: z.array(item), next: z.string().nullable() })
