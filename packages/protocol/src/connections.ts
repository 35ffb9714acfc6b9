/** Connections: how an agent's folder declares where tools come from. Secrets are named here and held by the server alone. */
import { z } from 'zod'
import { egressRuleFields } from './egress.ts'

/** Also the beginning of its tools' names: the model sees `<connection>__<tool>`. */
export const ConnectionName = z
  .string()
  .max(32)
  .regex(/^[a-z][a-z0-9-]*$/, 'must be lower-case letters, digits and hyphens, and begin with a letter')

/** Of one connection. More are not offered. */
export const connectionToolsMax = 100

/** A prompt of a connection's tool server that a person has chosen, with what they fill in. */
export const PromptChoice = z.strictObject({
  connection: ConnectionName,
  name: z.string().min(1).max(200),
  arguments: z.record(z.string().max(200), z.string().max(10_000)).default({}),
})
export type PromptChoice = z.infer<typeof PromptChoice>

/** A secret of the tenant, which the server alone can read. */
export const SecretName = z
  .string()
  .max(64)
  .regex(/^[A-Za-z0-9][A-Za-z0-9_-]*$/, 'must be letters, digits, "_" and "-", and begin with a letter or digit')
/** A PostgreSQL database that the stock tool `sql` reads. */
export const Database = z.strictObject({
  /** The stored secret that is its address, with user and password: `postgres://reader:…@db.example.com/shop`. Its hosts say where it may be used. */
  secret: SecretName,
  /** How long one query may take, by the database's own clock. */
  timeoutMs: z.number().int().min(100).max(600_000).default(30_000),
  /** Rows of one query that the model gets. */
  rowsMax: z.number().int().min(1).max(1_000).default(100),
})
export type Database = z.infer<typeof Database>

/** A calendar that the stock tool `free_time` reads. */
export const CalendarFeed = z.strictObject({
  /** The stored secret that is its address: a feed of events or of busy times in iCalendar, `https://calendar.example.com/…/basic.ics`. Its hosts say where it may be used. */
  secret: SecretName,
  /** Whether the model gets what its events are called, and when they are. Otherwise it hears only when all are free. */
  showsTitles: z.boolean().default(false),
})
export type CalendarFeed = z.infer<typeof CalendarFeed>

export const SecretRef = z.strictObject({ secret: SecretName, prefix: z.string().max(40).default('') })

const HeaderName = z
  .string()
  .max(100)
  .regex(/^[A-Za-z0-9-]+$/, 'must be the name of a header')
const headers = z.record(HeaderName, z.union([z.string().max(2_000), SecretRef])).default({})

const url = z
  .url({ protocol: /^https?$/, error: 'must be an http:// or https:// address' })
  .max(2_000)
  .refine(
    (text) => !URL.canParse(text) || (new URL(text).username === '' && new URL(text).password === ''),
    'must hold no password: name a secret in `headers` instead',
  )

const shared = {
  /** Names at the tool server. Absent: all it has. */
  tools: z.array(z.string().min(1).max(128)).min(1).max(128).optional(),
  timeoutMs: z.number().int().min(100).max(3_600_000).default(60_000),
  /** Runs go on without its tools while it is away and was never seen. */
  isOptional: z.boolean().default(false),
}

const ClientId = z.string().min(1).max(300)
const Scope = z.string().max(1_000)
/** Where the server asks for OAuth and the agent is its own client. The secret goes to no other authority than `issuer`, whatever the server says. */
const ClientCredentials = z.strictObject({ issuer: url, clientId: ClientId, clientSecret: SecretRef, scope: Scope.optional() })
/** Where a person has to allow it, once: `longhaul tools authorize`. Without `issuer` the authority is the one that the server names when the person looks; without `clientId` we register there. */
const AuthorizedByPerson = z.strictObject({
  flow: z.literal('authorization-code'),
  issuer: url.optional(),
  clientId: ClientId.optional(),
  clientSecret: SecretRef.optional(),
  scope: Scope.optional(),
})
export type AuthorizedByPerson = z.infer<typeof AuthorizedByPerson>

export const McpConnection = z.strictObject({
  kind: z.literal('mcp'),
  url,
  /** Values are texts, or secrets that the server holds. */
  headers,
  ...shared,
  oauth: z.union([ClientCredentials, AuthorizedByPerson]).optional(),
})

