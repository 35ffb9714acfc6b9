/** Tells others of the ends of runs: see `ending-store.ts`. Any node does it for any other. */
import type { Db } from '../db/index.ts'
import { newId } from '../kernel/index.ts'
import { type Ending, deleteEndings, listEndings, listOrphans, orphanKey, passOn, tellParent } from './ending-store.ts'
import { sendMessage } from './run-store.ts'

/** Called for each run that got a message, with the node that it is at. */
export type Tell = (runId: string, nodeId: string | null) => void

const endingsAtOnce = 200
/**
 * So many are told, and struck off, before the next ones. Were it all of them, a node or a database that fails every few seconds would leave each
 * round unfinished, and the next one would begin with the first again.
 */
const endingsPerSlice = 10
const orphansAtOnce = 500

export type Settling = {
  db: Db
  onEnded(runIds: string[]): Promise<void>
  tell: Tell
  takeUpLeftOver(runId: string, tenantId: string): Promise<void>
}

/** Returns how many endings were looked at. Repeating it changes nothing: each message has a key. Those that cannot be told keep no others waiting; the first failure is thrown at the end. */
export async function settleEndings(settling: Settling): Promise<number> {
  const endings = await listEndings(settling.db, endingsAtOnce)
  const failures: unknown[] = []
  for (let from = 0; from < endings.length; from += endingsPerSlice)
    await settleSome(settling, endings.slice(from, from + endingsPerSlice)).catch((error: unknown) => failures.push(error))
  if (failures.length > 0) throw failures[0]
  return endings.length
}

async function settleSome({ db, onEnded, tell, takeUpLeftOver }: Settling, endings: Ending[]): Promise<void> {
  const tellOf = (runId: string, found: { nodeId: string | null } | undefined) => found && tell(runId, found.nodeId)
  const byParent = Map.groupBy(
    endings.filter(({ continuedAs }) => continuedAs === null),
    ({ parentId }) => parentId,
  )
  for (const [parentId, children] of byParent) {
    const ended = children.map(({ runId }) => runId)
    if (parentId !== null) tellOf(parentId, await tellParent(db, parentId, ended))
  }
  await onEnded(endings.map(({ runId }) => runId))
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
}
