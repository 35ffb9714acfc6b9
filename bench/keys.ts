/** Who may: keys, policies, tenant scope and the audit log, on a real PostgreSQL of their own. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { permissions } from '@longhaul/protocol'
import { engineRole, migrate, openDb, sql, startEmbedded } from '../packages/server/src/db/index.ts'
import { type Caller, openAudit, openKeys, openPolicies, openSigner } from '../packages/server/src/identity/index.ts'
import { silentLog as log } from '../packages/server/src/kernel/index.ts'
import type { Line } from './main.ts'

const access = { personalData: true }
const boss: Caller = { tenantId: 'bench', askerId: undefined, keyId: 'k', name: 'boss', permissions, access }
const policyCount = 20

export async function keysBench(emit: (line: Line) => void): Promise<void> {
  const dataDir = await mkdtemp(join(tmpdir(), 'longhaul-bench-'))
  const postgres = await startEmbedded({ dataDir, log })
  const owner = openDb({ url: postgres.url, poolMax: 1, log })
  const db = openDb({ url: postgres.url, role: engineRole, log })
  try {
    await migrate(owner, { log })
    const keys = openKeys({ db, log })
    const secrets = await Promise.all(
      Array.from({ length: 200 }, async (_, i) => (await keys.createFirst('bench', { name: `k${i}`, role: 'operator', access })).secret),
    )
    const [secret = ''] = secrets
    report('key_check', await times(20_000, () => keys.authenticate(secret)), emit)
    let next = 0
    report('key_check_uncached', await times(1_000, () => openKeys({ db, log }).authenticate(secrets[next++ % secrets.length] ?? '')), emit)
    await keys.stop()

    const policies = openPolicies({ db, log })
    const request = {
      principal: { id: 'k1', name: 'ann', role: 'operator' },
      action: 'tools.call',
      resource: { type: 'Tool', id: 'refund' },
      context: {
        agent: 'support',
        namespace: 'prod',
        input: { amount: 50, currency: 'EUR', note: 'x'.repeat(500), lines: Array.from({ length: 20 }, (_, i) => ({ i })) },
      },
    }
    report('policy_check_none', await times(20_000, () => policies.whyNot('bench', request)), emit)
    for (let i = 0; i < policyCount; i++)
      await policies.put(boss, {
        name: `limit-${i}`,
        description: '',
        text: `forbid (principal in Role::"operator", action == Action::"tools.call", resource == Tool::"refund") when { context.input.amount > ${1_000 + i} };`,
      })
    report(`policy_check_${policyCount}`, await times(5_000, () => policies.whyNot('bench', request)), emit)

    // One row by its key: on a connection as it is, and with the tenant's role and name put on for it.
    const one = sql`select id from keys where tenant_id = 'bench' limit 1`
    const plain = await times(2_000, () => db.rows(one))
    const scoped = await times(2_000, () => db.forTenant('bench').rows(one))
    report('query', plain, emit)
    report('query_for_tenant', scoped, emit)
    emit({ figure: 'query_for_tenant_ratio', value: median(scoped) / median(plain), unit: 'ratio', n: 2_000 })

    const audit = openAudit({ db, signer: await openSigner(dataDir), log })
    await audit.append()
    const noteCount = 20_000
    const noting = performance.now()
    await Promise.all(
      Array.from({ length: 8 }, async (_, at) => {
        for (let i = at; i < noteCount; i += 8)
          await audit.note(`tenant-${i % 5}`, { who: { id: 'k', name: 'k' }, action: 'runs.start', target: String(i), detail: { i } })
      }),
    )
    emit({ figure: 'audit_notes_per_second', value: noteCount / ((performance.now() - noting) / 1_000), unit: 'notes/s', n: noteCount })
    const appending = performance.now()
    while ((await audit.append()) > 0);
    emit({ figure: 'audit_appended_per_second', value: noteCount / ((performance.now() - appending) / 1_000), unit: 'entries/s', n: noteCount })
    const verifying = performance.now()
    const { entryCount, isIntact } = await audit.verify('tenant-0')
    if (!isIntact) throw new Error('The chain is broken.')
    emit({ figure: 'audit_verified_per_second', value: entryCount / ((performance.now() - verifying) / 1_000), unit: 'entries/s', n: entryCount })
  } finally {
    await db.stop()
    await owner.stop()
    await postgres.stop()
    await rm(dataDir, { recursive: true, force: true })
  }
}

async function times(count: number, work: () => Promise<unknown>): Promise<number[]> {
  for (let i = 0; i < 200; i++) await work() // Warm.
  const taken: number[] = []
  for (let i = 0; i < count; i++) {
    const from = performance.now()
    await work()
    taken.push(performance.now() - from)
  }
  return taken.sort((a, b) => a - b)
}

const median = (sorted: number[]): number => sorted[sorted.length >> 1] ?? NaN

function report(name: string, sorted: number[], emit: (line: Line) => void): void {
  emit({ figure: `${name}_p50_ms`, value: median(sorted), unit: 'ms', n: sorted.length })
  emit({ figure: `${name}_p99_ms`, value: sorted[Math.floor(sorted.length * 0.99)] ?? NaN, unit: 'ms', n: sorted.length })
}
