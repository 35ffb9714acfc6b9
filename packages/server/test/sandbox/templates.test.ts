/** Templates: prepared once, through the proxy, and begun from by any number of sandboxes. */
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { createTemplate } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import type { z } from 'zod'
import { sql } from '../../src/db/index.ts'
import { openWorld } from '../support/egress-world.ts'
import { type BedOptions, type ManagedBed, create, makeCaller, openManagedBed, script } from '../support/managed-bed.ts'
import { openPackageHosts, packageEnv, packageRules } from '../support/package-hosts.ts'
import { isHere, usableModes } from '../support/sandbox-modes.ts'
import { base64 } from '../support/sandbox-suite.ts'

const isReal = usableModes().length > 0
const hasPackageManagers = isReal && ['npm', 'python3', 'git'].every((program) => isHere(program, 'packages of templates'))

type Input = z.input<(typeof createTemplate)['input']>
const prepare = (bed: ManagedBed, caller: ReturnType<typeof makeCaller>, input: Input) =>
  bed.templates.service.create(caller, createTemplate.input.parse(input))

async function ended(bed: ManagedBed, caller: ReturnType<typeof makeCaller>, ref: string) {
  const end = performance.now() + 60_000
  for (;;) {
    const found = await bed.templates.service.get(caller, ref)
    if (found.state !== 'preparing') return found
    if (performance.now() > end) throw new Error(`It is still at ${found.step}:\n${found.log}`)
    await new Promise((resolve) => setTimeout(resolve, 50))
  }
}
const open = (options: BedOptions = {}) => openManagedBed(options)
const archivesOf = (bed: ManagedBed) => (existsSync(join(bed.folder, 'blobs/snapshots')) ? readdirSync(join(bed.folder, 'blobs/snapshots')) : [])

test.skipIf(!hasPackageManagers)('npm, pip and git install through the proxy once; sandboxes made from it have everything and no way out', async () => {
  using hosts = openPackageHosts()
  await using world = await openWorld({}, hosts.serve)
  await using bed = await open({ reach: world.reach })
  const caller = makeCaller()
  const made = await prepare(bed, caller, {
    name: 'data',
    packages: { npm: ['greeting@1.0.0'], pip: ['greeting==1.0'] },
    commands: ['git clone --quiet https://git.test/repository.git repository', 'cp given repository/given; echo done'],
    files: [{ path: 'given', base64: base64('seeded\n') }],
    env: packageEnv,
    egress: { rules: packageRules },
  })
  expect(made).toMatchObject({ name: 'data', version: 1, state: 'preparing', stepCount: 4 })
  const ready = await ended(bed, caller, 'data')
  expect(ready).toMatchObject({ state: 'ready', problem: null, stepsDone: 4, step: null })
  expect(ready.log).toMatch(/\$ npm install greeting@1\.0\.0\n[^]*added 1 package[^]*\$ pip install greeting==1\.0\n[^]*Successfully installed[^]*\ndone\n/)

  const asked = world.seen.length
  const sandbox = await create(bed, caller, { template: 'data' })
  expect(sandbox).toMatchObject({ madeFrom: { templateId: ready.id }, env: packageEnv, egress: null })
  const look = `node -p "require('greeting')"; python3 -c 'import greeting; print(greeting.text)'; cat repository/readme repository/given; ls -A`
  const { stdout } = await script(bed, caller, sandbox.id, look)
  expect(stdout).toMatch(/^hello from npm\nhello from pip\nhello from git\nseeded\n/)
  expect(stdout).not.toMatch(/\.preparation|\.npm|\.cache/) // What the programs kept for themselves.
  expect((await script(bed, caller, sandbox.id, 'curl -sS -m 5 https://npm.test/greeting || echo closed')).stdout).toBe('closed\n')
  expect(world.seen).toHaveLength(asked)
  // It is the sandbox's own from then on.
  await script(bed, caller, sandbox.id, 'echo spoilt > node_modules/greeting/index.js')
  expect((await script(bed, caller, (await create(bed, caller, { template: 'data@1' })).id, `node -p "require('greeting')"`)).stdout).toBe('hello from npm\n')
  expect([ready.useCount, (await ended(bed, caller, 'data')).useCount]).toEqual([0, 2])
})

test.skipIf(!isReal)('a preparation that fails says at which step, how, and what was written; what no rule names is not reached', async () => {
  await using world = await openWorld()
  await using bed = await open({ reach: world.reach })
  const caller = makeCaller()
  await prepare(bed, caller, { name: 'bad', commands: ['echo fine > a', 'echo words; echo complaint >&2; exit 7', 'echo never'] })
  const failed = await ended(bed, caller, 'bad')
  expect(failed).toMatchObject({ state: 'failed', stepsDone: 1, step: 'echo words; echo complaint >&2; exit 7' })
  expect(failed.problem).toMatch(/^Step 2 of 3 failed \(echo words.*\): exit code 7\.\n(words\ncomplaint|complaint\nwords)$/)
  expect(failed.log).not.toContain('never\n')
  await expect(create(bed, caller, { template: 'bad' })).rejects.toMatchObject({ code: 'conflict', message: expect.stringContaining('Step 2 of 3') })
  await expect(create(bed, caller, { template: 'none' })).rejects.toMatchObject({ code: 'not_found' })

  await prepare(bed, caller, { name: 'slow', commands: ['sleep 60'], timeoutMs: 1_000 })
  expect((await ended(bed, caller, 'slow')).problem).toContain('longer than 1000 ms')

  // Deny by default, and the same with a rule that lets it through.
  const asks = 'curl -sS -m 5 -f http://shop.test/ > page'
  await prepare(bed, caller, { name: 'closed', commands: [asks], egress: { rules: [{ host: 'other.test' }] } })
  expect(await ended(bed, caller, 'closed')).toMatchObject({ state: 'failed', problem: expect.stringContaining('403') })
  expect(world.seen).toHaveLength(0)
  await prepare(bed, caller, {
    name: 'open',
    commands: [asks],
    egress: { rules: [{ host: 'shop.test', credential: { header: 'authorization', value: 'Bearer hidden' } }] },
  })
  expect(await ended(bed, caller, 'open')).toMatchObject({ state: 'ready' })
  expect(world.seen[0]?.headers['authorization']).toBe('Bearer hidden')
  const rows = await bed.db.rows(sql`select * from templates`)
  expect(JSON.stringify(rows)).not.toContain('hidden')
  // Nothing of a preparation is left but archives of those that are ready.
  expect(readdirSync(join(bed.folder, 'sandboxes')).filter((name) => !name.startsWith('.'))).toEqual([])
  expect(archivesOf(bed)).toHaveLength(1)
})

