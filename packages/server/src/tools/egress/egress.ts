/**
 * The tools' way out: one request to a host that may be reached. The name is resolved once, the addresses are checked, and what was
 * checked is dialled, so a name that points elsewhere a moment later gains nothing.
 */
import { lookup } from 'node:dns'
import { type LookupFunction, isIP } from 'node:net'
import type { Dispatcher } from 'undici'
import { StepFailure } from '../../kernel/index.ts'
import { isPublicAddress } from './addresses.ts'
import { isAllowedHost, isOpened } from './hosts.ts'

export type EgressRules = {
  /** Who may be reached: patterns of hosts. */
  hosts: readonly string[]
  /** Of the response, unpacked. */
  bytesMax: number
  /** It stays open while nothing is asked, so it takes no connection away from others. */
  isStream?: boolean | undefined
}

export type Egress = {
  /** One request and its response; a redirect is a response like any other. Rejects with a `StepFailure` for what is refused, and whatever `fetch` throws. */
  fetch(url: string | URL, init: RequestInit, rules: EgressRules): Promise<Response>
  /** The URL, if these rules let it through. Throws a `StepFailure` with cause and remedy. */
  check(url: string | URL, hosts: readonly string[]): URL
  /** For what speaks no HTTP: resolves a host that may be reached, as the connection's own look-up. Throws a `StepFailure` for what is refused. */
  lookupFor(host: string, port: number, hosts: readonly string[]): LookupFunction
  stop(): Promise<void>
}

/** Node's `fetch`, which is the library's, given a dispatcher of the library's. */
type Fetch = (url: URL, init: object) => Promise<Response>

type Dispatchers = { requests: Dispatcher; streams: Dispatcher }

const connectMsMax = 10_000
const silenceMsMax = 300_000

type Options = {
  privateHosts: readonly string[]
  /** Where an operator opens private hosts. */
  setting?: string
  resolve?: LookupFunction
}

export function openEgress({ privateHosts, setting = 'LONGHAUL_TOOLS_PRIVATE_HOSTS', resolve = lookup as LookupFunction }: Options): Egress {
  const privateAddress = (host: string) =>
    refused(`${host} is not on the public internet. An operator can open it with ${setting}, if it is meant to be reached.`)

  let agents: Promise<{ open: Dispatchers; guarded: Dispatchers; fetch: Fetch }> | undefined

  const check: Egress['check'] = (given, hosts) => {
    if (!URL.canParse(String(given))) throw refused(`${JSON.stringify(String(given).slice(0, 200))} is no address.`)
    const url = new URL(given)
    if (url.protocol !== 'http:' && url.protocol !== 'https:') throw refused(`Only http and https are spoken, not ${url.protocol.slice(0, 20)}.`)
    if (url.username || url.password) throw refused('An address with a name or password in it is refused.')
    if (!isAllowedHost(hosts, url.hostname)) throw refused(`The host ${url.hostname} may not be reached. Allowed: ${hosts.join(', ') || 'none'}.`)
    const literal = url.hostname.replace(/^\[(.*)\]$/, '$1')
    // A literal is dialled without being resolved, so it is checked here.
    if (isIP(literal) && !isPublicAddress(literal) && !isOpened(privateHosts, url)) throw privateAddress(url.hostname)
    return url
  }

  const guardedLookup: LookupFunction = (hostname, options, callback) =>
    resolve(hostname, { ...options, all: true }, (error, found) => {
      if (error) return callback(error, '', 0)
      const addresses = Array.isArray(found) ? found : [{ address: found, family: isIP(found) }]
      // One private address among public ones is an attack or a mistake: nothing is dialled then.
      if (addresses.length === 0 || addresses.some(({ address }) => !isPublicAddress(address))) return callback(privateAddress(hostname), '', 0)
      return options.all ? callback(null, addresses) : callback(null, addresses[0]?.address ?? '', addresses[0]?.family ?? 4)
    })

  const load = () =>
    (agents ??= import('undici').then(({ Agent, fetch }) => {
      const agent = (connect: object, connections: number | null) =>
        new Agent({ allowH2: false, headersTimeout: silenceMsMax, bodyTimeout: silenceMsMax, connections, connect: { timeout: connectMsMax, ...connect } })
      const make = (connect: object) => ({ requests: agent(connect, 32), streams: agent(connect, null) })
      return { open: make({}), guarded: make({ lookup: guardedLookup }), fetch: fetch as unknown as Fetch } // The same library, under two names of its types.
    }))

  return {
    check,
    lookupFor(host, port, hosts) {
      const url = check(`http://${host.includes(':') ? `[${host}]` : host}:${port}`, hosts)
      return isOpened(privateHosts, url) ? resolve : guardedLookup
    },
    async fetch(given, init, { hosts, bytesMax, isStream = false }) {
      const url = check(given, hosts)
      const { open, guarded, fetch } = await load()
      const { requests, streams } = isOpened(privateHosts, url) ? open : guarded
      const options = { ...init, redirect: 'manual' as const, dispatcher: isStream ? streams : requests }
      const response = await fetch(url, options).catch((error: unknown) => {
        throw error instanceof Error && error.cause instanceof StepFailure ? error.cause : error
      })
      return bounded(response, bytesMax)
    },
    async stop() {
      const loaded = await agents
      const dispatchers = [loaded?.open, loaded?.guarded].flatMap((of) => (of ? [of.requests, of.streams] : []))
      await Promise.all(dispatchers.map((one) => one.destroy()))
    },
  }
}

function bounded(response: Response, bytesMax: number): Response {
  if (!response.body) return response
  let bytes = 0
  const limit = new TransformStream<Uint8Array, Uint8Array>({
    transform(chunk, controller) {
      bytes += chunk.byteLength
      if (bytes > bytesMax)
        controller.error(new StepFailure({ message: `The response is larger than ${bytesMax} bytes.`, code: 'too_large', retryable: false }))
      else controller.enqueue(chunk)
    },
  })
  return new Response(response.body.pipeThrough(limit), { status: response.status, statusText: response.statusText, headers: response.headers })
}

const refused = (message: string) => new StepFailure({ message, code: 'host_refused', retryable: false })
