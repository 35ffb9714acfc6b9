/** Sandboxes with another root than this host's programs: the operator's for all, a caller's or an agent's own for theirs. */
import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { gzipSync } from 'node:zlib'
import { createTemplate } from '@longhaul/protocol'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import type { z } from 'zod'
import { newId, silentLog } from '../../src/kernel/index.ts'
import type { Sandbox } from '../../src/sandbox/driver.ts'
import { gapNames, openImages, openSandboxes } from '../../src/sandbox/index.ts'
import { startFakeRegistry } from '../support/fake-registry.ts'
import { type Entry, type ImageParts, imageArchive, smallSystem, tarOf } from '../support/image.ts'
import { type ManagedBed, create, makeCaller, openManagedBed, script } from '../support/managed-bed.ts'
import { type DriverProcess, makeRoot, startDriver, usableModes } from '../support/sandbox-modes.ts'
import { freshId, never, sh } from '../support/sandbox-suite.ts'

const modes = usableModes()
const isReal = modes.length > 0
const home = mkdtempSync(join(tmpdir(), 'longhaul-roots-'))
afterAll(() => rmSync(home, { recursive: true }))
const fileOf = (name: string, bytes: Uint8Array) => {
  const path = join(home, name)
  writeFileSync(path, bytes)
  return path
}

/** What a foreign root may bring to lead somebody astray. */
const hostile: Entry[] = [
  { path: 'host', type: '2', target: '../../../../../../etc' },
  { path: 'first', type: '2', target: '/proc/1/root' },
  { path: 'opt', type: '2', target: '/workspace' },
  { path: 'run/longhaul/agent.cjs', content: 'process.exit(3)' },
  { path: 'workspace/theirs', content: 'x' },
  { path: 'proc/version', content: 'theirs' },
  { path: 'dev/sda', type: '3' },
  { path: 'etc/ld.so.preload', content: '/own' },
  { path: 'etc/shadow', content: 'theirs', mode: 0o644 },
]

