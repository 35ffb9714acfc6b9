import { createHash, generateKeyPairSync, sign } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type AuditEntry, auditHash, auditHeadText, firstHash } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { startFakeApi } from './support/fake-api.ts'
import { command } from './support/run-command.ts'
import { tempFolder } from './support/temp-folder.ts'

const at = '2026-11-21T02:00:00.000Z'
const keys = generateKeyPairSync('ed25519')
const publicKey = keys.publicKey.export({ type: 'spki', format: 'der' }).toString('base64')
const sha256 = (text: string) => createHash('sha256').update(text).digest('hex')

function chainOf(targets: string[]): AuditEntry[] {
  let hash = firstHash
  return targets.map((target, i) => {
    const bare = { seq: i + 1, at, who: { id: 'k', name: 'boss' }, action: 'runs.start', target, outcome: 'done' as const, detail: {}, requestId: null }
    return { ...bare, hash: (hash = auditHash(sha256, hash, 'acme', bare)) }
  })
}
function headOf({ seq, hash }: AuditEntry, tenantId = 'acme') {
  const head = { tenantId, seq, hash, at }
  return { ...head, publicKey, signature: sign(null, Buffer.from(auditHeadText(head)), keys.privateKey).toString('base64') }
}

test('a chain is held against all heads that were shipped, as lines or as webhooks, from the server or a file', async () => {
  const chain = chainOf(['a', 'b', 'c', 'd'])
  const rewritten = chainOf(['a', 'b', 'x', 'd'])
  const folder = await tempFolder()
  const file = async (name: string, ...lines: unknown[]) => writeFile(join(folder, name), lines.map((line) => `${JSON.stringify(line)}\n`).join(''))
  await file('heads.jsonl', headOf(chain[0]!), { type: 'audit.heads', timestamp: at, data: { heads: [headOf(chain[1]!), headOf(chain[0]!, 'globex')] } })
  await file('later.jsonl', headOf(chain[0]!), headOf(chain[3]!))
  await file('forged.jsonl', { ...headOf(chain[3]!), hash: rewritten[3]!.hash })
  await file('foreign.jsonl', headOf(chain[3]!, 'globex'))
  await file('export.jsonl', { type: 'audit', tenantId: 'acme', after: 0 }, ...rewritten)

  await using whole = await startFakeApi({ answers: { 'audit.export': { tenantId: 'acme', items: chain, next: null } } })
  await using changed = await startFakeApi({ answers: { 'audit.export': { tenantId: 'acme', items: rewritten, next: null } } })
  const verify = async (api: typeof whole, ...args: string[]) => {
    const { exit, out, err } = await command(api, ['audit', 'verify', ...args, '--json'], { folder })
    return [exit, err === '' && exit < 2 ? (JSON.parse(out) as { problem: string | null }).problem : out]
  }
  expect(await verify(whole, '--heads', 'heads.jsonl')).toEqual([0, null])
  expect(await verify(whole, '--heads', 'later.jsonl')).toEqual([0, null])
  expect(await verify(changed, '--heads', 'heads.jsonl')).toEqual([0, null]) // They are from before it was written anew.
  expect(await verify(changed, '--heads', 'later.jsonl')).toEqual([1, expect.stringMatching(/^The chain up to entry 4 was written anew/)])
  expect(await verify(changed, '--file', 'export.jsonl', '--heads', 'later.jsonl')).toEqual([1, expect.stringMatching(/^The chain up to entry 4/)])
  expect(await verify(whole, '--heads', 'forged.jsonl')).toEqual([2, expect.stringContaining('signature of the head at entry 4 is wrong')])
  expect(await verify(whole, '--heads', 'foreign.jsonl')).toEqual([2, expect.stringContaining('None of the heads is of the tenant acme')])
})

test('a head is printed as it is kept, and how far behind its copies are stands beside it', async () => {
  const head = headOf(chainOf(['a'])[0]!)
  const shipping = { target: 'file /mnt/heads.jsonl', lastAt: at, behind: 3, problem: 'ENOSPC' }
  await using api = await startFakeApi({ answers: { 'audit.head': { ...head, shipping } } })
  const { out, err } = await command(api, ['audit', 'head'])
  expect(JSON.parse(out)).toEqual(head)
  expect(err).toMatch(/^ {2}Heads are shipped to file \/mnt\/heads\.jsonl: the last one arrived .+, 3 entries ago\. Now it fails: ENOSPC\n$/)
})
