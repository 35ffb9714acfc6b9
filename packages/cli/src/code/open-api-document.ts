/** An OpenAPI document for a connection: fetched or read, checked, and what it says of where the API is. */
import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { type Api, readApi } from '@longhaul/protocol'
import { parse } from 'yaml'
import { z } from 'zod'
import { Problem } from '../problem.ts'
import { type Choice, type Credential, credentialOf } from './api-credential.ts'

const documentBytesMax = 5_000_000
const fetchMsMax = 30_000

export type ApiDocument = { text: string; format: 'json' | 'yaml'; api: Api; url: string | undefined; credential: Credential | undefined }
/** Throws a `Problem` with the remedy for what no connection can be made of. */
export async function openDocument(folder: string, from: string, choice: Choice & { only?: readonly string[] | undefined } = {}): Promise<ApiDocument> {
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
  const operations = api.operations.filter(({ id }) => choice.only?.includes(id) ?? true)
  return { text, format, api, url: baseUrlOf(api.baseUrl, address), credential: credentialOf(value, choice, { from, address, operations }) }
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
