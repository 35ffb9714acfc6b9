/** The driver `kubernetes` on an API server of the tests: what it asks for, what it makes of what the cluster can do, and what it leaves. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { parseAllDocuments } from 'yaml'
import { describe, expect, test } from 'vitest'
import { silentLog, sleep } from '../../src/kernel/index.ts'
import type { Capabilities, SandboxDriver } from '../../src/sandbox/driver.ts'
import { type KubernetesSettings, kubernetesDriver } from '../../src/sandbox/drivers/kubernetes/kubernetes.ts'
import { type Root, claimRoot } from '../../src/sandbox/root.ts'
import type { Ignored } from '../support/fake-docker.ts'
import { type FakeCluster, type FakeClusterOptions, startFakeKubernetes } from '../support/fake-kubernetes.ts'
import { whyNotKubernetes } from '../support/sandbox-modes.ts'
import { never, sh } from '../support/sandbox-suite.ts'

const whyNot = whyNotKubernetes()
type Bed = { api: FakeCluster; driver: SandboxDriver; root: Root; settings: KubernetesSettings; [Symbol.asyncDispose](): Promise<void> }

async function startBed(options: Partial<FakeClusterOptions> = {}, given: Partial<KubernetesSettings> = {}): Promise<Bed> {
  const claimFolder = mkdtempSync(join(tmpdir(), 'longhaul-claim-'))
  const api = await startFakeKubernetes({ claimFolder, ...options })
  const root = claimRoot(join(claimFolder, 'sandboxes'))
  const settings = { url: api.url, namespace: 'agents', claim: 'workspaces', claimFolder, image: 'node:24-bookworm', ...given }
  const driver = kubernetesDriver({ root, log: silentLog, cpuCountMax: 1.5, ...settings })
  return {
    ...{ api, driver, root, settings },
    async [Symbol.asyncDispose]() {
      await driver.stop()
      await api[Symbol.asyncDispose]()
      root.release()
      rmSync(claimFolder, { recursive: true, force: true })
    },
  }
}

async function probed(options: Partial<FakeClusterOptions>, settings: Partial<KubernetesSettings> = {}): Promise<Capabilities> {
  await using bed = await startBed(options, settings)
  return await bed.driver.probe()
}
const told = ({ isUsable, missing }: Capabilities) => ({ isUsable, missing: missing.map(({ what, remedy }) => `${what} → ${remedy}`).join('\n') })

describe.skipIf(whyNot)('kubernetes', () => {
  test('a pod has its workspace, the agent and the door, and nothing to get more with', async () => {
    await using bed = await startBed({}, { runtimeClass: 'kata', node: 'node-7' })
    const limits = { memoryBytesMax: 100_000_000, processCountMax: 50, diskBytesMax: 5_000_000 }
    const sandbox = await bed.driver.create({ id: 'one', limits })
    const uid = Number((await sh(sandbox, 'id -u')).stdout)
    expect(uid).toBeGreaterThan(1_000)
    const [asked] = bed.api.created
    const mount = (subPath: string, mountPath: string, readOnly: boolean) => ({ name: 'claim', subPath, mountPath, readOnly })
    expect(asked?.metadata.labels).toEqual({ 'longhaul.dev/sandboxes': bed.root.tag, 'longhaul.dev/sandbox': 'true' })
    expect(asked?.spec).toMatchObject({
      ...{ restartPolicy: 'Never', automountServiceAccountToken: false, enableServiceLinks: false, runtimeClassName: 'kata', dnsPolicy: 'None' },
      ...{ hostNetwork: false, hostPID: false, hostIPC: false, shareProcessNamespace: false },
      affinity: {
        nodeAffinity: {
          requiredDuringSchedulingIgnoredDuringExecution: {
            nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: ['node-7'] }] }],
          },
        },
      },
      securityContext: { runAsUser: uid, runAsGroup: uid, runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      volumes: [{ name: 'claim', persistentVolumeClaim: { claimName: 'workspaces' } }, { name: 'tmp' }, { name: 'shm' }],
    })
    expect(asked?.spec.containers).toEqual([
      expect.objectContaining({
        image: 'node:24-bookworm',
        resources: { requests: { memory: '67108864', cpu: '50m' }, limits: { memory: `${100_000_000 + 64 * 1024 * 1024}`, cpu: '1500m' } },
        securityContext: { privileged: false, allowPrivilegeEscalation: false, readOnlyRootFilesystem: true, capabilities: { drop: ['ALL'] } },
        volumeMounts: [
          mount('sandboxes/.runtime/agent.cjs', '/run/longhaul/agent.cjs', true),
          mount('sandboxes/one/egress', '/run/longhaul/egress', true),
          mount('sandboxes/one/workspace', '/workspace', false),
          { name: 'tmp', mountPath: '/tmp', readOnly: false },
          { name: 'shm', mountPath: '/dev/shm', readOnly: false },
        ],
      }),
    ])
    expect((await sh(sandbox, 'ulimit -f; ulimit -u; ulimit -n; ulimit -c')).stdout).toBe(`${Math.trunc(5_000_000 / 1024)}\n74\n1024\n0\n`)
  })

  test('a cluster that keeps every wall is usable, and tells what it enforces', async () => {
    const found = await probed({})
    expect(told(found)).toEqual({ isUsable: true, missing: expect.stringMatching(/^hard disk limit.*$/) })
    expect(found).toMatchObject({ driver: 'kubernetes', kernel: 'shared', gaps: ['disk'], languages: ['sh', 'node', 'python3'] })
    expect(found.enforced).toContain('memory limit, processor time limit, process limit (Kubernetes v1.33.1)')
  })

  const walls: [Ignored, string][] = [
    ['CapDrop', 'no capabilities to be had'],
    ['ReadonlyRootfs', 'everything read-only'],
    ['NetworkMode', 'no network but loopback'],
    ['Seccomp', 'a system call filter'],
    ['Mounts', 'the engine mounts the server’s own folders'],
  ]
  test.each(walls)('a cluster that leaves out %s is found out by trying', async (ignores, what) => {
    const { isUsable, missing } = told(await probed({ ignores }))
    expect(isUsable).toBe(false)
    expect(missing.split('\n').filter((line) => line.includes('(tried inside'))).toEqual([expect.stringContaining(what)])
  })

  test('what the cluster cannot do is refused, with what helps', async () => {
    const refused = async (options: Partial<FakeClusterOptions>, settings: Partial<KubernetesSettings>, missing: RegExp) =>
      expect(told(await probed(options, settings))).toEqual({ isUsable: false, missing: expect.stringMatching(missing) })
    await refused({}, { url: 'http://127.0.0.1:9' }, /a cluster: .*ECONNREFUSED.* → .*LONGHAUL_SANDBOX_KUBERNETES_URL/)
    await refused({ version: { major: '1', minor: '28+', gitVersion: 'v1.28.3' } }, {}, /^Kubernetes 1\.30 or later \(this is v1\.28\.3\)/)
    await refused({ refuses: { status: 403, message: 'pods is forbidden: exceeded quota' } }, {}, /exceeded quota.* → deploy\/kubernetes\/sandboxes\.yaml/)
    await refused({ waits: { reason: 'ErrImagePull', message: 'no such image' } }, {}, /the pod does not start: ErrImagePull: no such image/)
    await refused({}, { claimFolder: '/elsewhere' }, /^the claim workspaces at \/elsewhere holds the sandboxes’ folder/)
    await refused({}, { runtimeClass: 'gvisor' }, /gVisor’s own kernel answers \(tried inside/)
  })

  test('the token is sent with every request and command, and read anew', async () => {
    const tokenFile = join(mkdtempSync(join(tmpdir(), 'longhaul-token-')), 'token')
    writeFileSync(tokenFile, 'wrong\n')
    await using bed = await startBed({ token: 'right' }, { tokenFile })
    await expect(bed.driver.create({ id: 'one' })).rejects.toThrow(/Unauthorized/)
    writeFileSync(tokenFile, 'right\n')
    expect((await sh(await bed.driver.create({ id: 'one' }), 'echo in')).stdout).toBe('in\n')
  })

  test('pods of a killed server are removed by its successor, and nobody else’s', async () => {
    await using bed = await startBed()
    await bed.driver.create({ id: 'left' })
    const other = mkdtempSync(join(bed.settings.claimFolder, 'other-'))
    const neighbour = kubernetesDriver({ root: claimRoot(other), log: silentLog, ...bed.settings })
    await neighbour.create({ id: 'mine' })
    expect(bed.api.pods.size).toBe(2)
    const next = kubernetesDriver({ root: bed.root, log: silentLog, ...bed.settings })
    await next.sweep()
    expect([...bed.api.pods.values()].map(({ body }) => body.metadata.labels['longhaul.dev/sandboxes'])).not.toContain(bed.root.tag)
    expect(bed.api.pods.size).toBe(1)
    await neighbour.stop()
    await next.stop()
    expect(bed.api.pods.size).toBe(0)
  })

  test('a pod ends when the server’s connection does: the agent ends the first process', async () => {
    await using bed = await startBed()
    const sandbox = await bed.driver.create({ id: 'one' })
    const running = sandbox.exec({ script: 'sleep 30', timeoutMs: 40_000 }, { signal: never })
    await sleep(300)
    const [pod] = bed.api.pods.values()
    const ended = new Promise((resolve) => pod?.child.on('close', resolve))
    bed.api.isDeaf = true // A server that was killed deletes nothing.
    for (const socket of pod?.sockets ?? []) socket.terminate()
    await ended
    bed.api.isDeaf = false
    expect(await running).toMatchObject({ exitCode: null, signal: 'SIGKILL', stderr: expect.stringContaining('The sandbox ended while the command ran') })
    expect((await sh(sandbox, 'echo anew')).stdout).toBe('anew\n')
  })

  test('archives of one moment, copies, ports and numbers work as with every driver that has our agent inside', async () => {
    await using bed = await startBed()
    const sandbox = await bed.driver.create({ id: 'one' })
    const counting = sandbox.exec({ script: 'i=0; while :; do i=$((i+1)); echo $i >> a; echo $i >> b; done', timeoutMs: 8_000 }, { signal: never })
    await sleep(200)
    const copy = await bed.driver.create({ id: 'two' })
    await copy.trees!.copyFrom(sandbox.trees!)
    const [a, b] = (await sh(copy, 'tail -qn 1 a b')).stdout.split('\n').map(Number)
    expect([0, 1]).toContain(a! - b!)
    const moving = (await sh(sandbox, 'tail -n 1 a; sleep 0.2; tail -n 1 a')).stdout.split('\n')
    expect(Number(moving[1])).toBeGreaterThan(Number(moving[0])) // It goes on.
    expect(await sandbox.stats()).toMatchObject({ isRunning: true, processCount: expect.any(Number) })
    const serving = copy.exec(
      { script: `node -e 'net.createServer((s) => s.end("from inside")).listen(4000, "127.0.0.1")'`, timeoutMs: 4_000 },
      { signal: never },
    )
    let said = ''
    for (let tries = 0; said === '' && tries < 60; tries++) {
      await sleep(50)
      said = await copy.connect!(4000)
        .then(text)
        .catch(() => '')
    }
    expect(said).toBe('from inside')
    // Its end is heard of also after it was held still.
    expect(await sh(sandbox, 'kill -9 -1; sleep 20', { timeoutMs: 30_000 })).toMatchObject({ signal: 'SIGKILL', isTimedOut: false })
    await Promise.all([sandbox.stop(), copy.stop()])
    await Promise.all([counting, serving])
  })
})

test('the manifests give the rights that the driver uses, and no more, and close the network of its pods', () => {
  const documents = parseAllDocuments(readFileSync(join(import.meta.dirname, '../../../../deploy/kubernetes/sandboxes.yaml'), 'utf8')).map((each) =>
    each.toJS(),
  )
  const of = (kind: string) => documents.find((each) => each.kind === kind)
  expect(of('Role').rules).toEqual([
    { apiGroups: [''], resources: ['pods'], verbs: ['create', 'get', 'list', 'delete'] },
    { apiGroups: [''], resources: ['pods/exec'], verbs: ['create', 'get'] },
  ])
  expect(of('NetworkPolicy').spec).toEqual({ podSelector: { matchLabels: { 'longhaul.dev/sandbox': 'true' } }, policyTypes: ['Ingress', 'Egress'] })
})
