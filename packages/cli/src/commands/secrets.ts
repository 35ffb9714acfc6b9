import { readFile } from 'node:fs/promises'
import { resolve } from 'node:path'
import { HostPattern, Name, SecretName, secretBytesMax } from '@longhaul/protocol'
import { parse } from 'yaml'
import { z } from 'zod'
import { exitCodes } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { Problem } from '../problem.ts'
import { printList } from '../show/records.ts'
import { ago } from '../show/values.ts'

/** The value comes from a prompt or from standard input: a command line stands in the shell's history and in the list of processes. */
export async function setSecret(
  invocation: Invocation,
  name: string,
  { description, host: hosts, agent, everyAgent }: { description?: string; host?: string[]; agent?: string[]; everyAgent?: true },
): Promise<number> {
  if (everyAgent && agent) throw new Problem('invalid', '--agent and --every-agent contradict each other.')
  const agents = everyAgent ? null : agent
  const value = (await invocation.world.readSecret(`Value of ${name}: `)).replace(/\r?\n$/, '')
  if (value === '') throw new Problem('invalid', 'The value is empty.', `Type it at the prompt, or pipe it in: npx longhaul secrets set ${name} < file`)
  const secret = await (
    await invocation.client()
  ).secrets.set({
    name,
    value,
    ...(description !== undefined && { description }),
    ...(hosts && { hosts }),
    ...(agents !== undefined && { agents }),
  })
  if (invocation.isJson) invocation.printJson(secret)
  else {
    invocation.terminal.print(`  Secret ${secret.name}, version ${secret.version}, is stored. Its value is not shown again.`)
    if (secret.hosts.length === 0) invocation.terminal.print('  Tools may send it nowhere: set it with --host <name> for that.')
  }
  return exitCodes.done
}

const Entry = z.strictObject({
  value: z.string().min(1).max(secretBytesMax),
  hosts: z.array(HostPattern).min(1).max(100),
  agents: z.array(Name).max(1_000).optional(),
})
const SecretsFile = z.record(SecretName, Entry)

/** All of the file is looked at before anything is stored. What stands in it is not told: it may be a value in the wrong place. */
export async function importSecrets(invocation: Invocation, file: string): Promise<number> {
  const text = await readFile(resolve(invocation.world.folder, file), 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new Problem('invalid', `${file} cannot be read: ${error.code}.`)
  })
  const entries = Object.entries(parseSecrets(text, file))
  const { secrets } = await invocation.client()
  const stored = []
  for (const [name, { value, hosts, agents = null }] of entries) stored.push(await secrets.set({ name, value, hosts, agents }))
  if (invocation.isJson) invocation.printJson({ items: stored })
  else if (stored.length === 0) invocation.terminal.print(`  ${file} has no secrets.`)
  else {
    invocation.terminal.print(`  ${stored.length} stored: ${stored.map(({ name, version }) => `${name} (version ${version})`).join(', ')}.`)
    invocation.terminal.print(`  ${file} is not needed any more: delete it.`)
  }
  return exitCodes.done
}

function parseSecrets(text: string, file: string): z.infer<typeof SecretsFile> {
  let content: unknown
  try {
    content = parse(text) ?? {}
  } catch {
    throw new Problem('invalid', `${file} is not YAML.`)
  }
  const parsed = SecretsFile.safeParse(content)
  if (parsed.success) return parsed.data
  const where = parsed.error.issues.map(({ path, message }) => `${path.map(String).join('.')}: ${message}`)
  throw new Problem('invalid', `${file} has secrets that cannot be stored, so none of it was: ${where.join('; ')}.`)
}

export async function listSecrets(invocation: Invocation, name?: string): Promise<number> {
  const client = await invocation.client()
  const list = name === undefined ? await client.secrets.list() : await client.secrets.get({ name })
  if (invocation.isJson) invocation.printJson(list)
  else {
    const rows = list.items.map((secret) => [
      secret.name,
      secret.version,
      ago(secret.createdAt),
      secret.createdBy,
      secret.lastUsedAt ? ago(secret.lastUsedAt) : 'never',
      secret.useCount,
      secret.hosts.join(', ') || '–',
      secret.agents?.join(', ') ?? 'all',
      secret.description,
    ])
    printList(
      invocation,
      [
        { name: 'secret', isWhole: true },
        { name: 'version' },
        { name: 'set' },
        { name: 'by' },
        { name: 'used' },
        { name: 'uses' },
        { name: 'hosts' },
        { name: 'agents' },
        { name: 'description' },
      ],
      rows,
      ['No secrets.'],
    )
  }
  return exitCodes.done
}

export async function deleteSecret(invocation: Invocation, name: string): Promise<number> {
  const secret = await (await invocation.client()).secrets.delete({ name })
  if (invocation.isJson) invocation.printJson(secret)
  else invocation.terminal.print(`  Secret ${secret.name} and all its versions are destroyed.`)
  return exitCodes.done
}
