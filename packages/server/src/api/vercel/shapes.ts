/** How our sandboxes, commands and snapshots look in Vercel's words. */
import type { Egress, SandboxInfo, SandboxProcess, Snapshot } from '@longhaul/protocol'
import { z } from 'zod'
import { AppError } from '../../kernel/index.ts'

const msOf = (at: string): number => Date.parse(at)
const megabyte = 1024 * 1024
const region = 'local'

type Info = Pick<SandboxInfo, 'id' | 'name' | 'state' | 'limits' | 'egress' | 'madeFrom' | 'ttlMs' | 'createdAt' | 'usedAt' | 'expiresAt'>

const statusOf = ({ state }: Info) => (state === 'active' ? ('running' as const) : ('stopped' as const))

/** They count two gigabytes for each processor. */
const sizeOf = ({ limits }: Info) => {
  const memory = Math.round(limits.memoryBytesMax / megabyte)
  return { memory, vcpus: Math.max(1, Math.round(memory / 2_048)) }
}

const policyOf = ({ egress }: Info) =>
  egress === null || egress.rules.length === 0
    ? { mode: 'deny-all' as const }
    : {
        mode: 'custom' as const,
        allowedDomains: [...new Set(egress.rules.map(({ host }) => host))],
        injectionRules: egress.rules.flatMap(({ host, credential }) => (credential ? [{ domain: host, headerNames: [credential.header] }] : [])),
      }

export const toSandbox = (info: Info) => ({
  name: info.name ?? info.id,
  persistent: true,
  region,
  ...sizeOf(info),
  timeout: info.ttlMs,
  networkPolicy: policyOf(info),
  createdAt: msOf(info.createdAt),
  updatedAt: msOf(info.usedAt),
  expiresAt: msOf(info.expiresAt),
  currentSessionId: info.id,
  status: statusOf(info),
  cwd: '/workspace',
})

export const toSession = (info: Info) => ({
  id: info.id,
  region,
  ...sizeOf(info),
  timeout: info.ttlMs,
  status: statusOf(info),
  requestedAt: msOf(info.createdAt),
  startedAt: msOf(info.createdAt),
  createdAt: msOf(info.createdAt),
  updatedAt: msOf(info.usedAt),
  cwd: '/workspace',
  networkPolicy: policyOf(info),
  ...(info.madeFrom.snapshotId !== undefined && { sourceSnapshotId: info.madeFrom.snapshotId }),
})

export const toSnapshot = ({ id, sandboxId, bytes, createdAt }: Snapshot) => ({
  id,
  sourceSessionId: sandboxId,
  region,
  status: 'created' as const,
  sizeBytes: bytes,
  createdAt: msOf(createdAt),
  updatedAt: msOf(createdAt),
})

export type Known = { name: string; args: string[]; cwd: string }

/** Later on only the whole line is known, not where its words end. */
export function toCommand(process: SandboxProcess, { name, args, cwd }: Known = { name: process.command, args: [], cwd: '/workspace' }) {
  const startedAt = msOf(process.startedAt)
  return {
    ...{ id: process.id, name, args, cwd, sessionId: process.sandboxId, startedAt, exitCode: exitCodeOf(process) },
    ...(process.endedAt !== null && { durationMs: msOf(process.endedAt) - startedAt }),
  }
}

/** A number whenever it is over: as a shell has it, where a signal ended it. */
function exitCodeOf({ state, exitCode }: SandboxProcess): number | null {
  if (state === 'running') return null
  return exitCode ?? (state === 'failed' ? 126 : 137)
}

const Transform = z.strictObject({ headers: z.record(z.string(), z.string()).optional() })
const HostRule = z.strictObject({ transform: z.array(Transform) })
export const NetworkPolicy = z.union(
  [
    z.strictObject({ mode: z.enum(['deny-all', 'allow-all']) }),
    z.strictObject({ allow: z.union([z.array(z.string()), z.record(z.string(), z.array(HostRule))]).optional() }),
  ],
  'networkPolicy: deny-all, or hosts to allow, each with at most one header to put in. Ranges of addresses, matches, forwarding and answers made up have no counterpart here',
)

/** Which hosts may be reached. Nothing that was not named: "everything" is refused. */
export function toEgress(policy: z.output<typeof NetworkPolicy>): { egress?: Egress } {
  if ('mode' in policy) {
    if (policy.mode === 'allow-all') throw new AppError('invalid', 'networkPolicy: allow-all has no counterpart here. Name the hosts: { allow: ["pypi.org"] }.')
    return {}
  }
  const { allow = [] } = policy
  const hosts = Array.isArray(allow) ? allow.map((host) => [host, []] as const) : Object.entries(allow)
  const rules = hosts.map(([host, given]) => {
    const headers = given.flatMap(({ transform }) => transform.flatMap((each) => Object.entries(each.headers ?? {})))
    const [first] = headers
    if (headers.length > 1) throw new AppError('invalid', `networkPolicy: one header can be put into requests to ${host}, not ${headers.length}.`)
    return { host, ...(first && { credential: { header: first[0], value: first[1] } }) }
  })
  return rules.length === 0 ? {} : { egress: { rules, bytesMax: 1_000_000_000, requestsMax: 10_000 } }
}
