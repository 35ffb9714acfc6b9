/** An OpenAPI document for a connection: fetched or read, checked, and what it says of where the API is and how one signs in to it. */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type Api, readApi } from '@longhaul/protocol'
import { parse } from 'yaml'
import { z } from 'zod'
import { Problem } from '../problem.ts'

const documentBytesMax = 5_000_000
const fetchMsMax = 30_000

export type ApiDocument = { text: string; format: 'json' | 'yaml'; api: Api; url: string | undefined; credential: Credential | undefined }
/** What goes along with each call. `whyNot`: nothing that a connection could send. */
export type Credential = { header: string; prefix: string; value: string; scopes: string[] } | { whyNot: string }

/** Throws a `Problem` with the remedy for what no connection can be made of. */
export async function openDocument(folder: string, from: string): Promise<ApiDocument> {
  const address = /^https?:\/\//i.test(from) ? from : undefined
  const text = address === undefined ? await readDocument(folder, from) : await fetchDocument(address)
  if (text.length > documentBytesMax) throw new Problem('too_large', `${from} has more than ${documentBytesMax} characters; at most so many are read.`)
  const { value, format } = parsed(text, from)
  const version = z.looseObject({ swagger: z.unknown().optional(), openapi: z.unknown().optional() }).safeParse(value).data
  if (version?.swagger !== undefined)
    throw new Problem(
      'invalid',
      `${from} is a document of version ${String(version.swagger)} (Swagger), and only OpenAPI 3 is read.`,
      'Convert it first: npx swagger2openapi --yaml --outfile openapi.yaml <file>',
    )
  if (version?.openapi === undefined)
    throw new Problem(
      'invalid',
      `${from} is no OpenAPI document: it does not begin with openapi: 3.x.`,
      'Give the document itself, not the page that shows it: often /openapi.json.',
    )
  const api = readOrSay(value, from)
  return { text, format, api, url: baseUrlOf(api.baseUrl, address), credential: credentialOf(value) }
}

async function readDocument(folder: string, file: string): Promise<string> {
  return readFile(resolve(folder, file), 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new Problem('not_found', `${file} cannot be read: ${error.code}.`, 'Give the path of an OpenAPI 3 document, or its https:// address.')
  })
}

async function fetchDocument(address: string): Promise<string> {
  const say = (what: string) => new Problem('unavailable', `${address} cannot be had: ${what}.`, 'Download it, and give the file.')
  const response = await fetch(address, { signal: AbortSignal.timeout(fetchMsMax), headers: { accept: 'application/json, application/yaml, */*' } }).catch(
    (error: Error) => {
      throw say(error.cause instanceof Error ? error.cause.message : error.message)
    },
  )
  if (!response.ok) throw say(`the server answered ${response.status}`)
  return response.text()
}

function parsed(text: string, from: string): { value: unknown; format: ApiDocument['format'] } {
  try {
    return { value: JSON.parse(text), format: 'json' }
  } catch {
    // YAML, then.
  }
  try {
    return { value: parse(text, { maxAliasCount: 1_000 }), format: 'yaml' }
  } catch (error) {
    throw new Problem('invalid', `${from} is neither JSON nor YAML: ${error instanceof Error ? (error.message.split('\n')[0] ?? '') : String(error)}`)
  }
}

function readOrSay(value: unknown, from: string): Api {
  let api: Api
  try {
    api = readApi(value)
  } catch (error) {
    throw new Problem('invalid', `${from} ${error instanceof Error ? error.message : String(error)}.`)
  }
  if (api.operations.length > 0) return api
  if (api.refused.length === 0) throw new Problem('invalid', `${from} has no operations: nothing in its paths could be a tool.`)
  throw new Problem('invalid', `None of the operations of ${from} can be a tool:`, ...api.refused.slice(0, 10).map(({ tool, why }) => `${tool}: ${why}`))
}

/** An address that calls can go to: the document's own, if need be held against the one that it came from. */
function baseUrlOf(given: string | undefined, address: string | undefined): string | undefined {
  const url = given !== undefined && URL.canParse(given, address) ? new URL(given, address) : undefined
  return url && /^https?:$/.test(url.protocol) && !/[{}]|%7B|%7D/i.test(url.href) ? url.href.replace(/\/$/, '') : undefined
}

const Requirement = z.record(z.string(), z.array(z.string()).catch([]))
const Scheme = z.looseObject({ type: z.string(), name: z.string().optional(), in: z.string().optional(), scheme: z.string().optional() })
const Secured = z.looseObject({
  security: z.array(Requirement).optional().catch(undefined),
  paths: z.record(z.string(), z.record(z.string(), z.unknown())).catch({}),
  components: z
    .looseObject({ securitySchemes: z.record(z.string(), Scheme).catch({}) })
    .optional()
    .catch(undefined),
})

/** What the document asks for: of all calls, or else of the first one that asks for something. Undefined when nothing asks. */
function credentialOf(document: unknown): Credential | undefined {
  const { security, paths, components } = Secured.parse(document)
  const ofOperations = Object.values(paths).flatMap((item) =>
    Object.values(item).flatMap((operation) => z.looseObject({ security: z.array(Requirement) }).safeParse(operation).data?.security ?? []),
  )
  const wanted = [...(security ?? []), ...ofOperations].filter((each) => Object.keys(each).length > 0)
  const found = wanted.map((each) => held(each, components?.securitySchemes ?? {}))
  return found.find((each) => 'header' in each) ?? found[0]
}

function held(requirement: z.infer<typeof Requirement>, schemes: Record<string, z.infer<typeof Scheme>>): Credential {
  const [[name, scopes] = ['', []], ...more] = Object.entries(requirement)
  const scheme = schemes[name]
  if (more.length > 0) return { whyNot: `it wants ${Object.keys(requirement).join(' and ')} together` }
  if (!scheme) return { whyNot: `it wants ${name}, which it does not describe` }
  if (scheme.type === 'apiKey' && scheme.in === 'header' && scheme.name !== undefined)
    return { header: scheme.name, prefix: '', value: 'the API key', scopes: [] }
  if (scheme.type === 'apiKey') return { whyNot: `it wants the key ${scheme.name ?? name} in the ${scheme.in ?? 'request'}, and only headers are sent` }
  if (scheme.type === 'http' && scheme.scheme?.toLowerCase() === 'bearer') return { header: 'authorization', prefix: 'Bearer ', value: 'the token', scopes: [] }
  if (scheme.type === 'http' && scheme.scheme?.toLowerCase() === 'basic')
    return { header: 'authorization', prefix: 'Basic ', value: 'user:password in base64', scopes: [] }
  if (scheme.type === 'oauth2' || scheme.type === 'openIdConnect')
    return { header: 'authorization', prefix: 'Bearer ', value: 'an access token of its OAuth', scopes }
  return { whyNot: `it wants ${name} of the kind ${scheme.type}${scheme.scheme === undefined ? '' : ` ${scheme.scheme}`}` }
}
