/** A page of the web as text. */
import { type Json, serverTools, visibleText } from '@longhaul/protocol'
import type { z } from 'zod'
import type { Egress } from '../egress/egress.ts'
import { failed, httpFailure } from '../failures.ts'
import { follow } from './http-request.ts'

/** Of one part of a page. */
const partLength = 20_000
/** Reading HTML takes memory and time in proportion. */
const htmlLengthMax = 2_000_000

export async function fetchPage(
  { url: given, from }: z.output<typeof serverTools.fetch_page.input>,
  use: { egress: Egress; hosts: readonly string[]; signal: AbortSignal; key: string },
): Promise<{ output: Json; origin: string }> {
  const headers = { accept: 'text/html, text/plain;q=0.9, */*;q=0.1', 'user-agent': 'longhaul' }
  const { response, url } = await follow(given, { method: 'GET', headers }, use, true)
  if (!response.ok) throw httpFailure(response.status, url.hostname, { isRepeatable: true, retryAfter: response.headers.get('retry-after') })
  const type = response.headers.get('content-type') ?? 'text/html'
  if (!/^(text\/|application\/(xhtml\+xml|json|xml))/i.test(type)) {
    await response.body?.cancel()
    throw failed('not_text', `${url.href} is ${type.slice(0, 100)}, not a page.`)
  }
  const source = await response.text()
  const isHtml = /html/i.test(type)
  const text = visibleText(isHtml ? await toText(source.slice(0, htmlLengthMax), url) : source)
  const title = isHtml ? titleOf(source) : null
  const part = text.slice(from, from + partLength)
  const rest = text.length - from - part.length
  return { output: { url: url.href, title, text: part, ...(rest > 0 && { goesOnAt: from + part.length, charactersLeft: rest }) }, origin: url.host }
}

async function toText(html: string, url: URL): Promise<string> {
  const { convert } = await import('html-to-text')
  return convert(html, {
    wordwrap: false,
    limits: { maxInputLength: htmlLengthMax, maxDepth: 200, maxChildNodes: 20_000 },
    selectors: [
      { selector: 'a', options: { baseUrl: url.origin, ignoreHref: false, noAnchorUrl: true, hideLinkHrefIfSameAsText: true } },
      ...['img', 'svg', 'nav', 'script', 'style', 'noscript', 'template', 'form'].map((selector) => ({ selector, format: 'skip' })),
    ],
  })
}

const titleOf = (html: string): string | null => {
  const found = /<title[^>]*>([^<]{1,500})<\/title/i.exec(html.slice(0, 200_000))?.[1]
  return found === undefined ? null : visibleText(found.trim())
}
