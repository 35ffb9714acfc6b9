/** Images at registries that the operator names, by the distribution protocol of the OCI. Only by digest: what a tag means changes. */
import { z } from 'zod'
import { AppError } from '../../kernel/index.ts'
import { type Descriptor, type ImageSource, documentBytesMax, manifestsAccepted, resolveImage } from './image-source.ts'

/** Host, with its port if it has one, and who asks there; nobody where it says nothing. */
export const Registries = z.record(
  z
    .string()
    .max(260)
    .regex(/^[a-z0-9.-]+(:\d{1,5})?$/, 'must be a host, such as registry.example.com or localhost:5000'),
  z.strictObject({ username: z.string().min(1).max(1_000), password: z.string().min(1).max(10_000) }).partial(),
)
export type Registries = z.output<typeof Registries>

export type Reference = { registry: string; name: string; digest: string }
export const referenceOf = (image: string): Reference | undefined => {
  const [, registry, name, digest] = /^([^/@]+)\/([^@]+)@(sha256:[0-9a-f]{64})$/.exec(image) ?? []
  return registry !== undefined && name !== undefined && digest !== undefined ? { registry, name, digest } : undefined
}

/** Of one blob, to its last byte. */
const blobMsMax = 1_800_000
const redirectsMax = 5
const tokenBytesMax = 100_000

/** Throws `invalid` where the registry is none of the operator's, or does not give the image; `unavailable` where it does not answer. */
export async function fetchImage({ registry, name, digest }: Reference, registries: Registries): Promise<ImageSource> {
  const credentials = registries[registry]
  if (!credentials)
    throw refused(
      `the operator of this server names no registry ${registry}. There ${Object.keys(registries).length === 0 ? 'is none' : `are: ${Object.keys(registries).join(', ')}`} (LONGHAUL_SANDBOX_IMAGE_REGISTRIES)`,
    )
  const { username, password } = credentials
  const basic = username === undefined || password === undefined ? undefined : `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`
  const isOwn = isLoopback(registry)
  const base = `${isOwn ? 'http' : 'https'}://${registry}/v2/${name}`
  let authorization = basic

  async function get(url: string, accept: string): Promise<Response> {
    const first = await follow(url, accept, authorization, isOwn)
    if (first.status !== 401) return first
    await first.body?.cancel()
    authorization = await tokenFor(first.headers.get('www-authenticate') ?? '', { name, basic, isOwn })
    return follow(url, accept, authorization, isOwn)
  }

  async function* read({ digest: wanted, size }: Descriptor, kind: 'manifest' | 'blob'): AsyncGenerator<Buffer> {
    const response = await get(`${base}/${kind}s/${wanted}`, kind === 'manifest' ? manifestsAccepted : '*/*')
    if (!response.ok || !response.body) {
      await response.body?.cancel()
      const what = `${registry} answers ${response.status} for the ${kind} ${wanted} of ${name}`
      throw response.status >= 500 || response.status === 429 ? away(what) : refused(what)
    }
    const bytesMax = kind === 'manifest' ? documentBytesMax : size
    let bytes = 0
    try {
      for await (const piece of response.body) {
        bytes += piece.length
        if (bytes > bytesMax) throw refused(`${registry} sends more than it says of ${wanted}`)
        yield Buffer.from(piece)
      }
    } catch (error) {
      throw error instanceof AppError ? error : away(`${registry} broke off in the middle of ${wanted}`, error)
    }
  }

  return { ...(await resolveImage({ read }, [{ mediaType: '', digest, size: 0 }])), id: digest }
}

/** Elsewhere the registry's word is taken only in encrypted form, and what it was told stays with it. */
async function follow(url: string, accept: string, authorization: string | undefined, isOwn: boolean): Promise<Response> {
  let at = new URL(url)
  const { origin } = at
  for (let left = redirectsMax; left >= 0; left--) {
    assertEncrypted(at, isOwn)
    const headers = { accept, ...(authorization !== undefined && at.origin === origin && { authorization }) }
    const response = await asked(at, headers)
    const location = response.status >= 300 && response.status < 400 ? response.headers.get('location') : null
    if (location === null) return response
    await response.body?.cancel()
    at = new URL(location, at)
  }
  throw refused(`${new URL(url).host} sends from one address to the next`)
}

async function tokenFor(challenge: string, { name, basic, isOwn }: { name: string; basic: string | undefined; isOwn: boolean }): Promise<string> {
  const parameter = (key: string) => new RegExp(`\\b${key}="([^"]*)"`).exec(challenge)?.[1]
  const realm = parameter('realm')
  if (!/^Bearer /i.test(challenge) || realm === undefined || !URL.canParse(realm))
    throw refused('its registry wants to be asked in a way that is not known here')
  const url = new URL(realm)
  assertEncrypted(url, isOwn)
  url.searchParams.set('scope', `repository:${name}:pull`)
  const service = parameter('service')
  if (service !== undefined) url.searchParams.set('service', service)
  const response = await asked(url, basic === undefined ? {} : { authorization: basic })
  const text = (await response.text()).slice(0, tokenBytesMax)
  if (!response.ok) throw response.status >= 500 ? away(`${url.host} answers ${response.status}`) : refused(`${url.host} gives no token: ${response.status}`)
  const { token, access_token: other } = z.object({ token: z.string().optional(), access_token: z.string().optional() }).catch({}).parse(jsonOf(text))
  const given = token ?? other
  if (given === undefined) throw refused(`${url.host} gives no token`)
  return `Bearer ${given}`
}

async function asked(url: URL, headers: Record<string, string>): Promise<Response> {
  const late = AbortSignal.timeout(blobMsMax)
  try {
    return await fetch(url, { headers, redirect: 'manual', signal: late })
  } catch (cause) {
    throw away(`${url.host} does not answer`, cause)
  }
}

function assertEncrypted(url: URL, isOwn: boolean): void {
  if (url.protocol === 'https:' || (isOwn && url.protocol === 'http:' && isLoopback(url.host))) return
  throw refused(`its registry sends to ${url.protocol}//${url.host}, which is not encrypted`)
}

const isLoopback = (host: string): boolean => /^(localhost|127\.0\.0\.1)(:\d+)?$/.test(host)

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

const refused = (why: string) => new AppError('invalid', `The image is not taken: ${why}.`)
const away = (why: string, cause?: unknown) => new AppError('unavailable', `The image cannot be had now: ${why}.`, cause)
