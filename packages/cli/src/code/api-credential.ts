/** How one signs in to an API, as its OpenAPI document says: what goes along with each call, and where it comes from. */
import { z } from 'zod'
import { Problem } from '../problem.ts'

/** How a token of OAuth is had. `token`: somebody has one, and sets it as a secret. */
export const flows = ['client-credentials', 'authorization-code', 'token'] as const
export type Flow = (typeof flows)[number]

/** Which of the document's schemes, by name, and how its token is had where it is one of OAuth. */
export type Choice = { auth?: string | undefined; flow?: Flow | undefined }

/** Where tokens come from, as a declaration says it. */
export type Addresses = { issuer: string } | { tokenUrl: string; authorizationUrl?: string; refreshUrl?: string }
/** `scheme`: its name in the document, and `others` those of the schemes that would do as well. `whyNot`: nothing that a connection could send. */
export type Credential = { scheme: string; others: string[] } & (
  | { kind: 'header'; header: string; prefix: string; value: string; scopes: string[] }
  | { kind: 'oauth'; flow: Exclude<Flow, 'token'>; addresses: Addresses; scopes: string[]; otherFlows: Flow[] }
  | { kind: 'none'; whyNot: string }
)

const Requirement = z.record(z.string(), z.array(z.string()).catch([]))
const OauthFlow = z
  .looseObject({ authorizationUrl: z.string().optional(), tokenUrl: z.string().optional(), refreshUrl: z.string().optional() })
  .optional()
  .catch(undefined)
const Scheme = z.looseObject({
  type: z.string(),
  name: z.string().optional(),
  in: z.string().optional(),
  scheme: z.string().optional(),
  openIdConnectUrl: z.string().optional(),
  flows: z.looseObject({ clientCredentials: OauthFlow, authorizationCode: OauthFlow }).optional().catch(undefined),
})
type Scheme = z.infer<typeof Scheme>
const Operation = z.looseObject({ security: z.array(Requirement).optional().catch(undefined) }).catch({ security: undefined })
const Secured = z.looseObject({
  security: z.array(Requirement).optional().catch(undefined),
  paths: z.record(z.string(), z.record(z.string(), z.unknown())).catch({}),
  components: z
    .looseObject({ securitySchemes: z.record(z.string(), Scheme).catch({}) })
    .optional()
    .catch(undefined),
})

type Source = {
  from: string
  /** Where it was fetched from, for addresses that are relative to it. */
  address: string | undefined
  /** Those that become tools. */
  operations: readonly { method: string; path: string }[]
}

/** What the document asks for: of all calls, or else of the first one that asks for something. Undefined when nothing asks. Throws a `Problem` for a choice that is not there. */
export function credentialOf(document: unknown, { auth, flow }: Choice, { from, address, operations }: Source): Credential | undefined {
  const { security, paths, components } = Secured.parse(document)
  const schemes = components?.securitySchemes ?? {}
  const ofOperations = operations.map(({ method, path }) => Operation.parse(paths[path]?.[method.toLowerCase()]).security ?? security ?? [])
  const wanted = [...(security ?? []), ...ofOperations.flat()].filter((each) => Object.keys(each).length > 0)
  // Alternatives of one call are as good as each other, so no more is asked for than the first of them.
  const scopesOf = (name: string) => [...new Set(ofOperations.flatMap((alternatives) => alternatives.find((each) => Object.hasOwn(each, name))?.[name] ?? []))]
  const read = (names: readonly string[]) => held(names, { schemes, scopesOf, flow, address })
  const readable = wanted.map((each) => read(Object.keys(each)))
  const others = [...new Set(readable.flatMap(({ kind, scheme }) => (kind === 'none' ? [] : [scheme])))]
  if (auth !== undefined) assertDescribed(auth, schemes, from)
  const all = auth === undefined ? readable : [read([auth])]
  const found = all.find(({ kind }) => kind !== 'none') ?? all[0]
  if (flow !== undefined && (found?.kind === 'none' || !found || !isFlow(found, flow)))
    throw new Problem(
      'invalid',
      `${from} does not describe OAuth in which the flow ${flow} could be used${auth === undefined ? '' : ` as ${auth}`}.`,
      found?.kind === 'oauth' ? `There is: --flow ${found.flow}` : 'Leave --flow away.',
    )
  return found && { ...found, others: others.filter((name) => name !== found.scheme) }
}

const isFlow = (found: Read, flow: Flow): boolean =>
  found.kind === 'oauth' ? found.flow === flow : found.kind === 'header' && found.value === accessToken && flow === 'token'

