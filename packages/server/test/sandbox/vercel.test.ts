/** Vercel's own npm client against our server: nothing of it is changed but where its requests go. */
import { Writable } from 'node:stream'
import { Sandbox, Snapshot } from '@vercel/sandbox'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { type Listening, listen } from '../../src/api/index.ts'
import { type Bed, type BedCaller, openBed } from '../support/api-bed.ts'
import { usableModes } from '../support/sandbox-modes.ts'

const isReal = usableModes().length > 0
let bed: Bed
let boss: BedCaller
let listening: Listening

const theirs = 'https://vercel.com/api'
/** The one thing that changes. */
const moved: typeof fetch = (url, init) => {
  if (typeof url !== 'string' || !url.startsWith(theirs)) throw new Error(`A request goes to ${String(url)}.`)
  return fetch(`${listening.url}/vercel${url.slice(theirs.length)}`, init)
}
const as = ({ secret }: { secret: string }) => ({ token: secret, teamId: 'any', projectId: 'any', fetch: moved })
const heard = () => {
  const pieces: { at: number; text: string }[] = []
  const to = new Writable({
    write(bytes: Buffer, _, done) {
      pieces.push({ at: performance.now(), text: bytes.toString() })
      done()
    },
  })
  return { to, pieces, text: () => pieces.map(({ text }) => text).join('') }
}

