import { hostname } from 'node:os'
import { setTimeout as wait } from 'node:timers/promises'
import { createClient } from '@longhaul/sdk/client'
import { findUrl, keepLogin } from '../credentials.ts'
import { exitCodes } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { Problem } from '../problem.ts'

/** The device flow: a person confirms in the console, where they are signed in; no password comes near this program. */
export async function login({ world, terminal, isJson, printJson }: Invocation, { url: given, tenant }: { url?: string; tenant: string }): Promise<number> {
  const url = await findUrl(given, world.env, world.folder)
  const client = createClient({ url })
  const { deviceCode, userCode, address, expiresInMs, intervalMs } = await client.devices.start({ tenant, name: `longhaul on ${hostname()}`.slice(0, 100) })
  if (isJson) printJson({ userCode, url: `${client.url}${address}` })
  else terminal.print('', '  Open this address, compare the code, and allow it:', '', `  ${client.url}${address}`, `  Code  ${userCode}`, '')
  for (const end = performance.now() + expiresInMs; performance.now() < end;) {
    await wait(intervalMs, undefined, { signal: world.interrupted })
    const { state, token, name } = await client.devices.poll({ deviceCode })
    if (state === 'denied') throw new Problem('forbidden', 'It was refused in the console.', 'If that was not you, nothing has happened.')
    if (state !== 'approved' || token === null) continue
    await keepLogin(world.env, client.url, { token, name: name ?? '' })
    if (isJson) printJson({ state, name, url: client.url })
    else terminal.print(`  You are signed in to ${client.url} as ${name}.`)
    return exitCodes.done
  }
  throw new Problem('unauthenticated', 'Nobody allowed it in time.', 'Begin again: npx longhaul login')
}

export async function logout(invocation: Invocation): Promise<number> {
  const { url, keyFrom } = await invocation.credentials()
  if (!keyFrom.startsWith('longhaul login')) throw new Problem('invalid', `You are not signed in to ${url} here: the key comes from ${keyFrom}.`)
  const client = await invocation.client()
  try {
    await client.me.signout({})
  } catch (error) {
    // A login that has ended at the server is forgotten here all the same.
    if (!(error instanceof Error && 'code' in error && error.code === 'unauthenticated')) throw error
  }
  await keepLogin(invocation.world.env, url, undefined)
  if (invocation.isJson) invocation.printJson({ url, isSignedIn: false })
  else invocation.terminal.print(`  You are signed out of ${url}.`)
  return exitCodes.done
}
