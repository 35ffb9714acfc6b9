/** Sandboxes for programs that the server starts and looks after itself: no row, no name, and gone with their program. */
import type { Egress } from '@longhaul/protocol'
import type { Db } from '../db/index.ts'
import { type Log, StepFailure, newId } from '../kernel/index.ts'
import type { Sandbox, SandboxLimits } from './driver.ts'
import { type EgressProxy, type Reach, egressProxies } from './egress/index.ts'
import type { Sandboxes } from './sandboxes.ts'

export type HostedOptions = {
  tenantId: string
  /** Whose connections are recorded as its. Absent: nobody's but its own. */
  id?: string
  /** Folder whose content its workspace starts with. */
  seed?: string | undefined
  limits?: Partial<SandboxLimits>
  /** With the values of credentials. Absent: nothing leaves. */
  egress?: Egress | undefined
}
/** `end` ends every process of it and its way out, and deletes its workspace. */
export type Hosted = { exec: Sandbox['exec']; sandbox: Sandbox; end(): Promise<void> }
export type OpenHosted = (options: HostedOptions) => Promise<Hosted>

export function openHosted({ db, log, sandboxes, reach }: { db: Db; log: Log; sandboxes: Sandboxes; reach?: Reach }): OpenHosted {
  const openProxy = egressProxies({ db, log, ...(reach && { reach }) })
  return async ({ tenantId, id = newId(), seed, limits, egress }) => {
    if ((await sandboxes.choose({ tenantId })) === 'virtual')
      throw new StepFailure({
        code: 'unavailable',
        message: 'In the virtual shell no program can run. That needs the driver bwrap: apt-get install bubblewrap.',
        retryable: false,
      })
    const sandbox = await sandboxes.open(id, { owner: { tenantId }, seed, limits })
    let proxy: EgressProxy | undefined
    const end = async () => {
      await proxy?.stop()
      await sandbox.destroy()
    }
    try {
      const door = sandbox.egress
      if (egress && door) {
        const { rules, bytesMax, requestsMax } = egress
        proxy = await openProxy({ tenantId, sandboxId: id, folder: door.folder, rules, limits: { bytesMax, requestsMax }, used: { bytes: 0, requests: 0 } })
        door.open(proxy.env)
      }
      return { exec: sandbox.exec, sandbox, end }
    } catch (error) {
      await end()
      throw error
    }
  }
}