describe.skipIf(!isReal)('the client of Vercel’s sandboxes', () => {
  beforeAll(async () => {
    bed = await openBed({}, undefined, 'bwrap')
    boss = await bed.caller('boss', { personalData: true })
    listening = await listen(bed.app, { host: '127.0.0.1', port: 0 })
  })
  afterAll(async () => {
    await listening?.stop()
    await bed?.[Symbol.asyncDispose]()
  })

  test('creates one, runs commands in it, and hears their output while they run', async () => {
    const sandbox = await Sandbox.create({ ...as(boss), name: 'work', env: { GREETING: 'hello' }, resources: { vcpus: 0.5 } })
    expect([sandbox.name, sandbox.status, sandbox.cwd, sandbox.memory]).toEqual(['work', 'running', '/workspace', 1_024])
    const out = heard()
    const err = heard()
    const done = await sandbox.runCommand({
      cmd: 'sh',
      args: ['-c', 'echo "$GREETING $NAME"; echo oops >&2; sleep 0.6; pwd; exit 3'],
      env: { NAME: 'you' },
      cwd: '/tmp',
      stdout: out.to,
      stderr: err.to,
    })
    expect([done.exitCode, out.text(), err.text()]).toEqual([3, 'hello you\n/tmp\n', 'oops\n'])
    expect((out.pieces.at(-1)?.at ?? 0) - (out.pieces[0]?.at ?? 0)).toBeGreaterThan(300)
    expect(await done.stdout()).toBe('hello you\n/tmp\n')
    expect((await sandbox.runCommand('printf', ['[%s]', 'a b', '$HOME'])).exitCode).toBe(0)
    expect((await sandbox.runCommand('not-there')).exitCode).toBe(127)
    // It is an ordinary sandbox of ours.
    expect(await boss.read('/v1/sandboxes/work')).toMatchObject({ name: 'work', limits: { memoryBytesMax: 1_073_741_824 }, env: { GREETING: 'hello' } })
  })

  test('detaches from a command, finds it again, waits for it, kills it, and ends one at its time-out', async () => {
    const sandbox = await Sandbox.create(as(boss))
    const running = await sandbox.runCommand({ cmd: 'sh', args: ['-c', 'echo one; sleep 0.3; echo two; exit 5'], detached: true })
    expect(running.exitCode).toBeNull()
    const again = await sandbox.getCommand(running.cmdId)
    let logged = ''
    for await (const { stream, data } of again.logs()) logged += `${stream}:${data}`
    expect(logged).toBe('stdout:one\nstdout:two\n')
    expect((await again.wait()).exitCode).toBe(5)
    const endless = await sandbox.runCommand({ cmd: 'sleep', args: ['60'], detached: true })
    await endless.kill()
    expect((await endless.wait()).exitCode).toBe(137)
    const late = await sandbox.runCommand({ cmd: 'sleep', args: ['60'], timeoutMs: 200 })
    expect([late.exitCode, await late.stderr()]).toEqual([137, expect.stringContaining('200 ms')])
  })

  test('writes files and reads them back, byte for byte; what lies outside the workspace is refused', async () => {
    const sandbox = await Sandbox.create(as(boss))
    const bytes = Buffer.from(Array.from({ length: 300_000 }, (_, i) => (i * 7) % 256))
    await sandbox.writeFiles([
      { path: 'deep/er/x.bin', content: bytes },
      { path: '/workspace/run.sh', content: Buffer.from('echo ran'), mode: 0o755 },
    ])
    expect(await sandbox.readFileToBuffer({ path: 'deep/er/x.bin' })).toEqual(bytes)
    expect(await sandbox.readFileToBuffer({ path: 'x.bin', cwd: 'deep/er' })).toEqual(bytes)
    expect(await (await sandbox.runCommand('./run.sh')).stdout()).toBe('ran\n')
    expect(await sandbox.readFileToBuffer({ path: 'absent' })).toBeNull()
    await sandbox.mkDir('made')
    await expect(sandbox.mkDir('made')).rejects.toThrow(/File exists/)
    expect(await sandbox.fs.readFile('run.sh', 'utf8')).toBe('echo ran')
    expect((await sandbox.fs.readdir('/workspace')).toSorted()).toEqual(['deep', 'made', 'run.sh'])
    for (const path of ['/tmp/x', '/etc/x', '/x', '../x']) await expect(sandbox.writeFiles([{ path, content: 'x' }]), path).rejects.toThrow(/400/)
    await expect(sandbox.readFile({ path: '/etc/passwd' })).rejects.toThrow(/403|400/)
  })

  test('stops one, which keeps its files, and takes it up again; deletes it', async () => {
    const sandbox = await Sandbox.create({ ...as(boss), name: 'kept' })
    await sandbox.writeFiles([{ path: 'note', content: 'still here' }])
    const endless = await sandbox.runCommand({ cmd: 'sleep', args: ['60'], detached: true })
    await sandbox.stop()
    expect(sandbox.status).toBe('stopped')
    expect(await boss.read('/v1/sandboxes/kept')).toMatchObject({ state: 'released', diskBytes: 0 })
    expect((await Sandbox.get({ ...as(boss), name: 'kept', resume: false })).status).toBe('stopped')
    let resumed = 0
    const again = await Sandbox.get({ ...as(boss), name: 'kept', onResume: async () => void resumed++ })
    expect([again.status, resumed]).toEqual(['running', 1])
    expect((await again.readFileToBuffer({ path: 'note' }))?.toString()).toBe('still here')
    await expect(again.getCommand(endless.cmdId)).rejects.toThrow(/404/)
    expect((await Sandbox.getOrCreate({ ...as(boss), name: 'kept' })).currentSession().sessionId).toBe(sandbox.currentSession().sessionId)
    await again.delete()
    await expect(Sandbox.get({ ...as(boss), name: 'kept' })).rejects.toThrow(/404/)
    {
      await using passing = await Sandbox.create({ ...as(boss), name: 'passing' })
      await passing.runCommand('true')
    }
    expect(await boss.read('/v1/sandboxes/passing')).toMatchObject({ state: 'released' })
  })

  test('lists sandboxes page by page, and each caller its own', async () => {
    const stranger = await bed.caller('stranger', { personalData: true }, { tenantId: 'globex' })
    for (let n = 0; n < 3; n++) await Sandbox.create({ ...as(stranger), name: `of-globex-${n}` })
    const listed = await Sandbox.list({ ...as(stranger), limit: 2 })
    expect(listed.sandboxes).toHaveLength(2)
    expect((await listed.toArray()).map(({ name }) => name)).toEqual(['of-globex-2', 'of-globex-1', 'of-globex-0'])
    await expect(Sandbox.get({ ...as(stranger), name: 'work' })).rejects.toThrow(/404/)
    await expect(Sandbox.list({ ...as({ secret: 'lh_none' }) })).rejects.toThrow(/401/)
  })

  test('takes snapshots, begins with them, forks', async () => {
    const sandbox = await Sandbox.create({ ...as(boss), name: 'prepared' })
    await sandbox.writeFiles([{ path: 'tool', content: 'installed' }])
    const snapshot = await sandbox.snapshot()
    expect(snapshot.sizeBytes).toBeGreaterThan(0)
    const begun = await Sandbox.create({ ...as(boss), source: { type: 'snapshot', snapshotId: snapshot.snapshotId } })
    expect((await begun.readFileToBuffer({ path: 'tool' }))?.toString()).toBe('installed')
    expect(begun.sourceSnapshotId).toBe(snapshot.snapshotId)
    const fork = await Sandbox.fork({ ...as(boss), sourceSandbox: 'prepared', name: 'forked' })
    expect((await fork.readFileToBuffer({ path: 'tool' }))?.toString()).toBe('installed')
    expect((await Snapshot.list({ ...as(boss), name: 'prepared' })).snapshots.map(({ id }) => id)).toEqual([snapshot.snapshotId])
    await snapshot.delete()
    expect((await Snapshot.list({ ...as(boss), name: 'prepared' })).snapshots).toEqual([])
  })

  test('says what may be reached, never everything, and gets no credential back', async () => {
    const sandbox = await Sandbox.create(as(boss))
    expect(sandbox.networkPolicy).toBe('deny-all')
    const headers = { authorization: 'Bearer very-secret' }
    await sandbox.updateNetworkPolicy({ allow: { 'api.example.com': [{ transform: [{ headers }] }], '*.example.org': [] } })
    expect(sandbox.currentSession().networkPolicy).toEqual({
      allow: { 'api.example.com': [{ transform: [{ headers: { authorization: '<redacted>' } }] }], '*.example.org': [] },
    })
    const session = sandbox.currentSession().sessionId
    const stored = await boss.read<{ egress: { rules: unknown[] } }>(`/v1/sandboxes/${session}`)
    expect(stored.egress.rules).toEqual([{ host: 'api.example.com', credential: { header: 'authorization', isKnown: true } }, { host: '*.example.org' }])
    expect(
      JSON.stringify(await (await moved(`${theirs}/v2/sandboxes/${session}`, { headers: { authorization: `Bearer ${boss.secret}` } })).json()),
    ).not.toContain('very-secret')
    await expect(sandbox.updateNetworkPolicy('allow-all')).rejects.toThrow(/Name the hosts/)
    await sandbox.updateNetworkPolicy('deny-all')
    expect(await boss.read(`/v1/sandboxes/${session}`)).toMatchObject({ egress: null })
  })

  test('is told by name what there is not, before anything was made', async () => {
    const count = async () => (await boss.read<{ items: unknown[] }>('/v1/sandboxes?limit=200')).items.length
    const before = await count()
    const asked: [Parameters<typeof Sandbox.create>[0], RegExp][] = [
      [{ ports: [3000] }, /ports: sandboxes here have no such thing/],
      [{ image: 'x:latest' }, /image/],
      [{ runtime: 'node24' }, /runtime/],
      [{ persistent: false }, /keeps its files/],
      [{ source: { type: 'git', url: 'https://example.com/x.git' } }, /only snapshots/],
      [{ networkPolicy: 'allow-all' }, /Name the hosts/],
      [{ tags: { a: 'b' } }, /tags/],
    ]
    for (const [given, why] of asked) await expect(Sandbox.create({ ...as(boss), ...given } as typeof given), JSON.stringify(given)).rejects.toThrow(why)
    expect(await count()).toBe(before)
    const sandbox = await Sandbox.create(as(boss))
    await expect(sandbox.runCommand({ cmd: 'id', sudo: true })).rejects.toThrow(/sudo/)
    await expect(sandbox.extendTimeout(60_000)).rejects.toThrow(/404/)
    await expect(sandbox.openInteractive()).rejects.toThrow(/404/)
    await expect(sandbox.snapshot({ expiration: 86_400_000 })).rejects.toThrow(/until they are deleted/)
  })

  test('passes the same gates as our own operations: permissions, policies, the audit log', async () => {
    const viewer = await bed.caller('viewer', { personalData: true }, { permissions: ['sandboxes:read'] })
    await expect(Sandbox.create(as(viewer))).rejects.toThrow(/403.*sandboxes:write/)
    expect((await Sandbox.list(as(viewer))).sandboxes.length).toBeGreaterThan(0)
    const forbidden = await bed.caller('careful', { personalData: true }, { tenantId: 'initech' })
    const sandbox = await Sandbox.create(as(forbidden))
    const policy = 'forbid (principal, action == Action::"sandboxes.write", resource);\nforbid (principal, action == Action::"sandboxes.output", resource);'
    expect((await forbidden.ask('POST', '/v1/policies/quiet', { text: policy })).status).toBe(200)
    const endless = await sandbox.runCommand({ cmd: 'sleep', args: ['1'], detached: true })
    await expect(sandbox.writeFiles([{ path: 'x', content: 'x' }])).rejects.toThrow(/403/)
    await expect(endless.wait()).rejects.toThrow(/403/)
    // Nor as a tree, which is the same in another form.
    const tree = await forbidden.ask('PUT', `/v1/sandboxes/${sandbox.currentSession().sessionId}/tree`, {})
    expect(tree.status).toBe(403)
    await bed.audit.append()
    const { items } = await forbidden.read<{ items: { action: string; outcome: string }[] }>('/v1/audit?limit=50')
    expect(items.filter(({ action }) => action === 'sandboxes.write').map(({ outcome }) => outcome)).toEqual(['refused', 'refused'])
    expect(items.some(({ action, outcome }) => action === 'sandboxes.create' && outcome === 'done')).toBe(true)
  })
})
