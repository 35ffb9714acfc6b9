/** Tells others of the ends of runs: see `ending-store.ts`. Any node does it for any other. */
import type { Db } from '../db/index.ts'
import { newId } from '../kernel/index.ts'
import { type Ending, deleteEndings, listEndings, listOrphans, orphanKey, passOn, tellParent } from './ending-store.ts'
import { sendMessage } from './run-store.ts'

/** Called for each run that got a message, with the node that it is at. */
export type Tell = (runId: string, nodeId: string | null) => void

const endingsAtOnce = 200
const orphansAtOnce = 500
/**
 * The ends that one parent hears of go together, and those of runs without one in tens; each group is told and struck off by itself. Were it all of them
 * at once, a node or a database that fails every few seconds would leave each round unfinished, and the next one would begin with the first again.
 */
const strangersTogether = 10
/** Each waits for the database most of the time. */
const groupsAtOnce = 4

export type Settling = {
  db: Db
  onEnded(runIds: string[]): Promise<void>
  tell: Tell
  takeUpLeftOver(runId: string, tenantId: string): Promise<void>
}

/** Returns how many endings were looked at. Repeating it changes nothing: each message has a key. Those that cannot be told keep no others waiting; the first failure is thrown at the end. */
export async function settleEndings(settling: Settling): Promise<number> {
  const endings = await listEndings(settling.db, endingsAtOnce)
  const groups = [...Map.groupBy(endings, ({ parentId }, at) => parentId ?? `strangers ${Math.floor(at / strangersTogether)}`).values()]
  const failures: unknown[] = []
  for (let from = 0; from < groups.length; from += groupsAtOnce) {
    const some = groups.slice(from, from + groupsAtOnce)
    await Promise.all(some.map((group) => settleGroup(settling, group).catch((error: unknown) => failures.push(error))))
  }
  if (failures.length > 0) throw failures[0]
  return endings.length
}

async function settleGroup({ db, onEnded, tell, takeUpLeftOver }: Settling, endings: Ending[]): Promise<void> {
  const tellOf = (runId: string, found: { nodeId: string | null } | undefined) => found && tell(runId, found.nodeId)
  const parentId = endings[0]?.parentId ?? null
  const ended = endings.filter(({ continuedAs }) => continuedAs === null).map(({ runId }) => runId)
  if (parentId !== null && ended.length > 0) tellOf(parentId, await tellParent(db, parentId, ended))
  await onEnded(endings.map(({ runId }) => runId))
  const settled: string[] = []
  for (const ending of endings) {
    const { runId, tenantId, continuedAs, isOfSession, hasChildren } = ending
    if (continuedAs !== null) tellOf(continuedAs, await passOn(db, runId, continuedAs))
    else if (isOfSession) await takeUpLeftOver(runId, tenantId)
    const orphans = hasChildren ? await listOrphans(db, ending, orphansAtOnce) : []
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
