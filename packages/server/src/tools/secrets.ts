/** The tenant's secrets as tools may use them. Each says where it may be sent and for whom, so a declaration in an agent's folder cannot send it elsewhere. */
import type { Secret, SecretRef } from '@longhaul/protocol'
import type { z } from 'zod'
import type { Secrets } from '../identity/index.ts'
import { AppError } from '../kernel/index.ts'
import { isAllowedHost } from './egress/hosts.ts'
import { failed } from './failures.ts'

/** For whom, and in which run where there is one. */
export type SecretsUser = { tenantId: string; agent: string; runId?: string | undefined }

export type ToolSecrets = {
  /** The text for a header. Throws a `StepFailure` when there is no such secret, or it is not for this agent or host. */
  read(ref: z.infer<typeof SecretRef>, use: SecretsUser & { host: string }): Promise<string>
  /** Its newest version, without its value. Throws as `read` does. */
  find(name: string, user: SecretsUser): Promise<Secret>
  /** A secret that is an address, of one of these protocols, and the hosts that it may be used at, which the caller holds against it. `what` it is of, and an `example`, are for people. Throws as `read` does. */
  readAddress(name: string, user: SecretsUser, of: { protocols: RegExp; what: string; example: string }): Promise<{ url: URL; hosts: readonly string[] }>
}

export function openToolSecrets(secrets: Pick<Secrets, 'use' | 'find'>): ToolSecrets {
  const opened: ToolSecrets = {
    async read({ secret, prefix }, { tenantId, agent, runId, host }) {
      const who = { id: null, name: `agent ${agent}` }
      const whyNot = (found: Secret) => whyNotFor(found, agent) ?? whyNotTo(found, host)
      try {
        return prefix + (await secrets.use(tenantId, secret, { who, purpose: `a request of a tool to ${host}`, runId, whyNot }))
      } catch (error) {
        if (!(error instanceof AppError)) throw error
        if (error.code === 'forbidden') throw failed('secret_refused', error.message)
        if (error.code === 'not_found') throw missing(secret)
        throw error
      }
    },
    async find(name, { tenantId, agent }) {
      const found = await secrets.find(tenantId, name)
      if (!found) throw missing(name)
      const why = whyNotFor(found, agent)
      if (why !== undefined) throw failed('secret_refused', why)
      return found
    },
    async readAddress(name, user, { protocols, what, example }) {
      const { hosts } = await opened.find(name, user)
      // Read for a host that it is for; whether that is the one in it is looked at by whoever goes there.
      const [first = ''] = hosts
      const text = await opened.read({ secret: name, prefix: '' }, { ...user, host: first.replace(/^\*\.?/, 'any.') })
      const url = URL.canParse(text) ? new URL(text) : undefined
      if (!url || !protocols.test(url.protocol) || url.hostname === '')
        throw failed('credentials', `The secret ${name} is no address of ${what}. It looks like ${example}.`)
      return { url, hosts }
    },
  }
  return opened
}

const missing = (name: string) => failed('secret_missing', `There is no secret ${name}. Set it with: longhaul secrets set ${name} --host <host>`)

export const whyNotFor = ({ name, agents }: Secret, agent: string): string | undefined =>
  agents && !agents.includes(agent) ? `The secret ${name} is not for the agent ${agent}. It is for: ${agents.join(', ') || 'no agent'}.` : undefined

const whyNotTo = ({ name, hosts }: Secret, host: string): string | undefined =>
  isAllowedHost(hosts, host)
    ? undefined
    : `The secret ${name} may not be sent to ${host}. ${hosts.length === 0 ? 'It was given no host.' : `Its hosts are: ${hosts.join(', ')}.`} Set it again with: longhaul secrets set ${name} --host ${host}`
