import { exitCodes } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { Problem } from '../problem.ts'
import { printList } from '../show/records.ts'
import { ago } from '../show/values.ts'

/** The value comes from a prompt or from standard input: a command line stands in the shell's history and in the list of processes. */
export async function setSecret(invocation: Invocation, name: string, { description }: { description?: string }): Promise<number> {
  const value = (await invocation.world.readSecret(`Value of ${name}: `)).replace(/\r?\n$/, '')
  if (value === '') throw new Problem('invalid', 'The value is empty.', `Type it at the prompt, or pipe it in: npx longhaul secrets set ${name} < file`)
  const secret = await (await invocation.client()).secrets.set({ name, value, ...(description === undefined ? {} : { description }) })
  if (invocation.isJson) invocation.printJson(secret)
  else invocation.terminal.print(`  Secret ${secret.name}, version ${secret.version}, is stored. Its value is not shown again.`)
  return exitCodes.done
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
      secret.description,
    ])
    printList(
      invocation,
      [{ name: 'secret', isWhole: true }, { name: 'version' }, { name: 'set' }, { name: 'by' }, { name: 'used' }, { name: 'uses' }, { name: 'description' }],
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
