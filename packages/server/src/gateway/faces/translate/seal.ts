/**
 * What a model wants to see again with its own reasoning (a signature, or the reasoning itself, encrypted), packed into the one text that
 * the caller's language has for such a thing. Only the model that gave it gets it back.
 */
import type { SharedV4ProviderMetadata, SharedV4ProviderOptions } from '@ai-sdk/provider'
import { z } from 'zod'
import type { AssistantPart } from './content.ts'

const prefix = 'lh1.'
const Sealed = z.object({
  model: z.string(),
  isOfCall: z.literal(true).optional(),
  notes: z.record(z.string(), z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()]))),
})

/** `isOfCall`: what goes with the call of a tool that comes next. */
export function seal(model: string, metadata: SharedV4ProviderMetadata | undefined, isOfCall?: true): string | undefined {
  if (!metadata || Object.keys(metadata).length === 0) return undefined
  return prefix + Buffer.from(JSON.stringify({ model, isOfCall, notes: metadata })).toString('base64url')
}

/** Google signs calls of tools, for which the callers' languages have no place: the signature travels as a thought without words before its call. */
export const isSignatureOfCall = (metadata: SharedV4ProviderMetadata | undefined): boolean =>
  Object.values(metadata ?? {}).some((notes) => 'thoughtSignature' in notes)

const ofCall = { longhaul: { isOfCall: true } }

/** With signatures where their calls are. */
export function signedCalls(parts: readonly AssistantPart[]): AssistantPart[] {
  let signature: SharedV4ProviderOptions | undefined
  return parts.flatMap((part): AssistantPart[] => {
    if (part.type === 'reasoning' && part.providerOptions?.['longhaul']?.['isOfCall'] === true) {
      const { longhaul: _, ...notes } = part.providerOptions
      signature = notes
      return []
    }
    if (part.type !== 'tool-call' || !signature) return [part]
    const signed = { ...part, providerOptions: signature }
    signature = undefined
    return [signed]
  })
}

/** Undefined when another model sealed it, or it is not ours: then the reasoning is left out, as providers demand. */
export function unseal(model: string, text: unknown): SharedV4ProviderOptions | undefined {
  if (typeof text !== 'string' || !text.startsWith(prefix)) return undefined
  try {
    const { data } = Sealed.safeParse(JSON.parse(Buffer.from(text.slice(prefix.length), 'base64url').toString('utf8')))
    if (data?.model !== model) return undefined
    return data.isOfCall ? { ...data.notes, ...ofCall } : data.notes
  } catch {
    return undefined // Not ours: somebody else's signature may begin like it.
  }
}
