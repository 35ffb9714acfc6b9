/** Sandboxes that callers make, name and keep. */
import { createHash } from 'node:crypto'
import { existsSync, readdirSync } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import { sql } from '../../src/db/index.ts'
import { bedDriver, create, makeCaller, openManagedBed, script } from '../support/managed-bed.ts'
import { usableModes } from '../support/sandbox-modes.ts'
import { base64 } from '../support/sandbox-suite.ts'

/** Reads until it is as wanted; throws with what was read last. */
async function until<Fact>(read: () => Promise<Fact>, isDone: (found: Fact) => boolean): Promise<Fact> {
  const end = performance.now() + 45_000
  for (;;) {
    const found = await read()
    if (isDone(found)) return found
    if (performance.now() > end) throw new Error(`It is still ${JSON.stringify(found)}`)
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}

const isReal = usableModes().length > 0

test.skipIf(!isReal)('a sandbox has a name, keeps its files and its environment through a restart, and ends when it is stopped', async () => {
  await using bed = await openManagedBed({ poolSize: 1 })
  const caller = makeCaller()
  const made = await create(bed, caller, { name: 'work', env: { GREETING: 'hello' } })
  expect(made).toMatchObject({ name: 'work', state: 'active', driver: bedDriver, env: { GREETING: 'hello' }, egress: null })
  expect(await script(bed, caller, 'work', 'echo $GREETING | tee note')).toMatchObject({ stdout: 'hello\n', exitCode: 0 })
  await expect(create(bed, caller, { name: 'work' })).rejects.toMatchObject({ code: 'conflict' })
  expect(await create(bed, caller, { name: 'work', ifExists: 'use' })).toMatchObject({ id: made.id })
  await bed.restart()
  expect((await script(bed, caller, made.id, 'cat note')).stdout).toBe('hello\n')
  expect(await bed.service.files(caller, 'work', { action: 'write', files: [{ path: 'a/b', base64: base64('x') }] })).toMatchObject({ count: 1 })
  expect(await bed.service.files(caller, 'work', { action: 'list', path: 'a' })).toMatchObject({ entries: [{ name: 'b', type: 'file', bytes: 1 }] })
  expect((await bed.service.stats(caller, 'work')).diskBytes).toBeGreaterThan(0)
  expect(await bed.service.stop(caller, 'work')).toMatchObject({ state: 'stopped' })
  expect(existsSync(join(bed.folder, 'sandboxes', made.id))).toBe(false)
  await expect(script(bed, caller, made.id, 'true')).rejects.toMatchObject({ code: 'conflict' })
  await expect(script(bed, caller, 'work', 'true')).rejects.toMatchObject({ code: 'not_found' })
  expect((await create(bed, caller, { name: 'work' })).id).not.toBe(made.id)
})

test.skipIf(!isReal)('a command reads what it is given while it runs, at its own pace, and the end of it', async () => {
  await using bed = await openManagedBed()
  const [caller, foreign] = [makeCaller(), makeCaller('other')]
  const { id } = await create(bed, caller)
  const text = async (processId: string) => (await bed.service.readOutput(caller, id, processId, -1)).items.map((piece) => piece.text).join('')
  const give = (processId: string, bytes: string | Uint8Array, isEnd = false) => bed.service.giveInput(caller, id, processId, Buffer.from(bytes), isEnd)
  const asking = await bed.service.start(caller, id, { script: 'while read -r line; do echo "got $line"; done; echo end', timeoutMs: 60_000 }, true)
  await give(asking.id, 'one\n')
  await until(
    () => text(asking.id),
    (found) => found === 'got one\n',
  )
  await expect(bed.service.giveInput(foreign, id, asking.id, Buffer.from('x'), true)).rejects.toMatchObject({ code: 'not_found' })
  await give(asking.id, 'two\n', true)
  await until(
    () => text(asking.id),
    (found) => found === 'got one\ngot two\nend\n',
  )
  await expect(give(asking.id, 'three\n')).rejects.toMatchObject({ code: 'conflict' })
  // More than pipes and buffers hold, in bytes that are no text: it arrives whole once it is read.
  const large = Buffer.alloc(900_000, Buffer.from([0, 255, 10, 13, 128]))
  const late = await bed.service.start(caller, id, { script: 'until [ -e go ]; do sleep 0.02; done; sha256sum', timeoutMs: 60_000 }, true)
  for (let i = 0; i < 2; i++) await give(late.id, large)
  const waiting = give(late.id, large).then(() => 'given')
  expect(await Promise.race([waiting, new Promise((resolve) => setTimeout(() => resolve('waits'), 300))])).toBe('waits')
  await script(bed, caller, id, ': > go')
  expect(await waiting).toBe('given')
  await give(late.id, '', true)
  const digest = createHash('sha256')
    .update(Buffer.concat([large, large, large]))
    .digest('hex')
  await until(
    () => text(late.id),
    (found) => found === `${digest}  -\n`,
  )
  // Whoever does not read is not waited for, and closed input is not open.
  const deaf = await bed.service.start(caller, id, { script: 'exec <&-; sleep 0.2', timeoutMs: 60_000 }, true)
  await give(deaf.id, large)
  await until(
    () => bed.service.processes(caller, id),
    (all) => all.find((each) => each.id === deaf.id)?.state === 'exited',
  )
  const plain = await bed.service.start(caller, id, { script: 'cat', timeoutMs: 60_000 })
  await expect(give(plain.id, 'x')).rejects.toMatchObject({ code: 'invalid' })
})

test.skipIf(!isReal)('whoever watches a folder hears what changes in it and below it, and nothing else', async () => {
  await using bed = await openManagedBed()
  const [caller, foreign] = [makeCaller(), makeCaller('other')]
  const { id } = await create(bed, caller)
  await script(bed, caller, id, 'mkdir -p in/deep out; echo old > in/gone; ln -s /etc in/away')
  const end = new AbortController()
  const heard = new Map<string, string>()
  let isPartial = false
  const ready = Promise.withResolvers<void>()
  const onChanges = (changes: { items: { path: string; change: string }[]; isPartial: boolean }) => {
    for (const { path, change } of changes.items) heard.set(path, change)
    isPartial ||= changes.isPartial
  }
  const watching = bed.service.watch(caller, id, 'in', { signal: end.signal, onReady: ready.resolve, onChanges })
  await ready.promise
  await script(bed, caller, id, 'echo x > in/new; echo y > in/deep/file; rm in/gone; echo z > out/file; mkdir in/later; sleep 0.2; echo > "in/later/odd\nname"')
  await until(
    async () => Object.fromEntries(heard),
    (found) => 'later/odd\nname' in found || Object.keys(found).some((path) => path.startsWith('later/odd')),
  )
  expect(heard.get('new')).toBe('changed')
  expect(heard.get('deep/file')).toBe('changed')
  expect(heard.get('gone')).toBe('removed')
  expect([...heard.keys()].filter((path) => path.includes('out') || path.startsWith('away/'))).toEqual([])
  expect(isPartial).toBe(false)
  // Thousands at once are told, or it is told that there was more.
  await script(bed, caller, id, 'cd in; seq 5000 | xargs touch')
  await until(
    async () => Array.from({ length: 5_000 }, (_, i) => heard.get(String(i + 1))).filter(Boolean).length,
    (count) => count === 5_000 || isPartial,
  )
  expect((await script(bed, caller, id, 'echo works')).stdout).toBe('works\n')
  end.abort()
  await watching
  const options = { signal: new AbortController().signal, onReady() {}, onChanges }
  await expect(bed.service.watch(caller, id, 'not-there', options)).rejects.toMatchObject({ code: 'not_found' })
  await expect(bed.service.watch(caller, id, '../..', options)).rejects.toMatchObject({ code: 'invalid' })
  await expect(bed.service.watch(foreign, id, 'in', options)).rejects.toMatchObject({ code: 'not_found' })
})

test.skipIf(!isReal)('another tenant, and a limited key beside its own, find nothing', async () => {
  await using bed = await openManagedBed()
  const [owner, limited, foreign] = [makeCaller(), makeCaller('acme', true), makeCaller('other')]
  const { id } = await create(bed, owner, { name: 'mine' })
  const kept = await bed.service.snapshot(owner, id, 'kept')
  const { id: processId } = await bed.service.start(owner, id, { script: 'sleep 60', timeoutMs: 60_000 })
  const { service } = bed
  for (const caller of [limited, foreign]) {
    for (const ref of [id, 'mine']) {
      const attempts = [
        service.get(caller, ref),
        service.exec(caller, ref, { script: 'true', timeoutMs: 1_000 }),
        service.start(caller, ref, { script: 'true', timeoutMs: 1_000 }),
        service.processes(caller, ref),
        service.readOutput(caller, ref, processId, -1),
        service.kill(caller, ref, processId),
        service.files(caller, ref, { action: 'list', path: '.' }),
        service.packTree(caller, ref, '.'),
        service.unpackTree(caller, ref, '.', Readable.from([])),
        service.snapshot(caller, ref, undefined),
        service.fork(caller, ref, {}),
        service.setEgress(caller, ref, null),
        service.connections(caller, ref, { limit: 10 }),
        service.stats(caller, ref),
        service.stop(caller, ref),
      ]
      const codes = (await Promise.allSettled(attempts)).map((each) => (each.status === 'rejected' ? (each.reason as { code: string }).code : 'worked'))
      expect(codes).toEqual(attempts.map(() => 'not_found'))
    }
    expect((await service.list(caller, { limit: 10 })).items).toEqual([])
    expect((await service.listSnapshots(caller, { limit: 10 })).items).toEqual([])
    await expect(create(bed, caller, { snapshot: kept.id })).rejects.toMatchObject({ code: 'not_found' })
    await expect(service.deleteSnapshot(caller, 'kept')).rejects.toMatchObject({ code: 'not_found' })
    // What is its own, it may use.
    const own = await create(bed, caller)
    expect((await script(bed, caller, own.id, 'echo own')).stdout).toBe('own\n')
    expect((await service.list(caller, { limit: 10 })).items.map((each) => each.id)).toEqual([own.id])
  }
  expect((await service.processes(owner, id)).map(({ state }) => state)).toEqual(['running'])
  expect((await service.list(owner, { limit: 10 })).items).toHaveLength(2) // A key without limits sees its tenant's.
})

test.skipIf(!isReal)('a process outlives the request that started it, its output is there later, and it ends when it is killed', async () => {
  await using bed = await openManagedBed()
  const caller = makeCaller()
  const { id } = await create(bed, caller)
  const { service } = bed
  const started = await service.start(caller, id, {
    script: 'echo one; echo two >&2; until [ -e go ]; do sleep 0.02; done; echo three; exec sleep 600',
    timeoutMs: 600_000,
  })
  expect(started).toMatchObject({ state: 'running', sandboxId: id, exitCode: null })
  const read = () => service.readOutput(caller, id, started.id, -1)
  await until(read, ({ items }) => items.length >= 2)
  await script(bed, caller, id, 'touch go') // Others work beside it.
  const { items } = await until(read, (found) => found.items.some(({ text }) => text.includes('three')))
  expect(items.map(({ stream, text }) => `${stream} ${text}`).toSorted((a, b) => (a < b ? -1 : 1))).toEqual(['stderr two\n', 'stdout one\n', 'stdout three\n'])
  expect((await service.readOutput(caller, id, started.id, items[1]?.seq ?? 0)).items).toHaveLength(1)
  expect(await service.kill(caller, id, started.id)).toMatchObject({ state: 'killed' })
  expect((await script(bed, caller, id, 'pgrep -c -x sleep')).stdout).toBe('0\n')
  const quick = await service.start(caller, id, { script: 'exit 3', timeoutMs: 10_000 })
  await service.waitForOutput(caller, id, quick.id, -1, new AbortController().signal)
  expect((await service.processes(caller, id))[0]).toMatchObject({ id: quick.id, state: 'exited', exitCode: 3 })
  const late = await service.start(caller, id, { script: 'sleep 60', timeoutMs: 100 })
  expect(
    (
      await until(
        () => service.readOutput(caller, id, late.id, -1),
        ({ process }) => process.state !== 'running',
      )
    ).process,
  ).toMatchObject({ isTimedOut: true })
  await expect(service.kill(caller, id, '00000000-0000-7000-8000-000000000000')).rejects.toMatchObject({ code: 'not_found' })
})

test.skipIf(!isReal)('endless output keeps its end, and says how much is gone', async () => {
  await using bed = await openManagedBed()
  const caller = makeCaller()
  const { id } = await create(bed, caller)
  const { id: processId } = await bed.service.start(caller, id, { script: 'seq 1 600000; echo the end', timeoutMs: 60_000 })
  const { process, items, droppedCount } = await until(
    () => bed.service.readOutput(caller, id, processId, -1),
    (found) => found.process.state !== 'running',
  )
  expect(process).toMatchObject({ state: 'exited', exitCode: 0 })
  const text = items.map((each) => each.text).join('')
  expect(text.endsWith('600000\nthe end\n')).toBe(true)
  expect(text.length).toBeLessThanOrEqual(1_000_000)
  expect(droppedCount).toBeGreaterThan(0)
})

test.skipIf(!isReal)('a snapshot with a name is a template; forks and templates begin alike and go their own ways', async () => {
  await using bed = await openManagedBed({ poolSize: 2 })
  const caller = makeCaller()
  const { id } = await create(bed, caller, { limits: { memoryBytesMax: 300_000_000 }, env: { A: '1' } })
  await script(bed, caller, id, 'mkdir -p lib; echo prepared > lib/x; head -c 3M /dev/urandom > lib/big')
  const snapshot = await bed.service.snapshot(caller, id, 'prepared')
  expect(snapshot).toMatchObject({ name: 'prepared', sandboxId: id })
  await script(bed, caller, id, 'echo changed > lib/x')
  const [fork, first, second] = await Promise.all([
    bed.service.fork(caller, id, { name: 'forked' }),
    create(bed, caller, { snapshot: 'prepared' }),
    create(bed, caller, { snapshot: snapshot.id, limits: { memoryBytesMax: 200_000_000 } }),
  ])
  const read = async (sandbox: string) => (await script(bed, caller, sandbox, 'cat lib/x; echo $A')).stdout
  expect([await read(fork.id), await read(first.id), await read(second.id)]).toEqual(['changed\n1\n', 'prepared\n\n', 'prepared\n\n'])
  expect([fork.limits.memoryBytesMax, first.limits.memoryBytesMax, second.limits.memoryBytesMax]).toEqual([300_000_000, 300_000_000, 200_000_000])
  await expect(bed.service.snapshot(caller, id, 'prepared')).rejects.toMatchObject({ code: 'conflict' })
  expect(readdirSync(join(bed.folder, 'blobs/snapshots'))).toEqual([`${snapshot.id}.tar.zst`]) // Nothing of the one that failed.
  await bed.service.deleteSnapshot(caller, 'prepared')
  expect(readdirSync(join(bed.folder, 'blobs/snapshots'))).toEqual([])
  await expect(create(bed, caller, { snapshot: 'prepared' })).rejects.toMatchObject({ code: 'not_found' })
})

test.skipIf(!isReal)('an idle sandbox is put away and comes back on use; one in use stays', async () => {
  await using bed = await openManagedBed({ releaseMs: 1_000 })
  const caller = makeCaller()
  const [idle, busy] = [await create(bed, caller), await create(bed, caller)]
  await script(bed, caller, idle.id, 'echo kept > note; chmod 600 note')
  await bed.service.start(caller, busy.id, { script: 'sleep 600', timeoutMs: 600_000 })
  const ageBoth = () => bed.db.rows(sql`update sandboxes set used_at = used_at - interval '1 hour'`)
  await ageBoth()
  bed.wake()
  await until(
    () => bed.service.get(caller, idle.id),
    ({ state }) => state === 'released',
  )
  await until(
    async () => existsSync(join(bed.folder, 'sandboxes', idle.id)),
    (isThere) => !isThere,
  )
  expect((await bed.service.listSnapshots(caller, { limit: 10 })).items).toEqual([]) // It is nobody's but the sandbox's.
  expect(await bed.service.get(caller, busy.id)).toMatchObject({ state: 'active' })
  const both = await Promise.all([1, 2].map(() => script(bed, caller, idle.id, 'cat note; find note -printf "%m\\n"')))
  expect(both.map(({ stdout }) => stdout)).toEqual(['kept\n600\n', 'kept\n600\n'])
  expect(await bed.service.get(caller, idle.id)).toMatchObject({ state: 'active' })
  expect(readdirSync(join(bed.folder, 'blobs/snapshots'))).toEqual([])
  // Put away again and stopped: nothing is left of it.
  await ageBoth()
  bed.wake()
  await until(
    () => bed.service.get(caller, idle.id),
    ({ state }) => state === 'released',
  )
  await bed.service.stop(caller, idle.id)
  expect(readdirSync(join(bed.folder, 'blobs/snapshots'))).toEqual([])
})

test.skipIf(!isReal)('a sandbox is put away when its caller says so, with an end to its processes, and never under a command that is awaited', async () => {
  await using bed = await openManagedBed()
  const caller = makeCaller()
  const { id } = await create(bed, caller, { name: 'put' })
  await script(bed, caller, id, 'echo kept > note')
  await bed.service.start(caller, id, { script: 'sleep 60', timeoutMs: 60_000 })
  const awaited = script(bed, caller, id, ': > up; sleep 1.5; echo done')
  await until(
    () => bed.service.files(caller, id, { action: 'list', path: '.' }),
    (found) => found.action === 'list' && found.entries.some(({ name }) => name === 'up'),
  )
  await expect(bed.service.release(caller, id)).rejects.toMatchObject({ code: 'conflict', message: expect.stringContaining('in use') })
  expect((await awaited).stdout).toBe('done\n')
  await expect(bed.service.release(makeCaller('globex'), id)).rejects.toMatchObject({ code: 'not_found' })
  expect(await bed.service.release(caller, 'put')).toMatchObject({ state: 'released', diskBytes: 0 })
  expect(await bed.service.release(caller, 'put')).toMatchObject({ state: 'released' })
  expect((await script(bed, caller, id, 'cat note; pgrep -c sleep')).stdout).toBe('kept\n0\n')
  expect(await bed.service.get(caller, id)).toMatchObject({ state: 'active' })
  await bed.service.stop(caller, id)
  await expect(bed.service.release(caller, id)).rejects.toMatchObject({ code: 'conflict' })
})

test.skipIf(!isReal)('a command that comes while its sandbox is put away finds every file', async () => {
  await using bed = await openManagedBed({ releaseMs: 1_000 })
  const caller = makeCaller()
  const { id } = await create(bed, caller)
  await script(bed, caller, id, 'head -c 25M /dev/urandom > ballast; echo 0 > count')
  const archives = async () => (existsSync(join(bed.folder, 'blobs/snapshots')) ? readdirSync(join(bed.folder, 'blobs/snapshots')) : [])
  for (let round = 1; round <= 2; round++) {
    await bed.db.rows(sql`update sandboxes set used_at = used_at - interval '1 hour'`)
    bed.wake()
    await until(archives, (names) => names.length > 0) // It is being put away: now they come.
    const said = await Promise.all([1, 2].map(() => script(bed, caller, id, `echo ${round} >> count; wc -c < ballast`)))
    expect(said.map(({ stdout }) => stdout)).toEqual(['26214400\n', '26214400\n'])
    expect((await script(bed, caller, id, 'wc -l < count')).stdout).toBe(`${2 * round + 1}\n`)
    expect(await archives()).toEqual([])
  }
})

test.skipIf(!isReal)('a sandbox whose time is over ends, one that was used lives on', async () => {
  await using bed = await openManagedBed()
  const caller = makeCaller()
  const [old, young] = [await create(bed, caller), await create(bed, caller)]
  await bed.db.rows(sql`update sandboxes set expires_at = expires_at - interval '2 hours' where id = ${old.id}`)
  bed.wake()
  await until(
    () => bed.service.get(caller, old.id),
    ({ state }) => state === 'stopped',
  )
  await until(
    async () => existsSync(join(bed.folder, 'sandboxes', old.id)),
    (isThere) => !isThere,
  )
  expect(await bed.service.get(caller, young.id)).toMatchObject({ state: 'active' })
  expect((await bed.service.list(caller, { limit: 10 })).items.map(({ id }) => id)).toEqual([young.id])
})

test.skipIf(!isReal)('a tenant has no more sandboxes and bytes than it may, however many ask at once; another tenant is not held up', async () => {
  await using bed = await openManagedBed({ countMax: 3, diskBytesMax: 3_000_000, poolSize: 0 })
  const [caller, other] = [makeCaller(), makeCaller('other')]
  const outcomes = await Promise.allSettled(Array.from({ length: 6 }, () => create(bed, caller)))
  expect(outcomes.filter(({ status }) => status === 'fulfilled')).toHaveLength(3)
  for (const each of outcomes)
    if (each.status === 'rejected') expect(each.reason).toMatchObject({ code: 'over_limit', message: expect.stringContaining('LONGHAUL_SANDBOXES_PER_TENANT') })
  const { id } = await create(bed, other)
  await script(bed, other, id, 'head -c 4M /dev/urandom > big')
  await until(
    () => bed.service.get(other, id),
    ({ diskBytes }) => diskBytes > 3_000_000,
  )
  await expect(create(bed, other)).rejects.toMatchObject({ code: 'over_limit', message: expect.stringContaining('LONGHAUL_SANDBOX_DISK_BYTES_PER_TENANT') })
  await expect(bed.service.snapshot(other, id, undefined)).rejects.toMatchObject({ code: 'over_limit' })
  await bed.service.stop(other, id)
  await create(bed, other)
})

test.skipIf(!isReal)('a tree goes in and comes out as an archive, and a hostile one writes nothing outside', async () => {
  await using bed = await openManagedBed()
  const caller = makeCaller()
  const { id } = await create(bed, caller)
  await script(bed, caller, id, 'mkdir -p d/e; echo one > d/e/f; ln -s e d/link')
  const { stream, done } = await bed.service.packTree(caller, id, 'd')
  const pieces: Buffer[] = []
  for await (const piece of stream as AsyncIterable<Buffer>) pieces.push(piece)
  await done
  await bed.service.unpackTree(caller, id, 'copy/of', Readable.from(pieces))
  expect((await script(bed, caller, id, 'cat copy/of/link/f')).stdout).toBe('one\n')
  // Paths that climb, absolute ones, and a link that a later file would go through.
  await script(
    bed,
    caller,
    id,
    'mkdir h && echo slipped > h/x && tar -cPf slip.tar --transform "s,^h/x,../../../../workspace-slipped," h/x && tar -rPf slip.tar --transform "s,^h/x,/etc/slipped," h/x && ln -s /etc h/l && tar -rf slip.tar h/l && tar -rPf slip.tar --transform "s,^h/x,h/l/through," h/x && tar -rf slip.tar h/x',
  )
  const slip = await bed.service.files(caller, id, { action: 'read', path: 'slip.tar', bytesMax: 1_000_000 })
  const bytes = Buffer.from(slip.action === 'read' ? slip.base64 : '', 'base64')
  const outcome = await bed.service.unpackTree(caller, id, 'in', Readable.from([bytes])).then(
    () => 'done',
    (error: { code: string }) => error.code,
  )
  expect(['done', 'invalid']).toContain(outcome)
  expect((await script(bed, caller, id, 'cat in/h/x; ls /etc/slipped /etc/through /workspace-slipped 2>/dev/null | wc -l')).stdout).toBe('slipped\n0\n')
  expect(existsSync(join(bed.folder, 'sandboxes/workspace-slipped'))).toBe(false)
  await expect(bed.service.unpackTree(caller, id, 'x', Readable.from([Buffer.from('no archive at all'.repeat(100))]))).rejects.toMatchObject({
    code: 'invalid',
  })
  await expect(bed.service.packTree(caller, id, '../../etc')).rejects.toMatchObject({ code: 'invalid' })
})

test('in the virtual shell commands and files work, and what needs archives or a network says what it needs', async () => {
  await using bed = await openManagedBed({ driver: 'virtual' })
  const caller = makeCaller()
  const { id, notEnforced } = await create(bed, caller)
  expect(notEnforced).toEqual(['processor time limit'])
  expect(await script(bed, caller, id, 'echo fine')).toMatchObject({ stdout: 'fine\n', notEnforced: ['processor time limit'] })
  await expect(bed.service.snapshot(caller, id, undefined)).rejects.toMatchObject({ code: 'unavailable', message: expect.stringContaining('bubblewrap') })
  await expect(create(bed, caller, { egress: { rules: [{ host: 'example.com' }], bytesMax: 1, requestsMax: 1 } })).rejects.toMatchObject({
    code: 'unavailable',
    message: expect.stringContaining('bubblewrap'),
  })
  expect((await bed.service.list(caller, { limit: 10 })).items).toHaveLength(1) // The one that could not be made is not there.
})