/** What may leave a sandbox of an agent's, as its folder declares it: credentials are secrets of the tenant, put in on the way out. */
export const DeclaredEgress = z.strictObject({
  rules: z
    .array(
      z.strictObject({
        ...egressRuleFields,
        credential: z.strictObject({ header: HeaderName, ...SecretRef.shape }).optional(),
      }),
    )
    .max(100),
  /** From one start to its end: of a program, or of a run. */
  bytesMax: z.number().int().min(1).max(1e13).default(1_000_000_000),
  requestsMax: z.number().int().min(1).max(1e9).default(10_000),
})
export type DeclaredEgress = z.infer<typeof DeclaredEgress>

/** An MCP server that is a program: it runs in a sandbox of its own, with what lies in `files` as its workspace, and speaks over its input and output. */
export const CommandConnection = z.strictObject({
  kind: z.literal('command'),
  /** A program of the sandbox, such as `node` or `python3`, or the path of one in the workspace. */
  command: z.string().min(1).max(4_096),
  args: z.array(z.string().max(10_000)).max(100).default([]),
  env: z.record(z.string().max(200), z.string().max(10_000)).default({}),
  /** A folder beside the declaration. */
  files: z
    .string()
    .max(100)
    .regex(/^[\w-]+$/, 'must be the name of a folder beside the declaration')
    .optional(),
  /** What may leave its sandbox. A credential is put in on the way out: the program never has it. */
  egress: DeclaredEgress.optional(),
  memoryBytesMax: z.number().int().min(16_777_216).max(8_589_934_592).optional(),
  ...shared,
})

/**
 * Who gives out an API's tokens. Either `issuer`, whose own metadata says the rest (RFC 8414, OpenID discovery), or each address by itself, with
 * `issuer` beside them only as the name that it states of itself (RFC 9207). What the API's document says of it counts for nothing until it stands here.
 */
const authority = {
  issuer: url.optional(),
  tokenUrl: url.optional(),
  /** Where the client's secret stands in what is posted, if the authority takes it in no header. Its own metadata says so where it is looked up. */
  clientSecretIn: z.enum(['header', 'body']).optional(),
  scope: Scope.optional(),
}
/** The agent is a client of its own. */
const ApiClientCredentials = z
  .strictObject({ flow: z.literal('client-credentials').optional(), ...authority, clientId: ClientId, clientSecret: SecretRef })
  .superRefine(({ issuer, tokenUrl, clientSecretIn }, context) => {
    if (issuer === undefined && tokenUrl === undefined) say(context, 'needs an `issuer`, or a `tokenUrl`')
    if (clientSecretIn !== undefined && tokenUrl === undefined) say(context, 'has a `clientSecretIn` without a `tokenUrl`: the issuer says it by itself')
  })
export type ApiClientCredentials = z.infer<typeof ApiClientCredentials>
/** A person allows it, once: `longhaul tools authorize`. Without `clientId` we register with the issuer. */
const ApiAuthorizedByPerson = z
  .strictObject({
    flow: z.literal('authorization-code'),
    ...authority,
    authorizationUrl: url.optional(),
    /** Where tokens are refreshed, if elsewhere than they come from. */
    refreshUrl: url.optional(),
    clientId: ClientId.optional(),
    clientSecret: SecretRef.optional(),
  })
  .superRefine(({ issuer, authorizationUrl, tokenUrl, refreshUrl, clientSecretIn, clientId, clientSecret }, context) => {
    if ((authorizationUrl === undefined) !== (tokenUrl === undefined)) say(context, 'needs `authorizationUrl` and `tokenUrl` together')
    if (issuer === undefined && tokenUrl === undefined) say(context, 'needs an `issuer`, or an `authorizationUrl` and a `tokenUrl`')
    if (tokenUrl === undefined && refreshUrl !== undefined) say(context, 'has a `refreshUrl` without a `tokenUrl`')
    if (tokenUrl !== undefined && clientId === undefined) say(context, 'needs a `clientId`: only with an issuer that is looked up we register by ourselves')
    if (clientSecret && clientId === undefined) say(context, 'has a `clientSecret` without a `clientId`')
    if (clientSecretIn !== undefined && (tokenUrl === undefined || !clientSecret))
      say(context, 'has a `clientSecretIn` without a `tokenUrl` and a `clientSecret`')
  })
