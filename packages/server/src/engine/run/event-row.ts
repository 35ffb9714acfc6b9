/** One event as the flush takes it. */
import { hash as digest } from 'node:crypto'
import { type Failure, journalHash, storableText } from '@longhaul/protocol'
import type { NewEvent } from '../history.ts'

export const sha256 = (text: string): string => digest('sha256', text, 'hex')

type Place = { runId: string; tenantId: string; epoch: number; seq: number; previousHash: string }

/** One row of the journal as the flush takes it. Its hash covers the hash before it, so that no row can be changed, dropped or moved unseen. */
export function eventRow({ runId, tenantId, epoch, seq, previousHash }: Place, { type, op, data }: NewEvent, isNew = false): { text: string; hash: string } {
  const text = JSON.stringify(data)
  const hash = journalHash(sha256, previousHash, runId, { seq, type, op: op ?? null, data: text })
  return {
    text: `{"r":"${runId}","s":${seq},"n":${JSON.stringify(tenantId)},"e":${epoch},"t":"${type}",${op === undefined ? '' : `"o":"${op}",`}${isNew ? '"new":true,' : ''}"h":"\\\\x${hash}","d":${text}}`,
    hash,
  }
}

/** Texts of others, made such that the database takes them. */
export const storable = (failure: Failure): Failure => ({
  ...failure,
  message: storableText(failure.message),
  ...(failure.code !== undefined && { code: storableText(failure.code) }),
  ...(failure.stack !== undefined && { stack: storableText(failure.stack) }),
})
