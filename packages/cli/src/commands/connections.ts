/** `longhaul connections add`: an API by its OpenAPI document becomes tools of an agent's folder. */
import { existsSync } from 'node:fs'
import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { basename, join, relative, resolve } from 'node:path'
import { Connection, ConnectionName, connectionToolsMax } from '@longhaul/protocol'
import { z } from 'zod'
import { type ApiDocument, type Credential, openDocument } from '../code/open-api-document.ts'
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
  only?: string[] | undefined
}

/** Writes the declaration and, beside it, the document. Nothing is written unless both can be. */
export async function addConnection(invocation: Invocation, folder: string, name: string, options: AddOptions): Promise<number> {
  const { world, isJson, printJson } = invocation
  const root = resolve(world.folder, folder)
  const target = join(root, 'agent', 'connections')
  await assertFree(root, folder, name)
  const document = await openDocument(world.folder, options.openapi)
  const tools = chosen(document, options)
  const url = options.apiUrl ?? document.url
  if (url === undefined)
    throw new Problem(
      'invalid',
      `${options.openapi} does not say where the API is, at an address that calls can go to.`,
      'Give it with --api-url https://api.example.com',
    )
  const { credential } = document
  const secret = credential && 'header' in credential ? (options.secret ?? name) : undefined
  const file = `${name}.openapi.${document.format}`
  const declaration = {
    kind: 'openapi',
    document: file,
    ...(url !== document.api.baseUrl && { url }),
    ...(options.only && { tools: options.only }),
    ...(secret !== undefined &&
      credential &&
      'header' in credential && { headers: { [credential.header]: { secret, ...(credential.prefix !== '' && { prefix: credential.prefix }) } } }),
  }
  const checked = Connection.safeParse(declaration)
  if (!checked.success) throw new Problem('invalid', `That makes no connection: ${z.prettifyError(checked.error)}`)
  await mkdir(target, { recursive: true })
  // The declaration last: without its document it would keep the agent from loading.
  await writeFile(join(target, file), document.text)
  await writeFile(join(target, `${name}.json`), `${JSON.stringify(declaration, null, 2)}\n`)
  const files = [`${name}.json`, file].map((each) => relative(world.folder, join(target, each)))
  const next = [
    ...(secret === undefined ? [] : [`npx longhaul secrets set ${secret} --host ${new URL(url).hostname} --agent ${basename(root)}`]),
    `npx longhaul deploy ${folder}`,
  ]
  const refused = options.only ? [] : document.api.refused
  if (isJson)
    printJson({
      connection: name,
      files,
      url,
      tools: tools.map(({ id, method, path }) => ({ name: id, method, path })),
      refused,
      credential: shown(credential, secret),
      next,
    })
  else
    printFields(invocation, [
      ['made', files.join('\n')],
      ['address', url],
      ['tools', [...tools.map(({ id, method, path }) => `${id}  ${method} ${path}`), `Models see them as ${name}__<tool>.`].join('\n')],
      ['left out', refused.map(({ tool, why }) => `${tool}: ${why}`).join('\n')],
      ['credential', describe(credential, secret)],
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

function describe(credential: Credential | undefined, secret: string | undefined): string {
  if (!credential) return 'none: the document asks for none'
  if ('whyNot' in credential) return `none is sent: ${credential.whyNot}`
  const scopes = credential.scopes.length > 0 ? `, for ${credential.scopes.join(' ')}` : ''
  return `the secret ${secret}: ${credential.value}${scopes}. The server keeps it, and sends it in the header ${credential.header}`
}

const shown = (credential: Credential | undefined, secret: string | undefined) =>
  credential && 'header' in credential ? { secret, header: credential.header, prefix: credential.prefix } : null
