import { type Mail, type Person, type PersonWithLink, type Role, roleNames } from '@longhaul/protocol'
import { exitCodes } from '../exit-codes.ts'
import { personIdFrom, shortId } from '../ids.ts'
import type { Invocation } from '../invocation.ts'
import { nearNames } from '../nearest-name.ts'
import { Problem } from '../problem.ts'
import { printFields, printList } from '../show/records.ts'
import { ago } from '../show/values.ts'

export type Language = Mail['language']
export type PersonOptions = {
  name?: string
  role?: string[]
  namespace?: string[]
  agent?: string[]
  region?: string[]
  personalData: boolean
  language?: Language
}

export const rightsText = ({ roles, namespaces, agents, access }: Pick<Person, 'roles' | 'namespaces' | 'agents' | 'access'>): string =>
  [
    roles.join(', '),
    ...(namespaces ? [`in ${namespaces.join(', ')}`] : []),
    ...(agents ? [`with ${agents.join(', ')}`] : []),
    ...(access.regions ? [`only ${access.regions.join(', ')}`] : []),
    ...(access.personalData ? [] : ['no personal data']),
  ].join(' · ')

export const toRole = (given: string): Role => {
  const role = roleNames.find((each) => each === given)
  if (!role)
    throw new Problem(
      'invalid',
      `There is no role "${given}".`,
      `Did you mean ${nearNames(given, roleNames, 1)[0] ?? 'one of these'}? There are: ${roleNames.join(', ')}`,
    )
  return role
}

const rightsOf = ({ name, role, namespace, agent }: PersonOptions) => ({
  ...(name !== undefined && { name }),
  ...(role && { roles: role.map(toRole) }),
  ...(namespace && { namespaces: namespace }),
  ...(agent && { agents: agent }),
})

export async function invite(invocation: Invocation, email: string, options: PersonOptions): Promise<number> {
  const { region, personalData, language } = options
  const { roles, ...rights } = rightsOf(options)
  if (!roles) throw new Problem('invalid', 'What may they do?', `Give --role with one of: ${roleNames.join(', ')}`)
  const client = await invocation.client()
  return printLink(
    invocation,
    await client.people.invite({ email, roles, ...rights, ...(language && { language }), access: { personalData, ...(region && { regions: region }) } }),
  )
}

export async function linkPerson(invocation: Invocation, given: string, options: { resetSecondFactor?: boolean; language?: Language }): Promise<number> {
  const client = await invocation.client()
  return printLink(invocation, await client.people.link({ personId: await personIdFrom(client, given), ...options }))
}

/** The server says where under its address; which address that is, this side knows. */
async function printLink(invocation: Invocation, person: PersonWithLink): Promise<number> {
  const link = new URL(person.link, (await invocation.credentials()).url).href
  if (invocation.isJson) invocation.printJson({ ...person, link })
  else {
    printFields(invocation, [
      ['person', `${person.name} · ${person.email}`],
      ['id', person.id],
      ['may', rightsText(person)],
      ['until', person.linkExpiresAt],
      ['link', link],
    ])
    invocation.terminal.print(
      person.isMailed
        ? '  The link is on its way to them by mail. It is shown this once, and works once: npx longhaul mails list says whether it was sent.'
        : '  The link is shown this once, and works once. Send it to them and to nobody else.',
      '',
    )
  }
  return exitCodes.done
}

export async function listPeople(invocation: Invocation, { limit, cursor }: { limit: number; cursor?: string }): Promise<number> {
  const list = await (await invocation.client()).people.list({ limit, ...(cursor !== undefined && { cursor }) })
  if (invocation.isJson) invocation.printJson(list)
  else {
    printList(
      invocation,
      [
        { name: 'person', isWhole: true },
        { name: 'email', isWhole: true },
        { name: 'name' },
        { name: 'state' },
        { name: 'factor' },
        { name: 'seen' },
        { name: 'may' },
      ],
      list.items.map((person) => [
        invocation.terminal.isLive ? shortId(person.id) : person.id,
        person.email,
        person.name,
        person.state,
        person.hasSecondFactor ? 'on' : 'none',
        person.lastSeenAt ? ago(person.lastSeenAt) : 'never',
        rightsText(person),
      ]),
      ['Nobody yet. npx longhaul people invite <email> --role administrator makes the first one.'],
    )
    if (list.next !== null) invocation.terminal.print(`  More: npx longhaul people list --cursor ${list.next}`, '')
  }
  return exitCodes.done
}

export async function updatePerson(invocation: Invocation, given: string, options: PersonOptions & { everywhere?: boolean }): Promise<number> {
  const client = await invocation.client()
  const { region, personalData } = options
  const access = region || !personalData ? { access: { personalData, ...(region && { regions: region }) } } : {}
  const everywhere = options.everywhere ? { namespaces: null, agents: null } : {}
  return printPerson(
    invocation,
    await client.people.update({ personId: await personIdFrom(client, given), ...everywhere, ...rightsOf(options), ...access }),
    'is as you said',
  )
}

export async function setDisabled(invocation: Invocation, given: string, isDisabled: boolean): Promise<number> {
  const client = await invocation.client()
  const person = await client.people.update({ personId: await personIdFrom(client, given), isDisabled })
  return printPerson(invocation, person, isDisabled ? 'is disabled, and signed out everywhere' : 'may sign in again')
}

export async function signOutPerson(invocation: Invocation, given: string): Promise<number> {
  const client = await invocation.client()
  const ended = await client.people.signout({ personId: await personIdFrom(client, given) })
  if (invocation.isJson) invocation.printJson(ended)
  else invocation.terminal.print(`  ${ended.count === 1 ? 'One login has' : `${ended.count} logins have`} ended.`)
  return exitCodes.done
}

export async function deletePerson(invocation: Invocation, given: string): Promise<number> {
  const client = await invocation.client()
  return printPerson(invocation, await client.people.delete({ personId: await personIdFrom(client, given) }), 'is removed')
}

function printPerson(invocation: Invocation, person: Person, what: string): number {
  if (invocation.isJson) invocation.printJson(person)
  else invocation.terminal.print(`  ${person.name} (${person.email}) ${what}.`, `  ${rightsText(person)}`)
  return exitCodes.done
}
