import type { Me, Passkey } from '@longhaul/protocol'
import { exitCodes } from '../exit-codes.ts'
import { shortId } from '../ids.ts'
import type { Invocation } from '../invocation.ts'
import { Problem } from '../problem.ts'
import { printFields, printList } from '../show/records.ts'
import { ago } from '../show/values.ts'
import { rightsText } from './people.ts'

const ask = async ({ world }: Invocation, prompt: string): Promise<string> => {
  const value = (await world.readSecret(prompt)).trim()
  if (value === '') throw new Problem('invalid', 'Nothing was typed.', 'Type it at the prompt, or pipe it in.')
  return value
}

function print(invocation: Invocation, me: Me): number {
  if (invocation.isJson) invocation.printJson({ ...me, csrfToken: undefined })
  else
    printFields(invocation, [
      ['you', `${me.person.name} · ${me.person.email}`],
      ['tenant', me.tenantId],
      ['may', rightsText(me.person)],
      [
        'factor',
        me.factors.length > 0 ? `${me.factors.join(' and ')}, ${me.recoveryCodesLeft} recovery codes left` : 'none; npx longhaul me enroll turns one on',
      ],
      ['mails', me.approvalMails ? 'about approvals that you may decide' : 'none about approvals'],
      ['given', me.steppedUpUntil ? `counts until ${me.steppedUpUntil}` : 'not lately'],
    ])
  return exitCodes.done
}

export const showMe = async (invocation: Invocation): Promise<number> => print(invocation, await (await invocation.client()).me.get())

export const setMails = async (invocation: Invocation, approvals: boolean): Promise<number> =>
  print(invocation, await (await invocation.client()).me.mails({ approvals }))

export async function stepUp(invocation: Invocation): Promise<number> {
  const client = await invocation.client()
  return print(invocation, await client.me.stepup({ code: await ask(invocation, 'Code of your authenticator, or a recovery code: ') }))
}

export async function enroll(invocation: Invocation): Promise<number> {
  const client = await invocation.client()
  const { hasPassword } = await client.me.get()
  const { secret, uri } = await client.me.enroll(hasPassword ? { password: await ask(invocation, 'Your password: ') } : {})
  if (!invocation.isJson)
    invocation.terminal.print('', '  Add this to your authenticator:', '', `  ${uri}`, `  or by hand: ${secret.match(/.{4}/g)?.join(' ')}`, '')
  return printCodes(invocation, await client.me.confirm({ code: await ask(invocation, 'A code that it shows: ') }))
}

export async function unenroll(invocation: Invocation): Promise<number> {
  return print(invocation, await (await invocation.client()).me.unenroll())
}

export const renewRecoveryCodes = async (invocation: Invocation): Promise<number> => printCodes(invocation, await (await invocation.client()).me.recovery())

function printCodes(invocation: Invocation, codes: { recoveryCodes: string[] }): number {
  if (invocation.isJson) invocation.printJson(codes)
  else
    invocation.terminal.print(
      '',
      '  Recovery codes, each good once, for when the authenticator is not at hand. They are not shown again:',
      '',
      ...codes.recoveryCodes.map((code) => `  ${code}`),
      '',
    )
  return exitCodes.done
}

export async function changePassword(invocation: Invocation): Promise<number> {
  const client = await invocation.client()
  const current = await ask(invocation, 'Your password: ')
  const next = await ask(invocation, 'The new one, at least 12 characters: ')
  if ((await ask(invocation, 'The new one again: ')) !== next) throw new Problem('invalid', 'The two differ.', 'Begin again: npx longhaul me password')
  await client.me.password({ current, next })
  if (invocation.isJson) invocation.printJson({ isChanged: true })
  else invocation.terminal.print('  The password is changed. Your other logins have ended.')
  return exitCodes.done
}

export async function listLogins(invocation: Invocation): Promise<number> {
  const list = await (await invocation.client()).logins.list()
  if (invocation.isJson) invocation.printJson(list)
  else
    printList(
      invocation,
      [{ name: 'login', isWhole: true }, { name: 'used' }, { name: 'since' }, { name: 'kind' }, { name: 'address' }, { name: 'what' }],
      list.items.map(({ id, lastUsedAt, createdAt, kind, address, agent, isThisOne }) => [
        invocation.terminal.isLive ? shortId(id) : id,
        isThisOne ? 'this one' : ago(lastUsedAt),
        createdAt.slice(0, 10),
        kind,
        address,
        agent,
      ]),
      ['You are signed in nowhere.'],
    )
  return exitCodes.done
}

export async function listPasskeys(invocation: Invocation): Promise<number> {
  const list = await (await invocation.client()).passkeys.list()
  if (invocation.isJson) invocation.printJson(list)
  else
    printList(
      invocation,
      [{ name: 'passkey', isWhole: true }, { name: 'name' }, { name: 'used' }, { name: 'since' }, { name: 'for' }, { name: 'where' }],
      list.items.map(({ id, name, lastUsedAt, createdAt, host, isSynced }) => [
        invocation.terminal.isLive ? shortId(id) : id,
        name,
        lastUsedAt ? ago(lastUsedAt) : 'never',
        createdAt.slice(0, 10),
        host,
        isSynced ? 'several devices' : 'one device',
      ]),
      ['No passkeys. The console makes them, under your name.'],
    )
  return exitCodes.done
}

export async function renamePasskey(invocation: Invocation, given: string, name: string): Promise<number> {
  const client = await invocation.client()
  const { id } = onlyOne((await client.passkeys.list()).items, given, 'passkey', 'npx longhaul me passkeys')
  return printPasskey(invocation, await client.passkeys.rename({ passkeyId: id, name }), 'has that name now')
}

export async function deletePasskey(invocation: Invocation, given: string): Promise<number> {
  const client = await invocation.client()
  const { id } = onlyOne((await client.passkeys.list()).items, given, 'passkey', 'npx longhaul me passkeys')
  return printPasskey(invocation, await client.passkeys.delete({ passkeyId: id }), 'is taken away')
}

function printPasskey(invocation: Invocation, passkey: Passkey, what: string): number {
  if (invocation.isJson) invocation.printJson(passkey)
  else invocation.terminal.print(`  The passkey ${shortId(passkey.id)} (${passkey.name}) ${what}.`)
  return exitCodes.done
}

function onlyOne<Item extends { id: string }>(items: readonly Item[], given: string, what: string, list: string): Item {
  const found = items.filter(({ id }) => id === given || (given.length >= 4 && id.endsWith(given.toLowerCase())))
  const [only] = found
  if (!only || found.length > 1) throw new Problem('not_found', `${found.length === 0 ? `No ${what}` : `Several ${what}s`} ${given}.`, `${list} shows them.`)
  return only
}

export async function endLogin(invocation: Invocation, given: string): Promise<number> {
  const client = await invocation.client()
  const only = onlyOne((await client.logins.list()).items, given, 'login', 'npx longhaul me logins')
  const login = await client.logins.delete({ loginId: only.id })
  if (invocation.isJson) invocation.printJson(login)
  else invocation.terminal.print(`  The login ${shortId(login.id)} (${login.agent}) has ended.`)
  return exitCodes.done
}
