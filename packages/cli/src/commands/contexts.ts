/** Servers that somebody is signed in to from here, of which one is asked when a command names none. */
import { listLogins, useLogin } from '../credentials.ts'
import { exitCodes } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { printList } from '../show/records.ts'

export async function listContexts(invocation: Invocation): Promise<number> {
  const items = await listLogins(invocation.world.env)
  if (invocation.isJson) invocation.printJson({ items })
  else
    printList(
      invocation,
      [{ name: 'server', isWhole: true }, { name: 'as' }, { name: 'current' }],
      items.map(({ url, name, isCurrent }) => [url, name, isCurrent ? 'yes' : '']),
      ['You are signed in to no server from here. npx longhaul login --url https://… signs in.'],
    )
  return exitCodes.done
}

export async function useContext(invocation: Invocation, url: string): Promise<number> {
  const used = await useLogin(invocation.world.env, url)
  if (invocation.isJson) invocation.printJson(used)
  else invocation.terminal.print(`  Commands that name no server ask ${used.url}, as ${used.name}. A .longhaul/credentials.json in a folder comes first there.`)
  return exitCodes.done
}