export type ApiAuthorizedByPerson = z.infer<typeof ApiAuthorizedByPerson>

const say = (context: { addIssue(issue: { code: 'custom'; message: string }): void }, message: string) => context.addIssue({ code: 'custom', message })

export const OpenApiConnection = z
  .strictObject({
    kind: z.literal('openapi'),
    /** An OpenAPI 3 document beside the declaration, in JSON or YAML. */
    document: z
      .string()
      .max(200)
      .regex(/^[\w-]+(\.[\w-]+)*\.(json|ya?ml)$/, 'must be the name of a file beside the declaration, such as crm.openapi.json or crm.yaml'),
    /** Where the API is, when the document does not say or says something else. */
    url: url.optional(),
    headers,
    ...shared,
    oauth: z.discriminatedUnion('flow', [ApiClientCredentials, ApiAuthorizedByPerson]).optional(),
  })
  .superRefine(({ headers, oauth, url }, context) => {
    if (oauth && url === undefined) say(context, 'has `oauth` and no `url`: tokens go to no address that only the document names')
    if (oauth && Object.keys(headers).some((name) => name.toLowerCase() === 'authorization'))
      say(context, 'has `oauth` and a header Authorization: its token is sent there')
  })

/** What the tenant's marketplace has under this name, in the version that is installed in the run's namespace. */
export const MarketplaceConnection = z.strictObject({ kind: z.literal('marketplace'), entry: ConnectionName, ...shared })

export const Connection = z.discriminatedUnion('kind', [McpConnection, CommandConnection, OpenApiConnection, MarketplaceConnection])
export type Connection = z.infer<typeof Connection>
export type McpConnection = z.infer<typeof McpConnection>
export type CommandConnection = z.infer<typeof CommandConnection>
export type OpenApiConnection = z.infer<typeof OpenApiConnection>
export type MarketplaceConnection = z.infer<typeof MarketplaceConnection>

/** Limits of one tool. Absent: none, or what the tool itself has. */
export const ToolLimits = z.strictObject({
  /** Calls of this agent in any minute, over all servers. */
  perMinute: z.number().int().min(1).max(1_000_000).optional(),
  /** Calls at once, on each server. */
  concurrent: z.number().int().min(1).max(10_000).optional(),
  timeoutMs: z.number().int().min(100).max(3_600_000).optional(),
  /** Longer results are cut, and say so. */
  resultCharactersMax: z.number().int().min(100).max(1_000_000).optional(),
  isOff: z.boolean().optional(),
})
export type ToolLimits = z.infer<typeof ToolLimits>

/** A tool's name as the model sees it, or the beginning of some with `*` at its end. */
export const ToolPattern = z
  .string()
  .max(64)
  .regex(/^([a-zA-Z0-9_-]+\*?|\*)$/, 'must be a tool’s name, or the beginning of names followed by *')

/** `api.example.com`, `*.example.com`, or `*` for every public host. */
export const HostPattern = z
  .string()
  .max(255)
  .regex(/^(\*|(\*\.)?[a-z0-9]([a-z0-9.-]*[a-z0-9])?)$/, 'must be a host such as api.example.com, *.example.com or *')

const globToTest = (pattern: string, text: string): boolean => (pattern.endsWith('*') ? text.startsWith(pattern.slice(0, -1)) : text === pattern)

/** One address, as `ada@example.com`. */
export const MailAddress = z
  .string()
  .max(254)
  .regex(/^[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$/, 'must be one address, such as ada@example.com')

/** `ada@example.com`, `example.com` for everybody of this domain, or `*` for everybody. */
export const MailRecipient = z.union([
  MailAddress,
  z.string().regex(/^(\*|[A-Za-z0-9]([A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)$/, 'must be an address such as ada@example.com, a domain such as example.com, or *'),
])

/** What holds for a tool: the most exact pattern wins, field by field. */
export function limitsFor(rules: Readonly<Record<string, ToolLimits>>, tool: string): ToolLimits {
  const matching = Object.entries(rules).filter(([pattern]) => globToTest(pattern, tool))
  const byExactness = matching.toSorted(([one], [other]) => exactness(one) - exactness(other))
  return Object.assign({}, ...byExactness.map(([, limits]) => limits))
}
const exactness = (pattern: string): number => (pattern.endsWith('*') ? pattern.length : Infinity)
