import { type Role, type Sso, ssoReturnPath } from '@longhaul/protocol'
import { exitCodes } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { Problem } from '../problem.ts'
import { printFields } from '../show/records.ts'
import { toRole } from './people.ts'

export type SsoOptions = {
  issuer: string
  clientId: string
  scope?: string[]
  claim?: string
  map?: string[]
  createPeople?: boolean
  keepSecret?: boolean
}

async function print(invocation: Invocation, sso: Sso): Promise<number> {
  if (invocation.isJson) invocation.printJson(sso)
  else
    printFields(invocation, [
      ['issuer', sso.issuer],
      ['client', sso.clientId],
      ['returns to', `${(await invocation.credentials()).url}${ssoReturnPath}, or the same under LONGHAUL_PUBLIC_URL`],
      ['asks for', ['openid', ...sso.scopes].join(', ')],
      ['roles', sso.rolesClaim === null ? 'given here' : `by the claim ${sso.rolesClaim}`],
      ...Object.entries(sso.roles).map(([value, roles]): [string, string] => ['', `${value} → ${roles.join(', ')}`]),
      ['unknown', sso.createsPeople ? 'become people with these roles' : 'are refused; only who was invited gets in'],
    ])
  return exitCodes.done
}

export const getSso = async (invocation: Invocation): Promise<number> => print(invocation, await (await invocation.client()).sso.get())

/** The secret comes from a prompt or from standard input, as every secret does. */
export async function setSso(invocation: Invocation, { issuer, clientId, scope, claim, map, createPeople, keepSecret }: SsoOptions): Promise<number> {
  const roles = Object.fromEntries((map ?? []).map(toMapping))
  const clientSecret = keepSecret ? undefined : (await invocation.world.readSecret('Client secret: ')).trim()
  if (clientSecret === '') throw new Problem('invalid', 'The client secret is empty.', 'Type it at the prompt, pipe it in, or give --keep-secret.')
  const sso = await (
    await invocation.client()
  ).sso.set({
    ...{ issuer, clientId, roles, rolesClaim: claim ?? null, createsPeople: createPeople ?? false },
    ...(scope && { scopes: scope }),
    ...(clientSecret !== undefined && { clientSecret }),
  })
  return print(invocation, sso)
}

export async function deleteSso(invocation: Invocation): Promise<number> {
  const sso = await (await invocation.client()).sso.delete()
  if (invocation.isJson) invocation.printJson(sso)
  else invocation.terminal.print(`  Nobody signs in at ${sso.issuer} any more, and the client secret is destroyed. Who is signed in stays so.`)
  return exitCodes.done
}

/** `value=role,role`. A value may have a `=` in it. */
function toMapping(given: string): [string, Role[]] {
  const at = given.lastIndexOf('=')
  if (at < 1) throw new Problem('invalid', `--map ${given} is no mapping.`, 'Write it as value=role, or value=role,role: --map platform=developer,approver')
  return [
    given.slice(0, at),
    given
      .slice(at + 1)
      .split(',')
      .map((role) => toRole(role.trim())),
  ]
}
