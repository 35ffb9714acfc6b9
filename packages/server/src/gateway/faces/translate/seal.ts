/**
 * What a model wants to see again with its own reasoning (a signature, or the reasoning itself, encrypted), packed into the one text that
 * the caller's language has for such a thing. Only the model that gave it gets it back.
 */
import type { SharedV4ProviderMetadata, SharedV4ProviderOptions } from '@ai-sdk/provider'
import { z } from 'zod'

const prefix = 'lh1.'
const Sealed = z.object({ model: z.string(), notes: z.record(z.string(), z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]))) })

export function seal(model: string, metadata: SharedV4ProviderMetadata | undefined): string | undefined {
  if (!metadata || Object.keys(metadata).length === 0) return undefined
  return prefix + Buffer.from(JSON.stringify({ model, notes: metadata })).toString('base64url')
}

/** Undefined when another model sealed it, or it is not ours: then the reasoning is left out, as providers demand. */
export function unseal(model: string, text: unknown): SharedV4ProviderOptions | undefined {
  if (typeof text !== 'string' || !text.startsWith(prefix)) return undefined
  try {
    const { data } = Sealed.safeParse(JSON.parse(Buffer.from(text.slice(prefix.length), 'base64url').toString('utf8')))
    return data?.model === model ? data.notes : undefined
  } catch {
    return undefined // Not ours: somebody else's signature may begin like it.
  }
}
