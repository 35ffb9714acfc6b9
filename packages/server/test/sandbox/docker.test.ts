/** The driver `docker` on an engine of the tests: what it asks for, what it makes of what the engine can do, and what it leaves. */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { describe, expect, test } from 'vitest'
import { silentLog, sleep } from '../../src/kernel/index.ts'
import type { Capabilities, SandboxDriver } from '../../src/sandbox/driver.ts'
import { type DockerSettings, dockerDriver } from '../../src/sandbox/drivers/docker/docker.ts'
import { type Root, claimRoot } from '../../src/sandbox/root.ts'
import { type FakeDocker, type FakeOptions, type Ignored, startFakeDocker } from '../support/fake-docker.ts'
import { modes } from '../support/sandbox-modes.ts'
import { freshId, never, sh } from '../support/sandbox-suite.ts'

const whyNot = modes.every(({ whyNot }) => whyNot !== undefined) ? 'the engine of the tests runs containers by bubblewrap, which does not work here' : undefined
if (whyNot) process.stderr.write(`SKIPPED: the sandbox docker: ${whyNot}.\n`)
const isRoot = process.getuid?.() === 0

type Bed = { engine: FakeDocker; driver: SandboxDriver; root: Root; [Symbol.asyncDispose](): Promise<void> }

async function startBed(options: FakeOptions = {}, settings: DockerSettings & { poolSize?: number } = {}): Promise<Bed> {
  const engine = await startFakeDocker(options)
  const root = claimRoot(mkdtempSync(join(tmpdir(), 'longhaul-docker-')))
  const driver = dockerDriver({ root, log: silentLog, socket: engine.socket, cpuCountMax: 1.5, ...settings })
  return {
    ...{ engine, driver, root },
    async [Symbol.asyncDispose]() {
      await driver.stop()
      await engine[Symbol.asyncDispose]()
      root.release()
      rmSync(root.path, { recursive: true })
    },
  }
}

async function probed(options: FakeOptions, settings: DockerSettings = {}): Promise<Capabilities> {
  await using bed = await startBed(options, settings)
  return await bed.driver.probe()
}

const told = ({ isUsable, missing }: Capabilities) => ({ isUsable, missing: missing.map(({ what, remedy }) => `${what} → ${remedy}`).join('\n') })

