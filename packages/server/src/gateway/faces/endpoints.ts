/** The addresses of the faces. Official clients work with their base URL set to `…/openai/v1` or `…/anthropic`. */
import type { FaceName, Vendor } from './face.ts'
import { refuse } from './request-body.ts'

export type Endpoint =
  | { type: 'call'; face: FaceName }
  /** How many tokens a request would be. */
  | { type: 'count'; face: 'messages' }
  | { type: 'models'; vendor: Vendor; id: string | undefined }

const calls: Record<string, Endpoint> = {
  '/openai/v1/chat/completions': { type: 'call', face: 'chat' },
  '/openai/v1/responses': { type: 'call', face: 'responses' },
  '/openai/v1/embeddings': { type: 'call', face: 'embeddings' },
  '/anthropic/v1/messages': { type: 'call', face: 'messages' },
  '/anthropic/v1/messages/count_tokens': { type: 'count', face: 'messages' },
}

export const ownsPath = (path: string): boolean => path.startsWith('/openai/') || path.startsWith('/anthropic/')

/** Throws when there is nothing at that address. A query changes nothing: clients add `?beta=true`. */
export function findEndpoint(method: string, url: string): Endpoint {
  const path = url.split('?', 1)[0] ?? ''
  const call = Object.hasOwn(calls, path) ? calls[path] : undefined
  if (call && method === 'POST') return call
  const [, vendor, id] = /^\/(openai|anthropic)\/v1\/models(?:\/(.+))?$/.exec(path) ?? []
  if (!call && vendor === undefined) {
    throw refuse(
      'no_such_address',
      `There is nothing at ${path.slice(0, 200)}. Here are: ${Object.keys(calls).join(', ')}, /openai/v1/models, /anthropic/v1/models.`,
    )
  }
  const expected = call ? 'POST' : 'GET'
  if (method !== expected) throw refuse('no_such_method', `${method} is not offered at ${path.slice(0, 200)}. Use ${expected}.`)
  return { type: 'models', vendor: vendor as Vendor, id: id === undefined ? undefined : decoded(id) } // One of the two that the pattern knows.
}

function decoded(id: string): string {
  try {
    return decodeURIComponent(id)
  } catch {
    return id // Not encoded, so it is meant as it stands.
  }
}
