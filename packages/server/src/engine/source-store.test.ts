import { expect, test } from 'vitest'
import { type Script, everyone, fact, startEngine } from '../../test/support/engine.ts'
import { makeDatabase } from '../../test/support/postgres.ts'
import { sql } from '../db/index.ts'
import { findApprovalWithSources } from './source-store.ts'

const page = (text: string, length: number) => ({ output: text + ' '.repeat(length), parts: [], source: 'web', origin: 'evil.example' })

test('how the run began is always looked through, the rest from the newest on, and what is left out is said', async () => {
  await using t = await makeDatabase()
  const script: Script = async (ctx) => {
    await ctx.tool('read', {}, () => page('first@evil.example', Number(ctx.input === 'long') * 600_000))
    await ctx.tool('read', {}, () => page('last@evil.example', 600_000))
    const input = ['first@evil.example', 'last@evil.example', String(ctx.input)]
    ctx.send({ type: 'op.wait', run: ctx.run.run, op: '90', kind: 'approval', name: 'Send it?', timeoutMs: null, detail: { tool: 'send', input } })
    return ctx.signal('never')
  }
  await using e = await startEngine(t.db, { code: script })
  const ask = async (input: string) => {
    const { id } = await e.start('code', input)
    const [row] = await fact(
      () => t.db.rows<{ id: string }>(sql`select id from approvals where run_id = ${id}`),
      (rows) => rows.length === 1,
    )
    const found = await findApprovalWithSources(t.db.forTenant(everyone.tenantId), everyone, row?.id ?? '')
    return { isCut: found?.isCut, kinds: found?.sources.map(({ kind }) => kind) }
  }
  expect(await ask('long')).toEqual({ isCut: true, kinds: ['agent', 'step', 'asker'] })
  expect(await ask('short')).toEqual({ isCut: false, kinds: ['step', 'step', 'asker'] })
})
