/** Folders of the server's machine in sandboxes: who is shown which is policy's to say, and what is shown cannot be changed. */
import { chmodSync, copyFileSync, existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { AgentSandbox, type ExecResult, type Permission, type StepNotes } from '@longhaul/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { z } from 'zod'
import { type ExecutorPorts, foldersForAskers, makeExecutors } from '../../src/agents/index.ts'
import type { StepContext } from '../../src/engine/run/ports.ts'
import { openPolicies } from '../../src/identity/index.ts'
import { newId, silentLog } from '../../src/kernel/index.ts'
import { DeclaredFolders, openDataFolders } from '../../src/sandbox/index.ts'
import { type BedOptions, openManagedBed } from '../support/managed-bed.ts'
import { noAttachments } from '../support/no-attachments.ts'
import { openPackageHosts } from '../support/package-hosts.ts'
import { batteryModes, isHere, startDriver, usableModes } from '../support/sandbox-modes.ts'
import { failureOf, freshId, sh } from '../support/sandbox-suite.ts'

/** `sales` with a file that nobody else may read and a link that leads out, beside `hr`. */
function makeData() {
  const path = mkdtempSync(join(tmpdir(), 'longhaul-data-'))
  chmodSync(path, 0o755)
  const at = (...names: string[]) => join(path, ...names)
  for (const name of ['sales', 'hr']) mkdirSync(at(name))
  writeFileSync(at('sales/orders.csv'), 'one,1\n')
  writeFileSync(at('hr/pay.csv'), 'ada,100\n')
  symlinkSync('../hr', at('sales/up'))
  symlinkSync(at('hr/pay.csv'), at('sales/absolute'))
  for (const name of ['sales', 'hr', 'sales/orders.csv', 'hr/pay.csv']) chmodSync(at(name), 0o777) // Only the mount is in the way of writing.
  return { at, [Symbol.dispose]: () => rmSync(path, { recursive: true, force: true }) }
}

for (const mode of batteryModes())
  describe(mode.name, () => {
    const data = makeData()
    let driver: Awaited<ReturnType<typeof startDriver>>
    beforeAll(async () => {
      driver = await startDriver(mode, { poolSize: 1 })
      await driver.sweep()
    })
    afterAll(async () => {
      await driver[Symbol.asyncDispose]()
      data[Symbol.dispose]()
    })

    test('what is shown can be read and not changed, and leads to nothing else', async () => {
      const id = freshId()
      const mounts = [{ name: 'sales', path: data.at('sales') }]
      const sandbox = await driver.create({ id, mounts })
      expect(
        (
          await sh(
            sandbox,
            'cat /data/sales/orders.csv; cd /data; echo *; cd /workspace; cp /data/sales/orders.csv . && echo more >> orders.csv && cat orders.csv',
          )
        ).stdout,
      ).toBe('one,1\nsales\none,1\nmore\n')
      const attempts = [
        'echo x >> /data/sales/orders.csv',
        ': > /data/sales/new',
        'rm -f /data/sales/orders.csv',
        'chmod 777 /data/sales/orders.csv',
        'mv /data/sales /data/other',
        'mkdir /data/new',
        'mount -o remount,rw /data/sales',
        'umount /data/sales',
        'cat /data/sales/up/pay.csv',
        'cat /data/sales/absolute',
        'cat /data/hr/pay.csv',
        `cat ${data.at('hr/pay.csv')}`,
      ]
      const { stdout } = await sh(sandbox, attempts.map((each, at) => `(${each}) >out 2>/dev/null && echo "${at} worked"; cat out`).join('\n'))
      expect(stdout).toBe('')
      expect([readFileSync(data.at('sales/orders.csv'), 'utf8'), readdirSync(data.at('sales')).length]).toEqual(['one,1\n', 3])
      // One that asked for nothing has nothing, in place of what was started ahead of time or beside it.
      expect((await sh(await driver.create({ id: freshId() }), 'cd /data 2>/dev/null && echo *; echo over')).stdout).toMatch(/^(\*\n)?over\n$/)
      // Its processes end and come back: the folder with them.
      await sandbox.stop()
      expect((await sh(await driver.create({ id, mounts }), 'cat /data/sales/orders.csv orders.csv')).stdout).toBe('one,1\none,1\nmore\n')
    })
  })

const isReal = usableModes().length > 0
const hasPackageManagers = isReal && ['npm', 'python3'].every((program) => isHere(program, 'packages in folders'))
const boss = { tenantId: 'acme', askerId: undefined, keyId: 'k', name: 'boss', permissions: ['policies:manage' as Permission], access: { personalData: true } }
const adaSees = 'permit (principal == Key::"ada", action == Action::"sandboxes.mount", resource == Folder::"sales");'

/** The server's own executors, policies and folders, for an agent that declares these. */
async function openWorld(options: BedOptions = {}, everyone = false) {
  const data = makeData()
  const bed = await openManagedBed(options)
  const policies = openPolicies({ db: bed.db, log: silentLog })
  const declared = DeclaredFolders.parse({
    sales: { path: data.at('sales'), tenants: ['acme'], everyone },
    hr: { path: data.at('hr'), tenants: ['acme'] },
  })
  const audited: { target: string; outcome: string; who: string }[] = []
  const audit = {
    note: async (_: string, { target, outcome, who }: { target?: string | null; outcome: string; who: { id: string } }) =>
      void audited.push({ target: target ?? '', outcome, who: who.id }),
  }
  const chooseFolders = foldersForAskers({ folders: openDataFolders(declared, bed.folder), policies, audit: audit as never }) // It takes more than is looked at here.
  type About = { who?: string; tenantId?: string; runId?: string; sessionId?: string; folders: z.input<typeof AgentSandbox>['folders']; limits?: object }
  return {
    ...{ data, bed, audited },
    put: (name: string, text: string) => policies.put(boss, { name, text, description: '' }),
    drop: (name: string) => policies.delete(boss, name),
    async run(script: string, { who = 'ada', tenantId = 'acme', runId = newId(), sessionId, folders, limits }: About) {
      const tools = { manifestOf: async () => ({ sandbox: AgentSandbox.parse({ folders, limits }) }), egressOf: async () => undefined }
      const ports = { sandboxes: bed.runs, attachments: noAttachments, tools, egressHosts: [], chooseFolders, folderOf: () => join(bed.folder, 'version') }
      const { exec } = makeExecutors(ports as unknown as ExecutorPorts) // Nothing of the rest is used here.
      const noted: StepNotes = {}
      const asker = { id: who, name: who, access: { personalData: who === 'ada' } }
      const context = {
        run: { id: runId, tenantId, namespace: 'default', agent: 'agent', version: 'v1', sessionId: sessionId ?? null, asker },
        ...{ signal: new AbortController().signal, labels: [], live: () => {}, note: (more: StepNotes) => void Object.assign(noted, more) },
      } as unknown as StepContext // As above.
      try {
        const done = await exec?.execute({ script, timeoutMs: 30_000 }, context)
        return { stdout: (done?.output as ExecResult | undefined)?.stdout, noted } // What the executor gives.
      } catch (error) {
        return { failure: await failureOf(Promise.reject(error)), noted }
      }
    },
    async [Symbol.asyncDispose]() {
      await bed[Symbol.asyncDispose]()
      data[Symbol.dispose]()
    },
  }
}

const read = 'cat /data/sales/orders.csv 2>/dev/null || echo none'

test.skipIf(!isReal)('without a policy nobody is shown a folder; with one whoever it permits is, until it is taken back', async () => {
  await using t = await openWorld()
  const folders = { sales: {} }
  const refused = await t.run(read, { folders })
  expect(refused.failure).toMatchObject({ code: 'forbidden', retryable: false, message: expect.stringContaining('no policy permits it') })
  expect(refused.noted.folders).toEqual([{ name: 'sales', mode: 'read', outcome: 'refused', policies: [] }])
  await t.put('ada-sees', adaSees)
  expect(await t.run(read, { folders })).toEqual({
    stdout: 'one,1\n',
    noted: { folders: [{ name: 'sales', mode: 'read', outcome: 'permitted', policies: ['ada-sees'] }] },
  })
  // Another asker, another folder, and another tenant, whose name for it means nothing.
  expect((await t.run(read, { folders, who: 'bob' })).failure?.code).toBe('forbidden')
  expect((await t.run(read, { folders: { hr: {} } })).failure?.message).toMatch(/folder hr.*no policy permits it/)
  expect((await t.run(read, { folders, tenantId: 'globex' })).failure?.message).toMatch(/declares no folder sales for the tenant globex/)
  expect(t.audited).toContainEqual({ target: 'sales', outcome: 'refused', who: 'bob' })
  // What forbids goes before what permits.
  await t.put('nothing', 'forbid (principal, action == Action::"sandboxes.mount", resource) when { context.agent == "agent" };')
  expect((await t.run(read, { folders })).failure?.message).toMatch(/forbidden by the policy nothing/)
  await t.drop('nothing')
  expect((await t.run(read, { folders })).stdout).toBe('one,1\n')
  await t.drop('ada-sees')
  expect((await t.run(read, { folders })).failure?.code).toBe('forbidden')
})

test.skipIf(!isReal)('a folder for everyone is everyone’s but for whom a policy forbids it, by the asker’s data access', async () => {
  await using t = await openWorld({}, true)
  const folders = { sales: {} }
  expect((await t.run(read, { folders, who: 'bob' })).noted.folders).toEqual([{ name: 'sales', mode: 'read', outcome: 'everyone', policies: [] }])
  await t.put('personal', 'forbid (principal, action == Action::"sandboxes.mount", resource) unless { context.asker.personalData };')
  expect((await t.run(read, { folders, who: 'bob' })).failure?.code).toBe('forbidden')
  expect((await t.run(read, { folders, who: 'ada' })).stdout).toBe('one,1\n')
})

test.skipIf(!isReal)('what is optional and refused is not there, and nothing of it is left in the workspace of whoever lost the right', async () => {
  await using t = await openWorld()
  const folders = { sales: { mode: 'copy' as const, isOptional: true }, hr: { isOptional: true } }
  await t.put('ada-sees', adaSees)
  const about = { folders, runId: newId(), sessionId: 's' }
  const change = 'echo two,2 >> data/sales/orders.csv; cat data/sales/orders.csv; cd /data; echo *'
  expect((await t.run(change, about)).stdout).toBe('one,1\ntwo,2\nsales\n')
  expect(readFileSync(t.data.at('sales/orders.csv'), 'utf8')).toBe('one,1\n')
  expect((await t.run('cat data/sales/orders.csv', about)).stdout).toBe('one,1\ntwo,2\n')
  await t.drop('ada-sees')
  const later = await t.run('find . /data -name orders.csv 2>/dev/null; echo over', about)
  expect(later.stdout).toBe('over\n')
  expect(later.noted.folders?.map(({ outcome }) => outcome)).toEqual(['refused', 'refused'])
})

test.skipIf(!isReal)('a copy is bounded by the workspace, and one that has no room leaves nothing half', async () => {
  await using t = await openWorld({}, true)
  writeFileSync(t.data.at('sales/large'), Buffer.alloc(6_000_000, 1), { mode: 0o644 })
  const runId = newId()
  const folders = { sales: { mode: 'copy' as const } }
  const full = await t.run('true', { folders, runId, limits: { diskBytesMax: 3_000_000 } })
  expect(full.failure).toMatchObject({ code: 'over_limit', message: expect.stringMatching(/folder sales could not be copied.*mode read/) })
  expect((await t.run('cd data/sales; echo *', { folders, runId, limits: { diskBytesMax: 30_000_000 } })).stdout).toBe('absolute large orders.csv up\n')
})

test.skipIf(!hasPackageManagers)('packages that lie in a folder are installed from it, without any way out', async () => {
  using packages = openPackageHosts()
  await using t = await openWorld({}, true)
  for (const file of packages.files) {
    copyFileSync(file, t.data.at('sales', basename(file)))
    chmodSync(t.data.at('sales', basename(file)), 0o644)
  }
  const script = [
    'npm install --silent --offline /data/sales/greeting-1.0.0.tgz && node -p "require(\'greeting\')"',
    'PIP_BREAK_SYSTEM_PACKAGES=1 python3 -m pip install --quiet --user --no-index --find-links=/data/sales greeting && python3 -c "import greeting; print(greeting.text)"',
  ].join('\n')
  expect((await t.run(script, { folders: { sales: {} } })).stdout).toMatch(/hello from npm\nhello from pip\n$/)
})

test.skipIf(!isReal)('a driver that cannot show a folder says so, before anything is made', async () => {
  await using t = await openWorld({ driver: 'virtual' }, true)
  const runId = newId()
  expect((await t.run('echo made', { folders: { sales: {} }, runId })).failure).toMatchObject({
    code: 'not_permitted',
    message: expect.stringMatching(/driver virtual cannot show folders.*bwrap, gvisor/),
  })
  expect(existsSync(join(t.bed.folder, 'sandboxes', runId))).toBe(false)
  expect((await t.run('echo made', { folders: {}, runId })).stdout).toBe('made\n')
})
