/** Sandboxes for programs that the server starts and looks after itself: no row, no name, and gone with their program. */
import type { Egress } from '@longhaul/protocol'
import { StepFailure, newId } from '../kernel/index.ts'
import type { OpenImage, Sandbox, SandboxLimits } from './driver.ts'
import { type Door, type EgressParts, type EgressProxy, egressProxies } from './egress/index.ts'
import type { Sandboxes } from './sandboxes.ts'

export type HostedOptions = {
  tenantId: string
  /** Whose policy counts beside the tenant's. */
  namespace?: string | undefined
  /** Whose connections are recorded as its. Absent: nobody's but its own. */
  id?: string
  /** Folder whose content its workspace starts with. */
  seed?: string | undefined
  /** Its root, in place of the operator's or of this host's programs. */
  image?: OpenImage | undefined
  limits?: Partial<SandboxLimits>
  /** With the values of credentials. Absent: nothing leaves. */
  egress?: Egress | undefined
  /** Answers what its program asks of us at `doorUrl`. */
  door?: Door | undefined
}
/** `end` ends every process of it and its way out, and deletes its workspace. */
export type Hosted = { exec: Sandbox['exec']; sandbox: Sandbox; connect: NonNullable<Sandbox['connect']>; end(): Promise<void> }
export type OpenHosted = (options: HostedOptions) => Promise<Hosted>

export function openHosted({ sandboxes, ...parts }: EgressParts & { sandboxes: Sandboxes }): OpenHosted {
  const openProxy = egressProxies(parts)
  return async ({ tenantId, namespace, id = newId(), seed, image, limits, egress, door }) => {
    if (['virtual', 'js'].includes(await sandboxes.choose({ tenantId, namespace }))) throw notHere('In the virtual shell no program can run.')
    const sandbox = await sandboxes.open(id, { owner: { tenantId, namespace }, seed, image, limits })
    let proxy: EgressProxy | undefined
    const end = async () => {
      await proxy?.stop()
      await sandbox.destroy()
    }
    try {
      const way = sandbox.egress
      if ((egress || door) && way) {
        const { rules, bytesMax, requestsMax } = egress ?? { rules: [], bytesMax: 0, requestsMax: 0 }
        const used = { bytes: 0, requests: 0 }
        proxy = await openProxy({ tenantId, sandboxId: id, folder: way.folder, rules, limits: { bytesMax, requestsMax }, used, door })
        way.open(proxy.env)
      }
      const connect = sandbox.connect ?? (() => Promise.reject(notHere('Nothing in it can be connected to.')))
      return { exec: sandbox.exec, sandbox, connect, end }
    } catch (error) {
      await end()
      throw error
    }
  }
}

const notHere = (what: string) =>
  new StepFailure({ code: 'unavailable', message: `${what} That needs the driver bwrap: apt-get install bubblewrap.`, retryable: false })