function assertDescribed(auth: string, schemes: Record<string, Scheme>, from: string): void {
  if (Object.hasOwn(schemes, auth)) return
  const names = Object.keys(schemes).slice(0, 10).join(', ')
  throw new Problem('not_found', `${from} describes no ${auth} that one could sign in with.`, `There are: ${names || 'none'}`)
}

type Read = Credential extends infer One ? (One extends Credential ? Omit<One, 'others'> : never) : never

const accessToken = 'an access token of its OAuth'

type Known = { schemes: Record<string, Scheme>; scopesOf(name: string): string[]; flow: Flow | undefined; address: string | undefined }

/** `names`: of schemes that are wanted together. */
function held([name = '', ...more]: readonly string[], { schemes, scopesOf, flow, address }: Known): Read {
  const scopes = scopesOf(name)
  const found = Object.hasOwn(schemes, name) ? schemes[name] : undefined
  const none = (whyNot: string): Read => ({ scheme: name, kind: 'none', whyNot })
  const header = (header: string, prefix: string, value: string, scopes: string[] = []): Read => ({
    scheme: name,
    kind: 'header',
    header,
    prefix,
    value,
    scopes,
  })
  if (more.length > 0) return none(`it wants ${[name, ...more].join(' and ')} together`)
  if (!found) return none(`it wants ${name}, which it does not describe`)
  const { type, name: key = '', in: place = 'request', scheme = '' } = found
  if (type === 'apiKey' && place === 'header' && key !== '') return header(key, '', 'the API key')
  if (type === 'apiKey' && place === 'cookie' && /^[\w.-]{1,39}$/.test(key)) return header('Cookie', `${key}=`, `the API key, as the cookie ${key}`)
  if (type === 'apiKey')
    return none(`it wants the key ${key || name} in the ${place}, and only headers are sent: what stands in an address ends up in logs along the way`)
  if (type === 'http' && scheme.toLowerCase() === 'bearer') return header('authorization', 'Bearer ', 'the token')
  if (type === 'http' && scheme.toLowerCase() === 'basic') return header('authorization', 'Basic ', 'user:password in base64')
  if (type === 'openIdConnect' || type === 'oauth2') {
    const ways = waysOf(found, address)
    const [usual] = ways
    const way = flow === undefined ? usual : ways.find((each) => each.flow === flow)
    if (!way || flow === 'token') return header('authorization', 'Bearer ', accessToken, scopes)
    const otherFlows = ways.map((each) => each.flow).filter((each) => each !== way.flow)
    return { scheme: name, kind: 'oauth', ...way, scopes, otherFlows }
  }
  return none(`it wants ${name} of the kind ${type}${scheme === '' ? '' : ` ${scheme}`}`)
}

type Way = { flow: Exclude<Flow, 'token'>; addresses: Addresses }

/** How the server could have tokens by itself. An agent that is a client of its own needs nobody, so that comes first. */
function waysOf({ type, openIdConnectUrl, flows }: Scheme, address: string | undefined): Way[] {
  if (type === 'openIdConnect') {
    const url = secureUrl(openIdConnectUrl, address)
    const issuer = url && /^(.+?)\/?\.well-known\/openid-configuration$/.exec(url)?.[1]
    return issuer === undefined ? [] : (['authorization-code', 'client-credentials'] as const).map((flow) => ({ flow, addresses: { issuer } }))
  }
  const { clientCredentials: own, authorizationCode: byPerson } = flows ?? {}
  const ways: Way[] = []
  const ownTokenUrl = secureUrl(own?.tokenUrl, address)
  if (ownTokenUrl !== undefined) ways.push({ flow: 'client-credentials', addresses: { tokenUrl: ownTokenUrl } })
  const [tokenUrl, authorizationUrl, refreshUrl] = [byPerson?.tokenUrl, byPerson?.authorizationUrl, byPerson?.refreshUrl].map((url) => secureUrl(url, address))
  if (tokenUrl !== undefined && authorizationUrl !== undefined) {
    const addresses = { authorizationUrl, tokenUrl, ...(refreshUrl !== undefined && refreshUrl !== tokenUrl && { refreshUrl }) }
    ways.push({ flow: 'authorization-code', addresses })
  }
  return ways
}

/** An address that a secret may be sent to: by https, or on this machine. */
function secureUrl(given: string | undefined, address: string | undefined): string | undefined {
  if (given === undefined || !URL.canParse(given, address)) return undefined
  const url = new URL(given, address)
  return url.protocol === 'https:' || (url.protocol === 'http:' && /^(localhost|127\.0\.0\.1|\[::1\])$/.test(url.hostname)) ? url.href : undefined
}
