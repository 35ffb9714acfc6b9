import { z } from 'zod'
import { toFailure } from '../../../kernel/index.ts'
import type { AgentHost } from '../../agent/host.ts'
import { type Look, lookInside } from '../../agent/look.ts'
import type { Capabilities, CreateOptions, Gap, Sandbox } from '../../driver.ts'
import { missingTools } from '../../host/tools.ts'
import { userRange } from '../../host/users.ts'
import { type Cluster, ClusterError } from './cluster.ts'
import type { PodParts } from './pod.ts'

type Missing = Capabilities['missing'][number]
export type ProbeOptions = {
  api: Cluster
  parts: PodParts
  isRoot: boolean
  /** The sandboxes' folder is on the claim. */
  isOnClaim: boolean
  host(): Promise<AgentHost>
  create(options: CreateOptions): Promise<Sandbox>
}

const Version = z.looseObject({ gitVersion: z.string(), major: z.string(), minor: z.string() })
/** From 1.30 on every API server speaks `v5.channel.k8s.io`. */
const minorMin = 30
const id = '\0probe'

/** Whoever reaches the API server from inside reaches other things as well. That we reach it shows that it can be reached. */
const network = ({ host, port }: Cluster) =>
  `node -e 'const s = net.connect({ host: ${JSON.stringify(host)}, port: ${port} }); const end = (word) => process.exit(console.log(word)); s.on("connect", () => end("")); s.on("error", () => end("alone")); setTimeout(end, 3000, "alone")'`

/** Asks the cluster, then starts a real pod and tries, inside, what must not work. Whatever works nevertheless makes the driver unusable. */
export async function probeKubernetes(options: ProbeOptions): Promise<Capabilities> {
  const { api, parts, isRoot, isOnClaim, host, create } = options
  const { isGvisor } = parts
  const unusable = (...missing: Missing[]): Capabilities => ({
    ...{ driver: 'kubernetes', kernel: isGvisor ? 'own' : 'shared', isUsable: false },
    ...{ enforced: [], gaps: [], languages: [], missing },
  })
  if (process.platform !== 'linux') return unusable({ what: `Linux (this is ${process.platform})`, remedy: 'Run the server in the cluster.' })
  if (isRoot && !userRange()) return unusable({ what: 'enough user numbers', remedy: 'Run the server as an ordinary user.' })
  if (!isOnClaim)
    return unusable({
      what: `the claim ${parts.claim} at ${parts.claimFolder} holds the sandboxes’ folder`,
      remedy: 'Mount the claim where LONGHAUL_DATA_DIR is, or say in LONGHAUL_SANDBOX_KUBERNETES_CLAIM_FOLDER where it is mounted.',
    })
  const tools = missingTools('du', isRoot)
  if (tools.length > 0) return unusable(...tools)
  try {
    const { gitVersion, minor } = Version.parse(await api.read('/version'))
    if (Number.parseInt(minor, 10) < minorMin)
      return unusable({ what: `Kubernetes 1.${minorMin} or later (this is ${gitVersion})`, remedy: 'Use the driver docker, bwrap or gvisor.' })
    const ready = await host()
    const sandbox = await create({ id })
    try {
      const by = `kubectl run --rm -it --image ${parts.image} try -- sh shows by hand why. deploy/kubernetes/sandboxes.yaml has what the cluster needs.`
      const seen = await lookInside({ sandbox, root: ready.root, id, isGvisor, network: network(api) }).catch((error: unknown) => String(error))
      if (typeof seen === 'string') return unusable({ what: seen, remedy: by })
      if (seen.broken.length > 0) return unusable(...seen.broken.map((what) => ({ what: `${what} (tried inside; ${seen.said})`, remedy: by })))
      return judge(options, seen, gitVersion)
    } finally {
      await sandbox.destroy()
    }
  } catch (error) {
    if (error instanceof ClusterError && error.status === undefined && /does not answer/.test(error.message))
      return unusable({
        what: `a cluster: ${error.message}`,
        remedy: 'Run the server in the cluster, or say in LONGHAUL_SANDBOX_KUBERNETES_URL where its API server is.',
      })
    return unusable({
      what: `sandboxes of the cluster’s: ${toFailure(error).message.slice(0, 600)}`,
      remedy: 'deploy/kubernetes/sandboxes.yaml has the account, its rights, the claim and the network policy that the driver needs.',
    })
  }
}

function judge({ parts, isRoot }: ProbeOptions, { words, kept }: Look, version: string): Capabilities {
  const isCounted = words.includes('counted') || (isRoot && !parts.isGvisor)
  const gaps: Gap[] = ['disk', ...(isCounted ? [] : ['processes' as const])]
  const missing: Missing[] = [
    {
      what: 'hard disk limit: a workspace can pass its limit until it is measured again',
      remedy: 'Give the claim a quota, or use the driver bwrap or gvisor, as root.',
    },
    ...(isCounted ? [] : [{ what: 'process limit', remedy: 'Set podPidsLimit in the configuration of the node’s kubelet.' }]),
    ...(words.includes('door')
      ? []
      : [
          {
            what: 'ways out: what runs inside cannot reach the server’s proxy',
            remedy:
              'Keep sandboxes on the server’s node (LONGHAUL_SANDBOX_KUBERNETES_NODE); with gVisor, let it pass Unix sockets: host-uds = "open" in runsc.toml.',
          },
        ]),
    ...(words.includes('python') ? [] : [{ what: 'python3', remedy: 'Choose an image that has it in LONGHAUL_SANDBOX_KUBERNETES_IMAGE.' }]),
  ]
  return {
    driver: 'kubernetes',
    kernel: parts.isGvisor ? 'own' : 'shared',
    isUsable: true,
    enforced: [
      ...(parts.isGvisor ? ['gVisor’s own kernel answers: the host’s is not spoken to'] : []),
      ...kept,
      ...(isRoot ? ['a user of its own for each workspace'] : []),
      `memory limit, processor time limit${isCounted ? ', process limit' : ''} (Kubernetes ${version}${parts.runtimeClass === undefined ? '' : `, ${parts.runtimeClass}`})`,
      'disk and file count watched from outside; single files hard-limited',
    ],
    missing,
    gaps,
    languages: ['sh', 'node', ...(words.includes('python') ? ['python3'] : [])],
  }
}