describe.skipIf(whyNot)('docker', () => {
  test('a container has its workspace, the agent and the door, and nothing to get more with', async () => {
    await using bed = await startBed()
    const limits = { memoryBytesMax: 100_000_000, processCountMax: 50, diskBytesMax: 5_000_000 }
    const sandbox = await bed.driver.create({ id: 'one', limits })
    const uid = Number((await sh(sandbox, 'id -u')).stdout)
    const [asked] = bed.engine.created
    const at = (path: string) => join(bed.root.folderOf('one'), path)
    const bound = (Source: string, Target: string, ReadOnly: boolean) => ({ Type: 'bind', Source, Target, ReadOnly, BindOptions: { Propagation: 'rprivate' } })
    expect(asked).toEqual({
      Image: 'node:24-bookworm',
      Entrypoint: [
        'node',
        '--no-warnings',
        '--max-old-space-size=64',
        '--v8-pool-size=0',
        '/run/longhaul/agent.cjs',
        expect.stringContaining('"holds":"marks"'),
      ],
      User: `${uid}:${isRoot ? uid : process.getgid?.()}`,
      Env: ['LANG=C.UTF-8', 'UV_THREADPOOL_SIZE=1'],
      WorkingDir: '/workspace',
      Hostname: 'sandbox',
      Labels: { 'longhaul.sandboxes': bed.root.tag },
      ...{ AttachStdin: true, AttachStdout: true, AttachStderr: true, Tty: false, OpenStdin: true, StdinOnce: true },
      NetworkDisabled: true,
      HostConfig: {
        Runtime: 'runc',
        Privileged: false,
        CapDrop: ['ALL'],
        SecurityOpt: ['no-new-privileges:true'],
        ReadonlyRootfs: true,
        NetworkMode: 'none',
        IpcMode: 'private',
        CgroupnsMode: 'private',
        Memory: 100_000_000 + 64 * 1024 * 1024,
        MemorySwap: 100_000_000 + 64 * 1024 * 1024,
        PidsLimit: 74,
        NanoCpus: 1_500_000_000,
        Ulimits: [
          { Name: 'fsize', Hard: 5_000_000, Soft: 5_000_000 },
          { Name: 'nofile', Hard: 1_024, Soft: 1_024 },
          { Name: 'core', Hard: 0, Soft: 0 },
        ],
        ShmSize: 16 * 1024 * 1024,
        Tmpfs: { '/tmp': `rw,exec,nosuid,nodev,mode=1777,size=${64 * 1024 * 1024}` },
        Mounts: [
          bound(join(bed.root.path, '.runtime/agent.cjs'), '/run/longhaul/agent.cjs', true),
          bound(at('egress'), '/run/longhaul/egress', true),
          bound(at('workspace'), '/workspace', false),
        ],
        Init: true,
        LogConfig: { Type: 'none', Config: {} },
        RestartPolicy: { Name: 'no' },
      },
    })
    expect(uid).not.toBe(0)
    // What makes archives has less: no place to write but the workspace.
    const archive = await sandbox.trees!.pack('/workspace', false)
    archive.stream.resume()
    await archive.done
    expect(bed.engine.created[1]?.HostConfig).toMatchObject({ Tmpfs: {}, IpcMode: 'none', CapDrop: ['ALL'], ReadonlyRootfs: true, NetworkMode: 'none' })
    expect(bed.engine.created[1]?.HostConfig).not.toHaveProperty('ShmSize')
    expect(bed.engine.created[1]?.HostConfig.Mounts).toEqual(asked?.HostConfig.Mounts)
  })

  test('gVisor is asked for by name, has room for itself, and holds commands in namespaces', async () => {
    await using bed = await startBed({ startFails: 'not here' }, { runtime: 'runsc', image: 'registry.example/agents:1' })
    await expect(bed.driver.create({ id: 'one', limits: { memoryBytesMax: 100_000_000, processCountMax: 50 } })).rejects.toThrow(/did not start: not here/)
    expect(bed.engine.created[0]).toMatchObject({
      Image: 'registry.example/agents:1',
      Entrypoint: expect.arrayContaining([expect.stringContaining('"holds":"namespaces"')]),
      HostConfig: { Runtime: 'runsc', Memory: 100_000_000 + 128 * 1024 * 1024, PidsLimit: 4 * 50 + 512 },
    })
    expect(bed.engine.containers.size).toBe(0) // What did not start is not left.
  })

  test('an engine that keeps every wall is usable, and tells what it enforces', async () => {
    const found = await probed({})
    expect(told(found)).toEqual({ isUsable: true, missing: expect.stringMatching(/^hard disk limit.*$/) })
    expect(found).toMatchObject({ kernel: 'shared', gaps: ['disk'], languages: ['sh', 'node', 'python3'] })
    expect(found.enforced).toContain('process limit, memory limit, processor time limit (Docker 28.0.0, runc)')
    expect(await probed({ info: { MemoryLimit: false, CpuCfsQuota: false } })).toMatchObject({ isUsable: true, gaps: ['memory', 'cpu', 'disk'] })
  })

  const walls: [Ignored, string][] = [
    ...(isRoot ? [['CapDrop', 'no capabilities to be had'] as [Ignored, string]] : []),
    ['ReadonlyRootfs', 'everything read-only'],
    ['NetworkMode', 'no network but loopback'],
    ['Seccomp', 'a system call filter'],
    ['Mounts', 'the engine mounts the server’s own folders'],
  ]
  test.each(walls)('an engine that leaves out %s is found out by trying', async (ignores, what) => {
    const { isUsable, missing } = told(await probed({ ignores }))
    expect(isUsable).toBe(false)
    expect(missing.split('\n').filter((line) => line.includes('(tried inside'))).toEqual([expect.stringContaining(what)])
  })

  test('what the engine cannot do is refused, with what helps', async () => {
    const refused = async (options: FakeOptions, settings: DockerSettings, missing: RegExp) =>
      expect(told(await probed(options, settings))).toEqual({ isUsable: false, missing: expect.stringMatching(missing) })
    await refused({}, { socket: '/nowhere/docker.sock' }, /a Docker engine: .*ENOENT.* → Start one .*LONGHAUL_SANDBOX_DOCKER_SOCKET/)
    await refused({ image: 'absent' }, { image: 'some/image:2' }, /^the image some\/image:2: No such image.* → docker pull some\/image:2$/)
    await refused({ image: { Config: { Volumes: { '/data': {} } } } }, {}, /makes \/data, which could be written without a limit/)
    await refused({ info: { PidsLimit: false } }, {}, /^process limit/)
    await refused({ info: { SecurityOptions: ['name=seccomp,profile=unconfined'] } }, {}, /^a system call filter/)
    await refused({ info: { SecurityOptions: null } }, {}, /^a system call filter/)
    await refused({ info: { SecurityOptions: ['name=seccomp,profile=builtin', 'name=rootless'] } }, {}, /^user numbers that are the host’s own/)
    await refused({}, { runtime: 'kata' }, /^the runtime kata; this engine has runc, runsc/)
    await refused({ startFails: 'no space left on device' }, {}, /no space left on device/)
  })

  test('a runtime that is only called gVisor is not believed', async () => {
    const { isUsable, missing } = told(await probed({}, { runtime: 'runsc' }))
    expect(isUsable).toBe(false)
    expect(missing.split('\n').filter((line) => line.includes('(tried inside'))).toEqual([expect.stringContaining('gVisor’s own kernel answers')])
  })

  test('containers of a killed server are removed by its successor, and nobody else’s', async () => {
    await using bed = await startBed()
    await bed.driver.create({ id: 'left' })
    const [mine] = [...bed.engine.containers]
    const others = { ...mine![1], body: { ...mine![1].body, Labels: { 'longhaul.sandboxes': 'another' } } }
    bed.engine.containers.set('f'.repeat(64), others)
    const next = dockerDriver({ root: bed.root, log: silentLog, socket: bed.engine.socket })
    await next.sweep()
    expect([...bed.engine.containers.keys()]).toEqual(['f'.repeat(64)])
    await next.stop()
  })

  test('a container ends when the server’s connection does', async () => {
    await using bed = await startBed()
    const sandbox = await bed.driver.create({ id: 'one' })
    const running = sandbox.exec({ script: 'sleep 30', timeoutMs: 40_000 }, { signal: never })
    await sleep(300)
    const [container] = bed.engine.containers.values()
    expect(container?.hasEnded).toBe(false)
    container?.socket?.destroy()
    container?.child?.stdin?.end() // As the engine does, once the connection is gone.
    expect(await running).toMatchObject({ exitCode: null, signal: 'SIGKILL', stderr: expect.stringContaining('The sandbox ended while the command ran') })
    expect((await sh(sandbox, 'echo anew')).stdout).toBe('anew\n')
  })

  test('ports, the door, numbers and archives work as with every driver that has our agent inside', async () => {
    await using bed = await startBed()
    const sandbox = await bed.driver.create({ id: freshId() })
    // A port inside.
    const serving = sandbox.exec(
      { script: `node -e 'net.createServer((s) => s.end("from inside")).listen(4000, "127.0.0.1")'`, timeoutMs: 5_000 },
      { signal: never },
    )
    let said = ''
    for (let tries = 0; said === '' && tries < 100; tries++) {
      await sleep(50)
      said = await sandbox.connect!(4000)
        .then(text)
        .catch(() => '')
    }
    expect(said).toBe('from inside')
    expect(await sandbox.stats()).toMatchObject({ isRunning: true, memoryBytes: 7_000_000, cpuMs: 5, processCount: 3 })
    // The door to the proxy.
    const path = join(sandbox.egress!.folder, 'proxy.sock')
    const proxy = createServer((socket) => socket.on('error', () => {}).end('from the proxy'))
    await new Promise<void>((resolve) => proxy.listen(path, resolve))
    chmodSync(path, 0o777)
    sandbox.egress!.open({})
    expect((await sh(sandbox, `node -e 'net.connect(3128, "127.0.0.1").pipe(process.stdout)'`)).stdout).toBe('from the proxy')
    proxy.close()
    // One moment of all of it, and a copy.
    await sh(sandbox, 'mkdir a; echo kept > a/b; head -c 3000000 /dev/zero > zeros')
    const archive = await sandbox.trees!.pack('/workspace', true)
    const copy = await bed.driver.create({ id: freshId() })
    await copy.trees!.unpack('/workspace', archive.stream)
    await archive.done
    expect((await sh(copy, 'cat a/b; wc -c < zeros')).stdout).toBe('kept\n3000000\n')
    expect(bed.engine.calls.filter((call) => /(?:un)?pause$/.test(call)).map((call) => call.split('/').at(-1))).toEqual(['pause', 'unpause'])
    const fork = await bed.driver.create({ id: freshId() })
    await fork.trees!.copyFrom(sandbox.trees!)
    expect((await sh(fork, 'cat a/b')).stdout).toBe('kept\n')
    await sandbox.stop()
    await serving
  })

  test('the pool has containers ready', async () => {
    await using bed = await startBed({}, { poolSize: 1 })
    await bed.driver.sweep()
    bed.driver.warm?.()
    const isCold = (id: string) => bed.engine.created.some(({ HostConfig }) => HostConfig.Mounts.some(({ Source }) => Source.startsWith(bed.root.folderOf(id))))
    const make = async () => {
      const id = freshId()
      return { id, sandbox: await bed.driver.create({ id }) }
    }
    let { id, sandbox } = await make()
    expect(isCold(id)).toBe(true) // Nothing can be ready yet.
    for (let tries = 0; isCold(id) && tries < 20; tries++) {
      await sleep(1_000)
      ;({ id, sandbox } = await make())
    }
    expect(isCold(id)).toBe(false)
    expect((await sh(sandbox, 'echo x > y; pwd; ls')).stdout).toBe('/workspace\ny\n')
  })
})
