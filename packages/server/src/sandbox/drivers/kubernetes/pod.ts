/** What the cluster is asked to make: a pod that has nothing but its workspace, and nothing to get more with. */
import { join, relative } from 'node:path'
import type { LaunchOptions } from '../../agent/host.ts'
import { egressPath } from '../../driver.ts'

export type PodParts = {
  image: string
  runtimeClass: string | undefined
  isGvisor: boolean
  /** The node that the server is on: nowhere else do its sockets, and a claim for one node, reach. */
  node: string | undefined
  claim: string
  /** Where the server has that claim mounted. */
  claimFolder: string
  /** Our program inside, on the claim. */
  agent: string
  /** Of every pod of this server's, for the sweep. */
  label: { name: string; value: string }
  cpuCountMax: number
  /** The server's own, where it is not root and so cannot give a workspace to another user. */
  ownUser: { user: number; group: number }
}

const megabyte = 1024 * 1024
const tmpBytesMax = 64 * megabyte
const fileDescriptorsMax = 1_024
const ownMemoryBytes = { plain: 64 * megabyte, gvisor: 128 * megabyte }
/** Threads of the agent's where `RLIMIT_NPROC` counts them. */
const ownThreadCount = 24

/** Waits to be told that the agent has ended; with it, as the first process, everything in the pod does. */
const keeper = ['/bin/sh', '-c', 'trap "exit 0" TERM; while :; do sleep 3600 & wait "$!"; done']

/** What runs in it, with limits that every process inherits. Users of their own have their processes counted for them alone. */
export function limited({ user, limits, command }: LaunchOptions): string[] {
  const nproc = user === undefined ? [] : [`--nproc=${limits.processCountMax + ownThreadCount}`]
  return ['/usr/bin/prlimit', '--core=0', `--nofile=${fileDescriptorsMax}`, `--fsize=${limits.diskBytesMax}`, ...nproc, '--', ...command]
}

/** The body of `POST pods`. */
export function describePod(parts: PodParts, name: string, { folder, user, limits, copyTo, hasNoTmp = false }: LaunchOptions): object {
  const memory = limits.memoryBytesMax + ownMemoryBytes[parts.isGvisor ? 'gvisor' : 'plain']
  const from = (path: string) => relative(parts.claimFolder, path)
  const mount = (path: string, mountPath: string, readOnly: boolean) => ({ name: 'claim', subPath: from(path), mountPath, readOnly })
  const { user: own, group } = parts.ownUser
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, labels: { [parts.label.name]: parts.label.value, 'longhaul.dev/sandbox': 'true' } },
    spec: {
      restartPolicy: 'Never',
      terminationGracePeriodSeconds: 1,
      hostname: 'sandbox',
      automountServiceAccountToken: false,
      enableServiceLinks: false,
      ...{ hostNetwork: false, hostPID: false, hostIPC: false, shareProcessNamespace: false },
      ...{ dnsPolicy: 'None', dnsConfig: { nameservers: ['127.0.0.1'] } },
      ...(parts.runtimeClass !== undefined && { runtimeClassName: parts.runtimeClass }),
      ...(parts.node !== undefined && {
        affinity: {
          nodeAffinity: {
            requiredDuringSchedulingIgnoredDuringExecution: {
              nodeSelectorTerms: [{ matchFields: [{ key: 'metadata.name', operator: 'In', values: [parts.node] }] }],
            },
          },
        },
      }),
      securityContext: { runAsUser: user ?? own, runAsGroup: user ?? group, runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
      containers: [
        {
          name: 'sandbox',
          image: parts.image,
          imagePullPolicy: 'IfNotPresent',
          command: keeper,
          workingDir: '/workspace',
          env: [
            { name: 'LANG', value: 'C.UTF-8' },
            { name: 'UV_THREADPOOL_SIZE', value: '1' },
          ],
          resources: {
            requests: { memory: `${64 * megabyte}`, cpu: '50m' },
            limits: { memory: `${memory}`, cpu: `${Math.round(parts.cpuCountMax * 1_000)}m` },
          },
          securityContext: {
            ...{ privileged: false, allowPrivilegeEscalation: false, readOnlyRootFilesystem: true },
            capabilities: { drop: ['ALL'] },
          },
          volumeMounts: [
            mount(parts.agent, '/run/longhaul/agent.cjs', true),
            mount(join(folder, 'egress'), egressPath, true),
            mount(join(folder, 'workspace'), '/workspace', false),
            ...(copyTo === undefined ? [] : [mount(copyTo, '/copy', false)]),
            ...(hasNoTmp ? [] : [{ name: 'tmp', mountPath: '/tmp', readOnly: false }]),
            { name: 'shm', mountPath: '/dev/shm', readOnly: hasNoTmp },
          ],
        },
      ],
      volumes: [
        { name: 'claim', persistentVolumeClaim: { claimName: parts.claim } },
        ...(hasNoTmp ? [] : [{ name: 'tmp', emptyDir: { medium: 'Memory', sizeLimit: `${tmpBytesMax}` } }]),
        { name: 'shm', emptyDir: { medium: 'Memory', sizeLimit: `${16 * megabyte}` } },
      ],
    },
  }
}