for (const mode of modes)
  describe(`a root for all, ${mode.name}`, () => {
    let driver: DriverProcess
    let sandbox: Sandbox
    const out = async (text: string) => {
      const { stdout, stderr, exitCode } = await sh(sandbox, text)
      expect([stderr, exitCode]).toEqual(['', 0])
      return stdout.trim()
    }
    beforeAll(async () => {
      const root = makeRoot(mode)
      // Hard, so that the archive is what has the rights: `id` as root's, for whoever starts it.
      const rooted = smallSystem().map((entry) => (entry.path === 'usr/bin/id' ? { ...entry, mode: 0o6755 } : entry))
      const images = openImages({ folder: join(root, '.images'), bytesMax: 500_000_000, log: silentLog })
      const held = await images.holdRoot(fileOf(`root-${newId()}.tar`, tarOf([...rooted, ...hostile])))
      if (mode.user !== undefined) execFileSync('chown', ['-R', String(mode.user), join(root, '.images')])
      driver = await startDriver(mode, { root, ownRoot: held.root, poolSize: 1, idleMs: 600_000 })
    }, 60_000)
    afterAll(() => driver[Symbol.asyncDispose]())

    test('the probe says which it is and what runs in it', async () => {
      const found = await driver.probe()
      expect(found).toMatchObject({ isUsable: true, root: expect.stringMatching(/^root-.*\.tar$/), languages: ['sh', 'node'] })
      expect(found.missing).toContainEqual({ what: 'python3 in sandboxes', remedy: expect.stringContaining('npm run sandbox-root -- python3') })
      expect(found.missing.map(({ what }) => what)).not.toContain('node in sandboxes')
    })

    test('warm and cold, sandboxes have it and nothing of this host’s', async () => {
      await driver.sweep()
      const recordOf = (name: string) => readFileSync(join(driver.root, name, 'live.json'), 'utf8')
      const warm = async (): Promise<Sandbox> => {
        const running = readdirSync(driver.root).filter((name) => name.startsWith('pool-') && existsSync(join(driver.root, name, 'live.json')))
        const before = running.map(recordOf)
        const id = freshId()
        const made = await driver.create({ id })
        if (before.includes(recordOf(id))) return made
        await made.destroy()
        await new Promise((resolve) => setTimeout(resolve, 100))
        return warm()
      }
      for (const make of [warm, () => driver.create({ id: freshId(), limits: { diskBytesMax: 32e6 } })]) {
        sandbox = await make()
        expect(await out('cat /own; id -un; ls /usr/bin')).toBe(`own${['own', ...names('usr/bin/')].join('\n')}`)
        expect(await out('ls /')).toBe('bin\ndev\netc\nfirst\nhost\nlib\nlib64\nopt\nown\nproc\nrun\ntmp\nusr\nworkspace')
        expect(await out('ls /etc')).toBe('group\nhosts\nnsswitch.conf\npasswd\nshadow')
        expect(await out('cat /etc/shadow')).toBe('theirs')
        for (const path of ['/usr/bin/git', '/usr/share', '/etc/hostname', '/etc/os-release', '/root', '/home', home, '/var'])
          expect([path, (await sh(sandbox, `ls -d ${path}`)).exitCode]).toEqual([path, 2])
        expect(await out('ls /workspace /run /opt/')).toBe('/opt/:\n\n/run:\nlonghaul\n\n/workspace:')
      }
    })

    test('links at its top lead nowhere but inside', async () => {
      expect(await out('cat /host/shadow; ls -d /first/own')).toBe('theirs/first/own')
      for (const path of ['/host/hostname', '/first/root', '/first/usr/bin/git']) expect([path, (await sh(sandbox, `cat ${path}`)).exitCode]).toEqual([path, 1])
      expect(await out('echo here > /opt/file; cat /workspace/file; rm /workspace/file')).toBe('here')
    })

    test('its files with other people’s rights give none, and nothing of it can be written', async () => {
      expect(await out('stat -c %a /usr/bin/id; id -u; id -ru')).toBe('555\n1000\n1000')
      expect(await out('cp /usr/bin/id /workspace/id; chmod 6755 /workspace/id; /workspace/id -u; cat /proc/self/status')).toMatch(
        /^1000\n[^]*\nCapEff:\t0+\n[^]*\nNoNewPrivs:\t1\nSeccomp:\t2\n/,
      )
      for (const path of ['/own', '/usr/bin/new', '/etc/passwd', '/new', '/run/longhaul/bin/node', '/run/longhaul/o/sh'])
        expect([path, (await sh(sandbox, `echo x >> ${path}`)).exitCode]).toEqual([path, 2])
      expect(await out('echo x > /tmp/x; echo x > /workspace/x; cat /tmp/x /workspace/x')).toBe('x\nx')
    })

    test('/dev, /proc and the agent are ours, not its', async () => {
      expect(await out('cat /proc/version')).not.toContain('theirs')
      expect(await out('for each in null zero urandom; do stat -c %F /dev/$each; done; echo x > /dev/null')).toBe('character special file\n'.repeat(3).trim())
      expect((await sh(sandbox, 'cat /dev/sda')).exitCode).toBe(1)
      expect((await sh(sandbox, 'cat /run/longhaul/node-x')).exitCode).toBe(1)
    })

    test('this server’s Node is in it, after its own programs', async () => {
      expect((await out('env')).split('\n')).toContain('PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/longhaul/bin')
      expect(await out('node -p process.version')).toBe(process.version)
    })

    test('a program that it lacks is named, with the root and the remedy; whatever else says 127 is not', async () => {
      const run = (cmd: string, args: string[] = []) => sandbox.exec({ cmd, args, timeoutMs: 20_000 }, { signal: never })
      expect(await run('python3', ['-c', 'print(1)'])).toMatchObject({
        exitCode: 127,
        stderr: expect.stringMatching(/sandbox: The root of this server’s sandboxes, root-.*\.tar, has no python3\. .*npm run sandbox-root -- python3\.\n$/),
      })
      expect((await sh(sandbox, 'exit 127')).stderr).toBe('')
      expect((await run('/workspace/none')).stderr).toContain('has no /workspace/none')
      expect(await run('cat', ['/own'])).toMatchObject({ exitCode: 0, stderr: '' })
    })

    test('an image of a sandbox’s own comes before it, and one without a shell says so', async () => {
      const images = openImages({ folder: join(driver.root, '.images'), bytesMax: 500_000_000, log: silentLog })
      writeFileSync(join(home, 'bare.tar'), imageArchive({ layers: [smallSystem(['cat'])], config: { Env: ['HELLO=image'] } }))
      const { root } = await images.open('acme', { folder: home, image: 'bare.tar' })
      if (mode.user !== undefined) execFileSync('chown', ['-R', String(mode.user), join(driver.root, '.images')])
      const bare = await driver.create({ id: freshId(), image: root })
      expect(await bare.exec({ cmd: 'cat', args: ['/proc/self/environ'], timeoutMs: 20_000 }, { signal: never })).toMatchObject({
        exitCode: 0,
        stdout: expect.stringContaining('HELLO=image'),
      })
      expect(await sh(bare, 'true')).toMatchObject({ exitCode: 127, stderr: expect.stringContaining('sandbox: The image bare.tar has no /bin/sh.') })
      await bare.destroy()
    })

    test.skipIf(mode.withoutCgroups)('what an image has the loader put into programs is put into the command alone, not into what waits for one', async () => {
      const images = openImages({ folder: join(driver.root, '.images'), bytesMax: 500_000_000, log: silentLog })
      writeFileSync(join(home, 'preload.tar'), imageArchive({ layers: [smallSystem()], config: { Env: ["LD_PRELOAD=/none's.so"] } }))
      const { root } = await images.open('acme', { folder: home, image: 'preload.tar' })
      const preloading = await driver.create({ id: freshId(), image: root })
      for (const env of [{}, { n: 'not for the process that waits' }]) {
        const { stderr, stdout } = await preloading.exec({ cmd: 'cat', args: ['/own'], env, timeoutMs: 20_000 }, { signal: never })
        expect(stdout).toBe('own')
        expect(stderr.match(/none's\.so/g)).toHaveLength(1)
      }
      await preloading.destroy()
    })
  })

const names = (folder: string) =>
  [
    ...new Set(
      smallSystem()
        .filter(({ path }) => path.startsWith(folder))
        .map(({ path }) => path.slice(folder.length)),
    ),
  ].toSorted()

describe.skipIf(!isReal)('the setting', () => {
  const starting = async (path: string, driver: 'auto' | 'bwrap' | 'virtual' = 'auto') => {
    const root = mkdtempSync(join(home, 'server-'))
    const images = openImages({ folder: join(root, '.images'), bytesMax: 500_000_000, log: silentLog })
    const sandboxes = await openSandboxes({ driver, root, log: silentLog, accept: gapNames, ownRoot: () => images.holdRoot(path) })
    return { sandboxes, images, root }
  }
  const refused = (path: string, driver?: 'auto' | 'bwrap' | 'virtual') =>
    starting(path, driver).then(
      async ({ sandboxes }) => {
        await sandboxes.stop()
        return 'it started'
      },
      (error: Error) => error.message,
    )

  test('is honoured or keeps the server from starting, with cause and remedy', async () => {
    const good = fileOf('good.tar', tarOf(smallSystem()))
    expect(await refused(good)).toBe('it started')
    expect(await refused(fileOf('good.tar.gz', gzipSync(tarOf(smallSystem()))))).toBe('it started')
    expect(await refused(fileOf('image.tar', imageArchive({ layers: [smallSystem()] })))).toBe('it started')
    const remedy = 'npm run sandbox-root'
    for (const [path, why] of [
      [join(home, 'nowhere.tar'), 'it is not there'],
      [fileOf('no-shell.tar', tarOf(smallSystem(['cat']))), 'has no /bin/sh'],
      [fileOf('text.tar', Buffer.from('no archive '.repeat(100))), 'cannot be read'],
      [fileOf('climbing.tar', tarOf([...smallSystem(), { path: '../x', content: 'x' }])), 'leads out of it'],
    ] as const) {
      const said = await refused(path)
      expect([path, said]).toEqual([path, expect.stringContaining(why)])
      expect(said).toContain('LONGHAUL_SANDBOX_ROOT')
      expect(said).toContain(remedy)
    }
    expect(await refused(good, 'virtual')).toMatch(/LONGHAUL_SANDBOX_ROOT is set.*only the driver bwrap.*LONGHAUL_SANDBOX_DRIVER=bwrap/)
  }, 120_000)

  test('is unpacked once for its content, and is no tenant’s', async () => {
    const path = fileOf('once.tar', tarOf(smallSystem()))
    const { sandboxes, images, root } = await starting(path)
    try {
      const [first, second] = [await images.holdRoot(path), await images.holdRoot(path)]
      expect(second.root).toEqual(first.root)
      expect(readdirSync(join(root, '.images/operator'))).toHaveLength(1)
      expect(await images.used('default')).toEqual({ count: 0, bytes: 0 })
      expect(sandboxes.capabilities.root).toBe('once.tar')
      const sandbox = await sandboxes.open('a', { owner: { tenantId: 'acme' } })
      expect(await sh(sandbox, 'cat /own')).toMatchObject({ stdout: 'own' })
    } finally {
      await sandboxes.stop()
    }
  })
})

describe.skipIf(!isReal)('an image of a caller’s own', () => {
  const parts = (mark = 'one'): ImageParts => ({
    layers: [smallSystem(), [{ path: 'mark', content: mark }]],
    compress: gzipSync,
    layerType: 'application/vnd.oci.image.layer.v1.tar+gzip',
    config: { Env: ['PATH=/mine:/usr/bin', 'TOOL=image'], WorkingDir: '/mine' },
  })
  const imagesIn = (bed: ManagedBed) =>
    readdirSync(join(bed.folder, 'sandboxes/.images')).flatMap((tenant) =>
      readdirSync(join(bed.folder, 'sandboxes/.images', tenant)).map((id) => join(bed.folder, 'sandboxes/.images', tenant, id)),
    )

  test('is its root, its environment comes first, and it goes on to forks, snapshots, and what comes back', async () => {
    await using registry = await startFakeRegistry()
    await using bed = await openManagedBed({ registries: { [registry.host]: {} }, poolSize: 1 })
    const caller = makeCaller()
    const image = registry.push('tools', parts())
    const look = 'cat /mark; echo " $PATH $TOOL $PWD $GREETING"'
    const made = await create(bed, caller, { name: 'work', image, env: { GREETING: 'hello' } })
    expect(made.image).toBe(image)
    expect(await script(bed, caller, 'work', look)).toMatchObject({ stdout: 'one /mine:/usr/bin image /workspace hello\n', stderr: '' })
    expect((await create(bed, caller, { name: 'plain' })).image).toBe(null)
    expect((await script(bed, caller, 'plain', 'ls /mark')).exitCode).not.toBe(0)
    const overlaid = await create(bed, caller, { image, env: { TOOL: 'mine' } })
    expect((await script(bed, caller, overlaid.id, 'echo $TOOL')).stdout).toBe('mine\n')

    const marked = (id: string) => script(bed, caller, id, 'cat /mark /workspace/file').then(({ stdout }) => stdout)
    await script(bed, caller, 'work', 'echo file > file')
    const fork = await bed.service.fork(caller, 'work', {})
    expect([fork.image, await marked(fork.id)]).toEqual([image, 'onefile\n'])
    const snapshot = await bed.service.snapshot(caller, 'work', 'kept')
    const again = await create(bed, caller, { snapshot: 'kept' })
    expect([snapshot.image, again.image, await marked(again.id)]).toEqual([image, image, 'onefile\n'])
    const other = registry.push('tools', parts('two'))
    expect(await marked((await create(bed, caller, { snapshot: 'kept', image: other })).id)).toBe('twofile\n')

    await bed.restart()
    expect(await marked('work')).toBe('onefile\n')
    expect((await bed.service.release(caller, 'work')).state).toBe('released')
    for (const folder of imagesIn(bed)) rmSync(folder, { recursive: true })
    expect(await marked('work')).toBe('onefile\n') // Fetched again.
  }, 120_000)

  test('that cannot be had is told, does not keep a sandbox from being put away, and leaves no row', async () => {
    await using registry = await startFakeRegistry()
    await using bed = await openManagedBed({ registries: { [registry.host]: {} } })
    const caller = makeCaller()
    const image = registry.push('tools', parts())
    await create(bed, caller, { name: 'work', image })
    await script(bed, caller, 'work', 'echo file > file')
    await expect(create(bed, caller, { name: 'no', image: `${registry.host}/none@sha256:${'0'.repeat(64)}` })).rejects.toMatchObject({ code: 'invalid' })
    await expect(create(bed, caller, { name: 'no', image: `registry.example.com/none@sha256:${'0'.repeat(64)}` })).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringContaining('LONGHAUL_SANDBOX_IMAGE_REGISTRIES'),
    })
    await expect(bed.service.get(caller, 'no')).rejects.toMatchObject({ code: 'not_found' })
    await bed.restart()
    for (const folder of imagesIn(bed)) rmSync(folder, { recursive: true })
    registry.answer = (_, response) => (response.writeHead(503).end(), true)
    await expect(script(bed, caller, 'work', 'true')).rejects.toMatchObject({ code: 'unavailable', message: expect.stringContaining('503') })
    expect((await bed.service.release(caller, 'work')).state).toBe('released')
    registry.answer = undefined
    expect((await script(bed, caller, 'work', 'cat /mark file')).stdout).toBe('onefile\n')
  }, 120_000)

  test('counts towards its tenant’s quota, and is not deleted for another while anything runs in it', async () => {
    await using registry = await startFakeRegistry()
    await using bed = await openManagedBed({ registries: { [registry.host]: {} }, imageQuota: { countMax: 1 } })
    const caller = makeCaller()
    await create(bed, caller, { name: 'work', image: registry.push('tools', parts()) })
    const [folder = ''] = imagesIn(bed)
    const long = () => execFileSync('touch', ['-d', '2001-01-01', join(folder, 'start.json')])
    long()
    const second = { image: registry.push('tools', parts('two')) }
    await expect(create(bed, caller, second)).rejects.toMatchObject({ code: 'over_limit' })
    await bed.images.sweep()
    expect((await script(bed, caller, 'work', 'cat /mark')).stdout).toBe('one')
    await bed.service.stop(caller, 'work')
    long()
    expect((await script(bed, caller, (await create(bed, caller, second)).id, 'cat /mark')).stdout).toBe('two')
    expect(existsSync(folder)).toBe(false)
  }, 120_000)

  test('of a template is what it is prepared in, and goes on to what begins with it', async () => {
    await using registry = await startFakeRegistry()
    await using bed = await openManagedBed({ registries: { [registry.host]: {} } })
    const caller = makeCaller()
    const image = registry.push('tools', parts())
    const prepare = async (input: z.input<(typeof createTemplate)['input']>) => {
      const { id } = await bed.templates.service.create(caller, createTemplate.input.parse(input))
      for (;;) {
        const found = await bed.templates.service.get(caller, id)
        if (found.state !== 'preparing') return found
        await new Promise((resolve) => setTimeout(resolve, 50))
      }
    }
    expect(await prepare({ name: 'data', image, commands: ['cat /mark > made'] })).toMatchObject({ state: 'ready', image })
    expect(await prepare({ name: 'more', from: 'data', commands: ['cat /mark made > more'] })).toMatchObject({ state: 'ready', image })
    const sandbox = await create(bed, caller, { template: 'more' })
    expect(sandbox.image).toBe(image)
    expect((await script(bed, caller, sandbox.id, 'cat /mark made more')).stdout).toBe('oneoneoneone')
    expect(await prepare({ name: 'host', commands: ['ls /mark'] })).toMatchObject({ state: 'failed', image: null })
    for (const packages of [{ npm: ['zod'] }, { pip: ['pandas'] }]) {
      const failed = await prepare({ name: 'packages', image, packages })
      expect(failed.problem).toMatch(new RegExp(`The image ${image.replaceAll('.', '\\.')} has no (npm|pip|python3)\\.`))
    }
  }, 120_000)

  test('is refused by a driver that has none', async () => {
    await using registry = await startFakeRegistry()
    await using bed = await openManagedBed({ driver: 'virtual', registries: { [registry.host]: {} } })
    await expect(create(bed, makeCaller(), { image: registry.push('tools', parts()) })).rejects.toMatchObject({
      code: 'invalid',
      message: expect.stringContaining('virtual cannot run images'),
    })
    expect(registry.asked).toEqual([])
  })
})

