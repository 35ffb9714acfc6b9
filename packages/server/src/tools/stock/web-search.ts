/** A search of the web by whichever provider the operator has chosen. */
import { type Json, serverTools, shorten, visibleText } from '@longhaul/protocol'
import { z } from 'zod'
import type { Egress } from '../egress/egress.ts'
import { failed, httpFailure, networkFailure } from '../failures.ts'

export const searchProviders = ['brave', 'tavily', 'searxng'] as const
export type SearchSettings = { provider: (typeof searchProviders)[number]; apiKey?: string | undefined; baseUrl?: string | undefined }

type Query = z.output<typeof serverTools.web_search.input>
type Found = { title: string; url: string; excerpt: string }
type Adapter = { baseUrl: string | undefined; ask(query: Query, key: string): { path: string; init: RequestInit }; read(body: unknown): Found[] }

const text = z.string().default('')
const Brave = z.object({ web: z.object({ results: z.array(z.object({ title: text, url: z.string(), description: text })) }).optional() })
const Tavily = z.object({ results: z.array(z.object({ title: text, url: z.string(), content: text })) })

/** Each as its own documentation has it: Brave's web search, Tavily's search, SearXNG's JSON format. */
const adapters: Record<SearchSettings['provider'], Adapter> = {
  brave: {
    baseUrl: 'https://api.search.brave.com',
    ask: ({ query, count }, key) => ({
      path: `/res/v1/web/search?${new URLSearchParams({ q: query, count: String(count) })}`,
      init: { headers: { accept: 'application/json', 'x-subscription-token': key } },
    }),
    read: (body) => (Brave.parse(body).web?.results ?? []).map(({ title, url, description }) => ({ title, url, excerpt: description })),
  },
  tavily: {
    baseUrl: 'https://api.tavily.com',
    ask: ({ query, count }, key) => ({
      path: '/search',
      init: {
        method: 'POST',
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
        body: JSON.stringify({ query, max_results: count }),
      },
    }),
    read: (body) => Tavily.parse(body).results.map(({ title, url, content }) => ({ title, url, excerpt: content })),
  },
  searxng: {
    baseUrl: undefined,
    ask: ({ query }) => ({ path: `/search?${new URLSearchParams({ q: query, format: 'json' })}`, init: { headers: { accept: 'application/json' } } }),
    read: (body) => Tavily.parse(body).results.map(({ title, url, content }) => ({ title, url, excerpt: content })),
  },
}

export async function searchWeb(
  query: Query,
  { egress, signal, search }: { egress: Egress; signal: AbortSignal; search: SearchSettings | undefined },
): Promise<{ output: Json; origin: string }> {
  if (!search)
    throw failed(
      'not_configured',
      `No search provider is configured. Set LONGHAUL_SEARCH_PROVIDER to one of ${searchProviders.join(', ')}, and LONGHAUL_SEARCH_API_KEY.`,
    )
  const adapter = adapters[search.provider]
  const { path, init } = adapter.ask(query, search.apiKey ?? '')
  const url = new URL(path, search.baseUrl ?? adapter.baseUrl)
  const who = `The search provider ${search.provider}`
  try {
    const response = await egress.fetch(url, { ...init, signal }, { hosts: [url.hostname], bytesMax: 2_000_000 })
    if (!response.ok) throw httpFailure(response.status, who, { isRepeatable: true, retryAfter: response.headers.get('retry-after') })
    const found = adapter.read(await response.json()).slice(0, query.count)
    return {
      output: found.map(({ title, url: at, excerpt }) => ({ title: tidied(title, 300), url: at.slice(0, 2_000), excerpt: tidied(excerpt, 1_000) })),
      origin: url.host,
    }
  } catch (error) {
    if (signal.aborted) throw error
    if (error instanceof z.ZodError || error instanceof SyntaxError)
      throw failed('bad_answer', `${who} answered something else than its documentation says.`, false, error)
    throw networkFailure(error, who, true) ?? error
  }
}

/** Without the tags that mark what was searched for. */
const tidied = (given: string, max: number): string => shorten(visibleText(given.replaceAll(/<\/?(strong|b|em|mark)>/g, '')), max)
