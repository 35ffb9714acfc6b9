/** `longhaul connections add`: an API by its OpenAPI document becomes tools of an agent's folder. */
import { existsSync } from 'node:fs'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { basename, join, relative, resolve } from 'node:path'
import { Connection, ConnectionName, connectionToolsMax } from '@longhaul/protocol'
import { z } from 'zod'
import { type Credential, type Flow, flows } from '../code/api-credential.ts'
import { type ApiDocument, openDocument } from '../code/open-api-document.ts'
import { exitCodes } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { nearNames } from '../nearest-name.ts'
import { Problem } from '../problem.ts'
import { printFields } from '../show/records.ts'

export type AddOptions = {
  /** A file, or an address. */
  openapi: string
  /** Where the API is, if the document does not say. */
  apiUrl?: string | undefined
  secret?: string | undefined
  /** How one signs in, by the document's name for it. */
  auth?: string | undefined
  flow?: string | undefined
  /** Of a client that was registered with the API's authority. */
  clientId?: string | undefined
  only?: string[] | undefined
}

/** Writes the declaration and, beside it, the document. Nothing is written unless both can be. */
export async function addConnection(invocation: Invocation, folder: string, name: string, options: AddOptions): Promise<number> {
  const { world, isJson, printJson } = invocation
  const root = resolve(world.folder, folder)
  const target = join(root, 'agent', 'connections')
  await assertFree(root, folder, name)
  const document = await openDocument(world.folder, options.openapi, { auth: options.auth, flow: flowOf(options.flow), only: options.only })
  const tools = chosen(document, options)
  const url = options.apiUrl ?? document.url
  if (url === undefined)
    throw new Problem(
      'invalid',
      `${options.openapi} does not say where the API is, at an address that calls can go to.`,
      'Give it with --api-url https://api.example.com',
    )
  const { credential } = document
  const declared = declaredOf(credential, name, options)
  const { secret } = declared
  const file = `${name}.openapi.${document.format}`
  const declaration = {
    kind: 'openapi',
    document: file,
    ...((url !== document.api.baseUrl || 'oauth' in declared.fields) && { url }), // Tokens go to no address that the document alone names.
    ...(options.only && { tools: options.only }),
    ...declared.fields,
  }
  const checked = Connection.safeParse(declaration)
  if (!checked.success) throw new Problem('invalid', `That makes no connection: ${z.prettifyError(checked.error)}`)
  await mkdir(target, { recursive: true })
  // The declaration last: without its document it would keep the agent from loading.
  await writeFile(join(target, file), document.text)
  await writeFile(join(target, `${name}.json`), `${JSON.stringify(declaration, null, 2)}\n`)
  const files = [`${name}.json`, file].map((each) => relative(world.folder, join(target, each)))
  const agent = basename(root)
  const next = [
    ...(secret === undefined ? [] : [`npx longhaul secrets set ${secret} --host ${declared.host ?? new URL(url).hostname} --agent ${agent}`]),
    `npx longhaul deploy ${folder}`,
    ...(credential?.kind === 'oauth' && credential.flow === 'authorization-code' ? [`npx longhaul tools authorize ${agent} ${name}`] : []),
  ]
  const refused = options.only ? [] : document.api.refused
  if (isJson)
    printJson({
      connection: name,
      files,
      url,
      tools: tools.map(({ id, method, path }) => ({ name: id, method, path })),
      refused,
      credential: shown(credential, declared),
      next,
    })
  else
    printFields(invocation, [
      ['made', files.join('\n')],
      ['address', url],
      ['tools', [...tools.map(({ id, method, path }) => `${id}  ${method} ${path}`), `Models see them as ${name}__<tool>.`].join('\n')],
      ['left out', refused.map(({ tool, why }) => `${tool}: ${why}`).join('\n')],
      ['credential', describe(credential, declared, options)],
      ['next', next.join('\n')],
    ])
  return exitCodes.done
}

async function assertFree(root: string, folder: string, name: string): Promise<void> {
  if (!existsSync(join(root, 'agent'))) throw new Problem('not_found', `${folder} holds no agent: there is no agent/ in it.`, `npx longhaul init ${folder}`)
  const parsed = ConnectionName.safeParse(name)
  if (!parsed.success) throw new Problem('invalid', `"${name}" cannot name a connection: it ${parsed.error.issues[0]?.message ?? ''}, at most 32.`)
  const there = await readdir(join(root, 'agent', 'connections')).catch(() => []) // It may have none yet.
  const taken = there.find((file) => file === name || file.startsWith(`${name}.`))
  if (taken !== undefined)
    throw new Problem(
      'conflict',
      `There is a connection ${name} in ${folder} already: agent/connections/${taken}.`,
      'Choose another name, or delete its files; nothing was written.',
    )
}

