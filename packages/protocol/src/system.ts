import { z } from 'zod'
import { operation } from './operation.ts'
import { SandboxKernel } from './sandbox-policy.ts'
import { DataAccess } from './values.ts'

/** What this installation is made of, for people who wonder why something works here or does not. */
export const System = z.object({
  version: z.string(),
  /** Who the caller is, and what it may see of agents' data. */
  caller: z.object({ id: z.string(), tenantId: z.string(), name: z.string(), permissions: z.array(z.string()), access: DataAccess }),
  sandbox: z.object({
    driver: z.string(),
    /** What this host enforces, and what is missing with the line that installs it. */
    enforced: z.array(z.string()),
    missing: z.array(z.object({ what: z.string(), remedy: z.string() })),
    languages: z.array(z.string()),
    /** What its operator gave sandboxes as their root; null: this machine's programs, or what the driver brings. */
    root: z.string().nullable(),
  }),
  /** Every driver that sandboxes may run in here, the default first. Which of them a tenant may use is in its sandbox policy. */
  sandboxDrivers: z.array(
    z.object({
      driver: z.string(),
      kernel: SandboxKernel,
      enforced: z.array(z.string()),
      missing: z.array(z.object({ what: z.string(), remedy: z.string() })),
      root: z.string().nullable(),
    }),
  ),
  models: z.object({
    default: z.string(),
    /** True when no provider is configured and the rule-based stand-in answers. It is not a language model. */
    offline: z.boolean(),
    available: z.array(z.string()),
  }),
  /** Where mail to people comes from; null where none is sent, so that links are handed on by whoever made them. */
  mail: z.object({ from: z.string() }).nullable(),
  database: z.object({ kind: z.enum(['embedded', 'external']), version: z.string() }),
  startup: z.array(z.object({ phase: z.string(), ms: z.number() })),
})
export type System = z.infer<typeof System>

export const getSystem = operation({
  id: 'system.get',
  summary: 'What this installation is made of.',
  http: ['GET', '/v1/system'],
  permission: 'system:read',
  input: z.strictObject({}),
  output: System,
})
export const systemOperations = [getSystem]
