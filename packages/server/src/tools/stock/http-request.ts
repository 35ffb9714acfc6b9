/** One HTTP request to a host that the agent may reach. Redirects of a GET are followed, each checked like the first. */
import type { Json } from '@longhaul/protocol'
import { serverTools } from '@longhaul/protocol'
import type { z } from 'zod'
import type { Egress } from '../egress/egress.ts'
import { failed, httpFailure, networkFailure } from '../failures.ts'

type HttpRequest = z.output<typeof serverTools.http_request.input>
type Use = { egress: Egress; hosts: readonly string[]; signal: AbortSignal; key: string }

const bytesMax = 2_000_000
const redirectsMax = 5
/** Decided by us or by the connection. */
const notTheirs = /^(host|content-length|connection|transfer-encoding|upgrade|proxy-.*|idempotency-key|cookie)$/i
const shownHeaders = ['content-type', 'location', 'retry-after', 'etag', 'last-modified', 'link']

export async function requestHttp({ method, url, headers = {}, body }: HttpRequest, use: Use): Promise<{ output: Json; origin: string }> {
  const bad = Object.keys(headers).find((name) => notTheirs.test(name))
  if (bad) throw failed('invalid', `The header ${bad} is not for a tool to set.`)
  const isSafe = method === 'GET' || method === 'HEAD'
  const init = {
    method,
    headers: { accept: '*/*', ...headers, 'user-agent': 'longhaul', ...(isSafe ? {} : { 'idempotency-key': use.key }) },
    ...(body !== undefined && !isSafe && { body }),
  }
  const { response, url: at } = await follow(url, init, use, isSafe)
  if (response.status === 429 || response.status === 503)
    throw httpFailure(response.status, at.hostname, { isRepeatable: isSafe, retryAfter: response.headers.get('retry-after'), detail: await readText(response) })
  const type = response.headers.get('content-type') ?? ''
  const text = await readText(response)
  const isText = /^(text\/|application\/([\w.+-]*(json|xml|javascript|yaml)|x-www-form-urlencoded))/i.test(type) || type === ''
  const found = Object.fromEntries(shownHeaders.flatMap((name) => (response.headers.has(name) ? [[name, response.headers.get(name)]] : []))) as Record<
    string,
    string
  >
  return {
    output: { status: response.status, headers: found, body: isText ? text : `[${type}, ${text.length} characters, which are not shown]` },
    origin: at.host,
  }
}

/** Sends it, and goes where redirects lead. Headers of the asker's do not leave the origin that they were meant for. */
export async function follow(
  given: string,
  init: { method: string; headers: Record<string, string>; body?: string },
  { egress, hosts, signal }: Use,
  isSafe: boolean,
): Promise<{ response: Response; url: URL }> {
  let url = egress.check(given, hosts)
  let headers = init.headers
  for (let hop = 0; ; hop++) {
    let response: Response
    try {
      response = await egress.fetch(url, { ...init, headers, signal }, { hosts, bytesMax })
    } catch (error) {
      if (signal.aborted) throw error
      throw networkFailure(error, url.hostname, isSafe) ?? error
    }
    const location = response.headers.get('location')
    if (!isSafe || location === null || response.status < 300 || response.status >= 400) return { response, url }
    await response.body?.cancel()
    if (hop === redirectsMax) throw failed('http_error', `${url.hostname} redirected more than ${redirectsMax} times.`)
    const next = egress.check(URL.canParse(location, url.href) ? new URL(location, url) : location, hosts)
    if (next.origin !== url.origin) headers = { accept: headers['accept'] ?? '*/*', 'user-agent': 'longhaul' }
    url = next
  }
}

const readText = (response: Response): Promise<string> => response.text()
