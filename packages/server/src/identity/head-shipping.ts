/**
 * Signed heads of the audit log, taken to where whoever owns this machine and its database cannot change them: a webhook of the operator's, a file on
 * other storage, or both. What is there proves later that nothing before it was written anew.
 */
import { open } from 'node:fs/promises'
import type { AuditHead, HeadShipping } from '@longhaul/protocol'
import { AppError, type Log, type Service, backoffMs, loop } from '../kernel/index.ts'

/** Somewhere else. `send` rejects unless all of them are there for good. */
export type HeadTarget = { name: string; send(heads: readonly AuditHead[]): Promise<void> }
export type HeadShippingOptions = {
  /** Where the chains of all tenants stand, signed. */
  headsOf(): Promise<AuditHead[]>
  targets: readonly HeadTarget[]
  everyMs: number
  log: Log
  retry?: { delayMsMin: number; delayMsMax: number }
}
export type HeadShipper = Service & {
  /** How a tenant's head stands at the target that is furthest behind; null where there is none. */
  statusOf(head: AuditHead): HeadShipping | null
  /** Now, instead of when it is time. */
  wake(): void
}

type Shipped = { seq: number; at: string }
type Standing = { target: HeadTarget; shipped: Map<string, Shipped>; problem: string | null; failures: number }

const batchMax = 500
const usualRetry = { delayMsMin: 1_000, delayMsMax: 60_000 }

/** A server that has just started knows of no head that arrived, and sends all: the same head twice does no harm. */
export function openHeadShipping({ headsOf, targets, everyMs, log, retry = usualRetry }: HeadShippingOptions): HeadShipper {
  const standings: Standing[] = targets.map((target) => ({ target, shipped: new Map(), problem: null, failures: 0 }))

  async function shipTo(standing: Standing, heads: readonly AuditHead[]): Promise<void> {
    const { target, shipped } = standing
    const due = heads.filter(({ tenantId, seq }) => seq > (shipped.get(tenantId)?.seq ?? 0))
    try {
      for (let from = 0; from < due.length; from += batchMax) {
        const batch = due.slice(from, from + batchMax)
        await target.send(batch)
        for (const { tenantId, seq, at } of batch) shipped.set(tenantId, { seq, at })
      }
      Object.assign(standing, { problem: null, failures: 0 })
    } catch (error) {
      standing.problem = error instanceof Error ? error.message : String(error)
      standing.failures++
      log.warn('audit heads did not arrive; they are sent again', { target: target.name, problem: standing.problem, attempt: standing.failures })
    }
  }

  return {
    ...loop({
      everyMs,
      onError: (error) => log.error('audit heads could not be read', { error }),
      async work() {
        const heads = await headsOf()
        await Promise.all(standings.map((standing) => shipTo(standing, heads)))
        const failures = Math.max(0, ...standings.map((standing) => standing.failures))
        return failures > 0 ? Math.min(everyMs, backoffMs(failures, retry)) : everyMs
      },
    }),
    statusOf({ tenantId, seq }) {
      const behind = ({ shipped }: Standing) => seq - (shipped.get(tenantId)?.seq ?? 0)
      const [last] = standings.toSorted((one, other) => behind(other) - behind(one))
      if (!last) return null
      return { target: last.target.name, lastAt: last.shipped.get(tenantId)?.at ?? null, behind: Math.max(0, behind(last)), problem: last.problem }
    },
  }
}

/** One head a line, at the end, written through to the storage. What else is in the file stays. */
export const fileTarget = (path: string): HeadTarget => ({
  name: `file ${path}`,
  async send(heads) {
    try {
      const file = await open(path, 'a', 0o600)
      try {
        await file.appendFile(heads.map((head) => `${JSON.stringify(head)}\n`).join(''))
        await file.sync()
      } finally {
        await file.close()
      }
    } catch (cause) {
      throw new AppError('unavailable', `${path} cannot be written: ${cause instanceof Error ? cause.message : cause}.`, cause)
    }
  },
})

type Post = (id: string, body: string) => Promise<{ isDone: true } | { isDone: false; problem: string }>

/** Signed as Standard Webhooks says, by `post`. The id is the same for the same heads, so that a receiver can tell repetitions. */
export const webhookTarget = (url: string, digest: (text: string) => string, post: Post): HeadTarget => ({
  name: `webhook ${new URL(url).host}`,
  async send(heads) {
    const data = JSON.stringify(heads)
    const answer = await post(
      `heads_${digest(data).slice(0, 32)}`,
      `{"type":"audit.heads","timestamp":${JSON.stringify(heads[0]?.at)},"data":{"heads":${data}}}`,
    )
    if (!answer.isDone) throw new AppError('unavailable', answer.problem)
  },
})
