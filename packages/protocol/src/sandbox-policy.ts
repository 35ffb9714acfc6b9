import { z } from 'zod'

/** What sandboxes run in. README of the server's sandbox folder tells what each guarantees. */
export const sandboxDrivers = ['bwrap', 'gvisor', 'docker', 'kubernetes', 'vercel', 'e2b', 'virtual', 'js'] as const
export const SandboxDriverName = z.enum(sandboxDrivers)

/** Whose kernel answers the code inside: the host's, which all share; one that the driver brings; or none, where no program runs. */
export const sandboxKernels = ['shared', 'own', 'none'] as const
export const SandboxKernel = z.enum(sandboxKernels)
export type SandboxKernel = z.infer<typeof SandboxKernel>

/** Where sandboxes of a tenant or namespace may run. What is absent is as the server has it. A namespace can only forbid more. */
export const SandboxPolicy = z.strictObject({
  /** Drivers that are allowed. Absent: all that the server offers. */
  drivers: z.array(SandboxDriverName).min(1).max(sandboxDrivers.length).optional(),
  /** The one to take. Absent: the server's default, or another that is allowed. */
  driver: SandboxDriverName.optional(),
  /** Whether they may share the host's kernel. Absent: as LONGHAUL_SANDBOX_SHARED_KERNEL says. */
  sharedKernel: z.boolean().optional(),
})
export type SandboxPolicy = z.infer<typeof SandboxPolicy>