/** The operations that become tools. */
function chosen({ api: { operations } }: ApiDocument, { openapi, only }: AddOptions): ApiDocument['api']['operations'] {
  const ids = operations.map(({ id }) => id)
  const unknown = only?.find((id) => !ids.includes(id))
  if (unknown !== undefined)
    throw new Problem(
      'not_found',
      `${openapi} has no operation ${unknown} that could be a tool.`,
      `There are: ${nearNames(unknown, ids, 10).join(', ') || ids.slice(0, 10).join(', ')}`,
    )
  const tools = only ? operations.filter(({ id }) => only.includes(id)) : operations
  if (tools.length <= connectionToolsMax) return tools
  throw new Problem(
    'too_large',
    `${openapi} has ${tools.length} operations, and a connection gives at most ${connectionToolsMax} tools. A model chooses better among few.`,
    `Name those that are needed: --only ${ids.slice(0, 2).join(' --only ')}`,
  )
}

type Declared = {
  /** Of the declaration. */
  fields: { headers?: object; oauth?: object }
  secret: string | undefined
  /** Where the secret goes, if not to the API. */
  host?: string | undefined
}

/** The credential as a declaration has it. Throws a `Problem` for what only its author can know. */
function declaredOf(credential: Credential | undefined, name: string, { openapi, secret: given, clientId }: AddOptions): Declared {
  if (credential?.kind !== 'oauth') {
    if (clientId !== undefined) throw new Problem('invalid', `${openapi} wants nothing that a client of OAuth would get.`, 'Leave --client-id away.')
    if (credential?.kind !== 'header') return { fields: {}, secret: undefined }
    const secret = given ?? name
    const { header, prefix } = credential
    return { fields: { headers: { [header]: { secret, ...(prefix !== '' && { prefix }) } } }, secret }
  }
  const { flow, addresses, scopes, scheme, others } = credential
  const isOwn = flow === 'client-credentials'
  if (clientId === undefined && (isOwn || !('issuer' in addresses)))
    throw new Problem(
      'invalid',
      `${openapi} wants OAuth (${scheme}), and only a client that is registered with ${hostOf(addresses)} gets tokens.`,
      'Register one there, and give its id: --client-id <id>',
      ...others.map((other) => `Or sign in as the document says otherwise: --auth ${other}`),
      'Or send an access token that you have, and renew by hand: --flow token',
    )
  const secret = given ?? (isOwn ? name : undefined)
  if (secret !== undefined && clientId === undefined)
    throw new Problem('invalid', 'A client’s secret is of no use without its id.', 'Give it with --client-id <id>')
  const scope = scopes.length > 0 ? scopes.join(' ') : undefined
  const client = { ...(clientId !== undefined && { clientId }), ...(secret !== undefined && { clientSecret: { secret } }) }
  const oauth = { ...(!isOwn && { flow }), ...addresses, ...client, ...(scope !== undefined && { scope }) }
  return { fields: { oauth }, secret, host: hostOf(addresses) }
}

const hostOf = (addresses: { issuer: string } | { tokenUrl: string }): string => new URL('issuer' in addresses ? addresses.issuer : addresses.tokenUrl).hostname

function flowOf(given: string | undefined): Flow | undefined {
  const flow = flows.find((one) => one === given)
  if (given !== undefined && flow === undefined) throw new Problem('invalid', `There is no flow ${given}.`, `There are: ${flows.join(', ')}`)
  return flow
}

function describe(credential: Credential | undefined, { secret }: Declared, { auth }: AddOptions): string {
  if (!credential) return 'none: the document asks for none'
  const { others } = credential
  const otherwise = others.length > 0 && auth === undefined ? [`The document takes others as well: ${others.map((other) => `--auth ${other}`).join(', ')}`] : []
  if (credential.kind === 'none') return [`none is sent: ${credential.whyNot}`, ...otherwise].join('\n')
  const scopes = credential.scopes.length > 0 ? `, for ${credential.scopes.join(' ')}` : ''
  if (credential.kind === 'header')
    return [`the secret ${secret}: ${credential.value}${scopes}. The server keeps it, and sends it in the header ${credential.header}`, ...otherwise].join('\n')
  const { flow, addresses, otherFlows } = credential
  return [
    flow === 'authorization-code' ? `OAuth that a person allows${scopes}` : `OAuth, with the agent as a client of its own${scopes}`,
    ...Object.entries(addresses).map(([what, url]) => `${what}: ${url}`),
    'Look whether these are the API’s own: the document named them, and from now on the declaration does.',
    secret === undefined
      ? 'No secret of a client is sent. If it has one: --secret <name>'
      : `the secret ${secret}: the client’s. The server keeps it, and sends it to ${hostOf(addresses)} alone`,
    ...otherFlows.map((other) => `There is another flow: --flow ${other}`),
    ...otherwise,
  ].join('\n')
}

function shown(credential: Credential | undefined, { secret, fields }: Declared) {
  if (credential?.kind === 'header') return { secret, header: credential.header, prefix: credential.prefix }
  return credential?.kind === 'oauth' ? { secret: secret ?? null, oauth: fields.oauth } : null
}