test.skipIf(!isReal)(
  'the sandbox of an agent’s runs has the image that its folder has, in which its template was prepared',
  async () => {
    await using bed = await openManagedBed()
    const folder = join(bed.folder, 'version')
    mkdirSync(folder, { recursive: true })
    writeFileSync(join(folder, 'image.tar'), imageArchive({ layers: [smallSystem(), [{ path: 'mark', content: 'run' }]] }))
    const image = { folder, image: './image.tar' }
    const owner = { tenantId: 'acme', namespace: 'default' }
    const about = (template: boolean) => ({
      ...{ id: newId(), runId: newId(), owner, seed: undefined, limits: undefined, image, egress: undefined, signal: never },
      template: template
        ? {
            ...{ tenantId: 'acme', agent: 'agent', limits: undefined, image, egress: undefined, readEgress: async () => undefined, seed: undefined },
            steps: { commands: ['cat /mark > made'], timeoutMs: 60_000 },
          }
        : undefined,
    })
    const said = (template: boolean, text: string) => bed.runs.use(about(template), (sandbox) => sh(sandbox, text)).then(({ result }) => result.stdout)
    expect(await said(false, 'cat /mark')).toBe('run')
    expect(await said(true, 'cat /mark made')).toBe('runrun')
    // Another content of the file is another template.
    writeFileSync(join(folder, 'image.tar'), imageArchive({ layers: [smallSystem(), [{ path: 'mark', content: 'other' }]] }))
    expect(await said(true, 'cat /mark made')).toBe('otherother')
    const [, id = ''] = /"id":"([^"]+)"/.exec(JSON.stringify(await bed.templates.service.list(makeCaller(), { limit: 10 }))) ?? []
    await expect(create(bed, makeCaller(), { template: id })).rejects.toMatchObject({ code: 'invalid', message: expect.stringContaining('agent’s folder') })
    expect(readFileSync(join(folder, 'image.tar')).length).toBeGreaterThan(0)
  },
  120_000,
)
