import { type ApiKey, permissions, roleNames } from '@longhaul/protocol'
import { exitCodes } from '../exit-codes.ts'
import { keyIdFrom, shortId } from '../ids.ts'
import type { Invocation } from '../invocation.ts'
import { nearNames } from '../nearest-name.ts'
import { Problem } from '../problem.ts'
import { printFields, printList } from '../show/records.ts'
import { ago } from '../show/values.ts'

type CreateOptions = {
  region?: string[]
  personalData: boolean
  permission?: string[]
  role?: string
  namespace?: string[]
  agent?: string[]
  expires?: number
}
type Granted = Pick<ApiKey, 'role' | 'permissions' | 'namespaces' | 'agents'>
type Access = { regions?: string[] | undefined; personalData: boolean }

const accessText = ({ regions, personalData }: Access): string =>
  [regions ? `only ${regions.join(', ')}` : 'all regions', ...(personalData ? [] : ['no personal data'])].join(' · ')

const mayText = ({ role, permissions: listed, namespaces, agents }: Granted): string =>
  [
    [...(role ? [role] : []), ...(listed.length === permissions.length ? ['everything'] : listed)].join(', '),
    ...(namespaces ? [`in ${namespaces.join(', ')}`] : []),
    ...(agents ? [`with ${agents.join(', ')}`] : []),
  ].join(' · ')

const dayMs = 86_400_000

export async function createKey(
  invocation: Invocation,
  name: string,
  { region, personalData, permission, role: givenRole, namespace, agent, expires }: CreateOptions,
): Promise<number> {
  const wanted = permission?.map((given) => {
    const known = permissions.find((each) => each === given)
    if (!known)
      throw new Problem(
        'invalid',
        `There is no permission "${given}".`,
        `Did you mean ${nearNames(given, permissions, 1)[0] ?? 'one of these'}? There are: ${permissions.join(', ')}`,
      )
    return known
  })
  const role = roleNames.find((each) => each === givenRole)
  if (givenRole !== undefined && !role)
    throw new Problem(
      'invalid',
      `There is no role "${givenRole}".`,
      `Did you mean ${nearNames(givenRole, roleNames, 1)[0] ?? 'one of these'}? There are: ${roleNames.join(', ')}`,
    )
  const client = await invocation.client()
  const key = await client.keys.create({
    name,
    access: { personalData, ...(region ? { regions: region } : {}) },
    ...(wanted ? { permissions: wanted } : {}),
    ...(role ? { role } : {}),
    ...(namespace ? { namespaces: namespace } : {}),
    ...(agent ? { agents: agent } : {}),
    ...(expires === undefined ? {} : { expiresAt: new Date(Date.now() + expires * dayMs).toISOString() }),
  })
  if (invocation.isJson) invocation.printJson(key)
  else {
    printFields(invocation, [
      ['key', key.name],
      ['id', key.id],
      ['may', mayText(key)],
      ['until', key.expiresAt],
      ['sees', accessText(key.access)],
      ['secret', key.secret],
    ])
    invocation.terminal.print('  The secret is shown this once. Use it as LONGHAUL_API_KEY or --key.', '')
  }
  return exitCodes.done
}

export async function listKeys(invocation: Invocation): Promise<number> {
  const list = await (await invocation.client()).keys.list()
  if (invocation.isJson) invocation.printJson(list)
  else {
    const idOf = (id: string) => (invocation.terminal.isLive ? shortId(id) : id)
    const rows = list.items.map((key) => [
      idOf(key.id),
      key.name,
      key.lastUsedAt ? ago(key.lastUsedAt) : 'never',
      accessText(key.access),
      mayText(key),
      key.expiresAt?.slice(0, 10) ?? 'always',
    ])
    printList(
      invocation,
      [{ name: 'key', isWhole: true }, { name: 'name', isWhole: true }, { name: 'used' }, { name: 'sees' }, { name: 'may' }, { name: 'until' }],
      rows,
      ['No keys.'],
    )
  }
  return exitCodes.done
}

export async function rotateKey(invocation: Invocation, given: string, { overlap }: { overlap: number }): Promise<number> {
  const client = await invocation.client()
  const key = await client.keys.rotate({ keyId: await keyIdFrom(client, given), overlapMs: overlap * 3_600_000 })
  if (invocation.isJson) invocation.printJson(key)
  else {
    printFields(invocation, [
      ['key', key.name],
      ['id', key.id],
      ['secret', key.secret],
    ])
    invocation.terminal.print(
      `  The secret is shown this once. The old key ${overlap === 0 ? 'is refused from now on' : `works for ${overlap} more hours`}.`,
      '',
    )
  }
  return exitCodes.done
}

export async function deleteKey(invocation: Invocation, given: string): Promise<number> {
  const client = await invocation.client()
  const key = await client.keys.delete({ keyId: await keyIdFrom(client, given) })
  if (invocation.isJson) invocation.printJson(key)
  else invocation.terminal.print(`  Key ${key.name} (${key.id}) is revoked.`)
  return exitCodes.done
}
