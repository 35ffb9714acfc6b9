/** Secrets that tools need, from a file that only the server reads. Each says where it may be sent, so a declaration in an agent's folder cannot send it elsewhere. */
import { readFile, stat } from 'node:fs/promises'
import type { SecretRef } from '@longhaul/protocol'
import { HostPattern, SecretName } from '@longhaul/protocol'
import { parse } from 'yaml'
import { z } from 'zod'
import { isAllowedHost } from './egress/hosts.ts'
import { failed } from './failures.ts'

export type Secrets = {
  /** The text for a header. Throws a `StepFailure` when there is no such secret, or it is not for this agent or host. */
  read(ref: z.infer<typeof SecretRef>, use: { agent: string; host: string }): Promise<string>
  /** Hosts that the secret may go to. Throws as `read` does. */
  hostsOf(name: string, agent: string): Promise<readonly string[]>
}

const Entry = z.strictObject({
  value: z.string().min(1).max(10_000),
  hosts: z.array(HostPattern).min(1).max(100),
  /** Absent: every agent. */
  agents: z.array(z.string().max(63)).max(1_000).optional(),
})
const SecretsFile = z.record(SecretName, Entry)

/** The file is read again when it has changed, so a secret is rotated without a restart. */
export function openSecrets(file: string | undefined): Secrets {
  let known: { stamp: string; entries: z.infer<typeof SecretsFile> } | undefined

  async function load(): Promise<z.infer<typeof SecretsFile>> {
    if (file === undefined) return {}
    try {
      const { mtimeMs, size } = await stat(file)
      const stamp = `${mtimeMs} ${size}`
      if (known?.stamp !== stamp) known = { stamp, entries: SecretsFile.parse(parse(await readFile(file, 'utf8')) ?? {}) }
      return known.entries
    } catch (error) {
      // Its text may be in the error: it is told where the fault is, and nothing of what stands there.
      const where = error instanceof z.ZodError ? error.issues.map(({ path, message }) => `${path.map(String).join('.')}: ${message}`).join('; ') : undefined
      const why = where ?? (error instanceof Error && 'code' in error ? String(error.code) : 'it is not YAML')
      throw failed('secrets_file', `The secrets file (LONGHAUL_SECRETS_FILE) cannot be used: ${why}.`)
    }
  }

  async function find(name: string, agent: string): Promise<z.infer<typeof Entry>> {
    const entry = (await load())[name]
    if (!entry) throw failed('secret_missing', `There is no secret ${name}. Add it to the file that LONGHAUL_SECRETS_FILE names.`)
    if (entry.agents && !entry.agents.includes(agent))
      throw failed('secret_refused', `The secret ${name} is not for the agent ${agent}. Its \`agents\` in the secrets file say for whom it is.`)
    return entry
  }

  return {
    async read({ secret, prefix }, { agent, host }) {
      const { value, hosts } = await find(secret, agent)
      if (!isAllowedHost(hosts, host))
        throw failed('secret_refused', `The secret ${secret} may not be sent to ${host}. Its \`hosts\` in the secrets file are: ${hosts.join(', ')}.`)
      return prefix + value
    },
    hostsOf: async (name, agent) => (await find(name, agent)).hosts,
  }
}
