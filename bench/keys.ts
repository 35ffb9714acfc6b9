/** Who may: keys, policies, tenant scope and the audit log, on a real PostgreSQL of their own. */
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { permissions } from '@longhaul/protocol'
import { type Db, engineRole, migrate, openDb, sql, startEmbedded } from '../packages/server/src/db/index.ts'
import {
  type Caller,
  openAudit,
  openIdentities,
  openKeys,
  openMasterKeys,
  openPolicies,
  openSecrets,
  openSigner,
} from '../packages/server/src/identity/index.ts'
import { silentLog as log } from '../packages/server/src/kernel/index.ts'
import { openOutbox } from '../packages/server/src/mail/index.ts'
import type { Line } from './line.ts'

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
    report('session_check', await sessionChecks(db, dataDir), emit)

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

    emit({ figure: 'journal_insert_ratio', value: await journalInsertRatio(owner, db), unit: 'ratio', n: roundCount * 2 })

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

/** Whose cookie it is, remembered for a second. */
async function sessionChecks(db: Db, dataDir: string): Promise<number[]> {
  const masterKeys = await openMasterKeys(dataDir, {})
  const limits = { lifeMs: 86_400_000, idleMs: 3_600_000, stepUpMs: 300_000 }
  const fetch = () => Promise.reject(new Error('There is no provider here.'))
  const outbox = openOutbox({ masterKey: masterKeys.current, isOn: false })
  const { people, signIn, logins } = openIdentities({ db, masterKeys, secrets: openSecrets({ db, masterKeys, log }), log, limits, outbox, fetch })
  const { link } = await people.invite(boss, { email: 'ann@example.com', name: 'ann', roles: ['operator'], access, language: 'en' })
  const joined = await signIn.join(
    { token: link.split('token=')[1] ?? '', password: 'correct horse battery' },
    { address: '127.0.0.1', agent: 'bench', origin: 'http://localhost' },
  )
  if (!('cookie' in joined)) throw new Error('Nobody is signed in.')
  const checked = await times(2_000, () => logins.authenticate(joined.cookie, 'browser'))
  await logins.stop()
  return checked
}

const roundCount = 60

/** The journal's rows under row-level security over the same rows without, by a superuser whom no policy holds; in turns, so that both have the same weather. */
async function journalInsertRatio(owner: Db, engine: Db): Promise<number> {
  const data = { kind: 'step', name: 'work', attempt: 1, output: 'x'.repeat(1_000), durationMs: 0.01 }
  const taken = new Map<Db, number[]>([
    [owner, []],
    [engine, []],
  ])
  for (let round = 0; round < roundCount + 5; round++)
    for (const db of [owner, engine]) {
      const rows = JSON.stringify(Array.from({ length: 500 }, (_, seq) => ({ r: crypto.randomUUID(), s: seq, d: data })))
      const from = performance.now()
      await db.rows(sql`
        insert into events (run_id, seq, tenant_id, epoch, at, type, op, data, hash)
        select r, s, 'bench', 1, clock_timestamp(), 'step.completed', '0', d, '\\x00' from json_to_recordset(${rows}::json) as e(r uuid, s int, d json)`)
      if (round >= 5) taken.get(db)?.push(performance.now() - from)
    }
  const [without = [], under = []] = taken.values()
  return median(under.toSorted((a, b) => a - b)) / median(without.toSorted((a, b) => a - b))
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
