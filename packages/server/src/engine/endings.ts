/** Tells others of the ends of runs: see `ending-store.ts`. Any node does it for any other. */
import type { Db } from '../db/index.ts'
import { newId } from '../kernel/index.ts'
import { deleteEndings, listEndings, listOrphans, orphanKey, passOn, tellParent } from './ending-store.ts'
import { sendMessage } from './run-store.ts'

/** Called for each run that got a message, with the node that it is at. */
export type Tell = (runId: string, nodeId: string | null) => void

const endingsAtOnce = 200
const orphansAtOnce = 500

/** Returns how many endings were looked at. Repeating it changes nothing: each message has a key. */
export async function settleEndings(
  db: Db,
  onEnded: (runIds: string[]) => Promise<void>,
  tell: Tell,
  takeUpLeftOver: (runId: string, tenantId: string) => Promise<void>,
): Promise<number> {
  const endings = await listEndings(db, endingsAtOnce)
  const tellOf = (runId: string, found: { nodeId: string | null } | undefined) => found && tell(runId, found.nodeId)
  const byParent = Map.groupBy(
    endings.filter(({ continuedAs }) => continuedAs === null),
    ({ parentId }) => parentId,
  )
  for (const [parentId, children] of byParent) {
    const ended = children.map(({ runId }) => runId)
    if (parentId !== null) tellOf(parentId, await tellParent(db, parentId, ended))
  }
  if (endings.length > 0) await onEnded(endings.map(({ runId }) => runId))
  const settled: string[] = []
  for (const ending of endings) {
    const { runId, tenantId, continuedAs } = ending
    if (continuedAs !== null) tellOf(continuedAs, await passOn(db, runId, continuedAs))
    else await takeUpLeftOver(runId, tenantId)
    const orphans = await listOrphans(db, ending, orphansAtOnce)
    for (const orphan of orphans) {
      const message = {
        id: newId(),
        tenantId,
        runId: orphan,
        kind: 'cancel' as const,
        name: 'cancel',
        payload: { reason: 'The run that started it has ended.' },
      }
      tellOf(orphan, await db.transaction((tx) => sendMessage(tx, { ...message, sentBy: `run ${runId}`, idempotencyKey: orphanKey(runId) })))
    }
    if (orphans.length < orphansAtOnce) settled.push(runId)
  }
  if (settled.length > 0) await deleteEndings(db, settled)
  return endings.length
}