test.skipIf(!isReal)('versions are counted, build on others, belong to whoever may see them, and are deleted with their archives', async () => {
  await using bed = await open()
  const [caller, limited, foreign] = [makeCaller(), makeCaller('acme', true), makeCaller('other')]
  await prepare(bed, caller, { name: 'base', commands: ['echo one > n'], env: { KIND: 'base' }, limits: { diskBytesMax: 50_000_000 } })
  await ended(bed, caller, 'base')
  await prepare(bed, caller, { name: 'base', from: 'base', commands: ['echo two >> n; echo $KIND > kind'] })
  expect(await ended(bed, caller, 'base')).toMatchObject({ version: 2, state: 'ready' })
  const made = await create(bed, caller, { template: 'base', env: { MORE: 'm' } })
  expect(made).toMatchObject({ env: { KIND: 'base', MORE: 'm' }, limits: { diskBytesMax: 50_000_000 } })
  expect((await script(bed, caller, made.id, 'cat n kind')).stdout).toBe('one\ntwo\nbase\n')
  // A newer version that is not ready is not what a name means to a new sandbox.
  await prepare(bed, caller, { name: 'base', commands: ['false'] })
  await ended(bed, caller, 'base')
  expect((await script(bed, caller, (await create(bed, caller, { template: 'base' })).id, 'wc -l < n')).stdout).toBe('2\n')

  for (const other of [limited, foreign]) {
    await expect(create(bed, other, { template: 'base' })).rejects.toMatchObject({ code: 'not_found' })
    await expect(bed.templates.service.get(other, 'base')).rejects.toMatchObject({ code: 'not_found' })
    expect((await bed.templates.service.list(other, { limit: 10 })).items).toEqual([])
  }
  await expect(prepare(bed, limited, { name: 'base', commands: ['true'] })).rejects.toMatchObject({ code: 'conflict' })
  await prepare(bed, limited, { name: 'mine', commands: ['true'] })
  expect(await ended(bed, limited, 'mine')).toMatchObject({ state: 'ready' })

  expect((await bed.templates.service.list(caller, { limit: 2, name: 'base' })).items.map(({ version }) => version)).toEqual([3, 2])
  const before = archivesOf(bed).length
  expect(await bed.templates.service.delete(caller, 'base@1')).toMatchObject({ version: 1 })
  expect(archivesOf(bed)).toHaveLength(before - 1)
  await expect(bed.templates.service.get(caller, 'base@1')).rejects.toMatchObject({ code: 'not_found' })
  // One that is being prepared ends with it.
  await prepare(bed, caller, { name: 'endless', commands: ['sleep 100'], timeoutMs: 200_000 })
  const { id } = await bed.templates.service.get(caller, 'endless')
  await bed.templates.service.delete(caller, id)
  expect(existsSync(join(bed.folder, 'sandboxes', id))).toBe(false)
})

test.skipIf(!isReal)('a restart fails what was being prepared; the quota counts; what nobody uses goes, but the newest that is ready stays', async () => {
  await using bed = await open({ countMax: 4, templateKeepMs: 60_000 })
  const caller = makeCaller()
  await prepare(bed, caller, { name: 'cut', commands: ['sleep 100'], timeoutMs: 200_000 })
  await bed.restart()
  expect(await bed.templates.service.get(caller, 'cut')).toMatchObject({ state: 'failed', problem: expect.stringContaining('stopped while it was prepared') })
  for (const command of ['echo 1', 'echo 2', 'echo 3']) {
    await prepare(bed, caller, { name: 'kept', commands: [command] })
    await ended(bed, caller, 'kept')
  }
  await expect(prepare(bed, caller, { name: 'more', commands: ['true'] })).rejects.toMatchObject({
    code: 'over_limit',
    message: expect.stringContaining('LONGHAUL_SANDBOXES_PER_TENANT'),
  })
  expect(await bed.templates.collect()).toBe(0) // All were used a moment ago.
  await bed.db.rows(sql`update templates set used_at = now() - interval '1 hour'`)
  await create(bed, caller, { template: 'kept@2' })
  expect(await bed.templates.collect()).toBe(2)
  const left = (await bed.templates.service.list(caller, { limit: 10 })).items.map(({ name, version }) => `${name}@${version}`)
  expect(left).toEqual(['kept@3', 'kept@2'])
  expect(archivesOf(bed)).toHaveLength(2)
})
