/** What this installation was told. The only reader of the environment. */
import { sandboxDrivers } from '@longhaul/protocol'
import { z } from 'zod'
import { logLevels } from './kernel/index.ts'
import { webhookReaches } from './outcomes/index.ts'
import { DeclaredFolders, PackageRegistries, Registries, gapNames } from './sandbox/index.ts'
import { searchProviders } from './tools/index.ts'

/** Some of these, with commas between them; `none` is none. */
const names = <Name extends string>(known: readonly [Name, ...Name[]]) =>
  z
    .string()
    .max(200)
    .transform((text) =>
      text
        .split(',')
        .map((name) => name.trim())
        .filter((name) => name !== '' && name !== 'none'),
    )
    .pipe(z.array(z.enum(known, `must be some of ${known.join(', ')}, or none`)))
const integer = (min: number, max: number) =>
  z
    .string()
    .regex(/^\d{1,15}$/, 'must be a whole number')
    .transform(Number)
    .pipe(z.number().min(min).max(max))
const folder = z.string().max(4_096)
const modelId = z
  .string()
  .max(200)
  .regex(/^([^/\s]+\/\S+|[a-z0-9][a-z0-9-]*)$/, 'must look like provider/model, for example openai/gpt-5, or be the name of a route')
const httpUrl = z.url({ protocol: /^https?$/, error: 'must be an http:// or https:// address' }).max(2_000)
const postgresUrl = z.url({ protocol: /^postgres(ql)?$/, error: 'must look like postgresql://user:password@host:5432/database' }).max(2_000)
const smtpUrl = z.url({ protocol: /^smtps?$/, error: 'must look like smtps://user:password@host:465 or smtp://host:587' }).max(2_000)
const sender = z
  .string()
  .max(320)
  .regex(/^([^\r\n<>]*<[^\s<>@]+@[^\s<>@]+>|[^\s<>@]+@[^\s<>@]+)$/, 'must be an address: longhaul@example.com, or Longhaul <longhaul@example.com>')
const secret = z.string().max(1_000)
const providerKey = (label: string) =>
  z.string().max(20_000).optional().describe(`Makes ${label}’s models available. Several keys, with commas between, share the load.`)
const jsonOf = <Schema extends z.ZodType>(schema: Schema) =>
  z
    .string()
    .max(100_000)
    .transform((text, context): unknown => {
      try {
        return JSON.parse(text)
      } catch {
        context.addIssue({ code: 'custom', message: 'must be JSON' }) // The text is not repeated: it may hold keys.
        return z.NEVER
      }
    })
    .pipe(schema)

/** Every setting there is. `docs/reference/config.md` is made from this table. */
export const settings = {
  LONGHAUL_HTTP_PORT: integer(0, 65_535).default(8080).describe('Port of the API and the console. 0 takes a free one, which is printed.'),
  LONGHAUL_HTTP_HOST: z
    .string()
    .max(255)
    .default('127.0.0.1')
    .describe('Address to listen on. `0.0.0.0` or `::` lets other machines in: put TLS in front of it.'),
  LONGHAUL_PUBLIC_URL: httpUrl
    .optional()
    .describe('Address under which people reach this server when it is another than where it listens: behind a proxy on the same machine, for example.'),
  LONGHAUL_DATABASE_URL: postgresUrl.optional().describe('PostgreSQL to use. Absent: one is started in the data folder.'),
  LONGHAUL_DATABASE_ADOPT: z
    .string()
    .max(2_000)
    .optional()
    .describe(
      'Address of a database that was moved, restored or cloned, on which this server may work although the database was at home elsewhere. The refusal at the start names it; left set it does no harm, since the next copy has another address.',
    ),
  LONGHAUL_DATABASE_CONNECTIONS: integer(2, 1_000).default(10).describe('Connections in the pool. A server has four of its own besides.'),
  LONGHAUL_DATA_DIR: folder.default('.longhaul').describe('Folder for the embedded database, files and this machine’s key.'),
  LONGHAUL_AGENTS_DIR: folder.default('examples').describe('Folder whose folders are deployed as agents when the server starts.'),
  LONGHAUL_LOG_LEVEL: z.enum(logLevels).default('info').describe('Least level that is logged. `debug` shows prompts and results of tools.'),
  LONGHAUL_LOG_FORMAT: z.enum(['auto', 'text', 'json']).default('auto').describe('`auto` is text in a terminal and JSON lines otherwise.'),
  LONGHAUL_LEASE_MS: integer(1_000, 3_600_000)
    .default(10_000)
    .describe('How long a server holds a run without renewing. After a crash another one takes over no later than that.'),
  LONGHAUL_DRAIN_MS: integer(0, 3_600_000)
    .default(20_000)
    .describe(
      'How long a server that was told to stop waits for steps that are under way. Runs are handed over between two steps; a step that takes longer is executed again elsewhere.',
    ),
  LONGHAUL_HTTP_GRACE_MS: integer(0, 600_000)
    .default(0)
    .describe(
      'How long it still answers requests then, with `/healthz` at 503, so that a load balancer looks elsewhere. A little more than the interval of its checks.',
    ),
  LONGHAUL_HTTP_CONNECTIONS: integer(10, 1_000_000)
    .default(10_000)
    .describe('Connections that may be open at once, those of streams included. One more is closed as it comes.'),
  LONGHAUL_GRPC_PORT: integer(0, 65_535)
    .optional()
    .describe('Port for gRPC, on the same address, HTTP/2 without TLS. 0 takes a free one, which is printed. Absent: no gRPC.'),
  LONGHAUL_LIVE_CONNECTIONS_PER_KEY: integer(1, 100_000)
    .default(100)
    .describe('WebSocket connections for live events that a key or a person may have at this server. Each carries up to 100 subscriptions.'),
  LONGHAUL_RUN_EVENTS_MAX: integer(100, 1_000_000)
    .default(50_000)
    .describe('Events that a run may have. It is warned at four fifths and fails at all of them: code that loops without an end goes on as a new run.'),
  LONGHAUL_RUN_BYTES_MAX: integer(100_000, 2_000_000_000).default(200_000_000).describe('Bytes that the history of a run may have, in the same way.'),
  LONGHAUL_WEBHOOK_SECRET: z
    .string()
    .max(200)
    .refine((text) => {
      const length = /^whsec_[A-Za-z0-9+/]+={0,2}$/.test(text) ? Buffer.from(text.slice(6), 'base64').length : 0
      return length >= 24 && length <= 64
    }, 'must be `whsec_` and the base64 of 24 to 64 random bytes')
    .optional()
    .describe(
      'Signs webhooks, as Standard Webhooks describes it: `whsec_` and the base64 of 24 to 64 random bytes. Absent: runs take no webhooks as destinations.',
    ),
  LONGHAUL_WEBHOOK_REACH: z
    .enum(webhookReaches)
    .default('public')
    .describe('Where webhooks may go: `public` addresses, those of `private` networks as well, or of this machine as well (`loopback`).'),
  LONGHAUL_AUDIT_HEADS_URL: httpUrl
    .optional()
    .describe(
      'Where signed heads of the audit log are sent, as webhooks under LONGHAUL_WEBHOOK_SECRET: to a machine of other people than those who own this one.',
    ),
  LONGHAUL_AUDIT_HEADS_FILE: z.string().startsWith('/').optional().describe('A file on other storage that they are appended to, one a line.'),
  LONGHAUL_AUDIT_HEADS_EVERY_MS: integer(1_000, 86_400_000).default(600_000).describe('How often they are sent, where something has happened.'),
  LONGHAUL_SMTP_URL: smtpUrl
    .optional()
    .describe(
      'SMTP server that takes mail to people: `smtps://user:password@host:465`, or `smtp://host:587` with STARTTLS, which it has to offer unless it is on this machine or `?requireTLS=false` stands behind. Absent: no mail is sent, and links are handed on by whoever makes them.',
    ),
  LONGHAUL_MAIL_FROM: sender.optional().describe('Whom mails come from: `longhaul@example.com`, or `Longhaul <longhaul@example.com>`.'),
  LONGHAUL_TOOLS_MAIL_RECIPIENTS: z
    .string()
    .max(10_000)
    .default('')
    .describe(
      'Whom agents may write to with the stock tool `mail`, of those whom they declare: `ada@example.com`, `example.com` for everybody of this domain, or `*`, separated by commas. Needs `LONGHAUL_SMTP_URL`. Absent: nobody.',
    ),
  LONGHAUL_WORKERS_MIN: integer(0, 64)
    .default(1)
    .describe('Worker processes that this server keeps for each live version of an agent. With 0 the first run after a quiet minute waits for one to start.'),
  LONGHAUL_WORKERS_MAX: integer(1, 64)
    .optional()
    .describe(
      'Worker processes of one version at most: there is one more when all that it has are full, by their runs or by their processor time. Absent: as many as this machine has processors.',
    ),
  LONGHAUL_WORKER_RUNS_MAX: integer(1, 100_000).default(500).describe('A worker with so many runs is full.'),
  LONGHAUL_WORKER_MEMORY_MB: integer(64, 1_000_000)
    .default(1_024)
    .describe(
      'A worker that holds more memory than so many megabytes gets no run any more and is replaced. One that holds half as much again is ended; its runs go on in another.',
    ),
  LONGHAUL_WORKER_WALLS: z
    .enum(['auto', 'on', 'off'])
    .default('auto')
    .describe(
      'Whether workers, which execute agents’ own code, see no more of this machine than programs, packages, their version and their data. `auto`: where bubblewrap works; `on`: the server does not start without.',
    ),
  LONGHAUL_SANDBOX_DRIVER: z
    .enum(['auto', ...sandboxDrivers])
    .default('auto')
    .describe(
      'Where generated code runs. `auto` takes `bwrap` where the host allows it, else `virtual`. `gvisor` has a kernel of its own, for code of strangers; `docker` asks an engine for hardened containers, `kubernetes` a cluster for pods, `vercel` and `e2b` hosted services for machines; `js` is `virtual` with a command for snippets of JavaScript.',
    ),
  LONGHAUL_SANDBOX_DRIVERS: names(sandboxDrivers)
    .prefault('none')
    .describe(
      'Drivers that are offered beside that one, with commas between them: which tenant gets which is in its sandbox policy. One that cannot work here keeps the server from starting.',
    ),
  LONGHAUL_SANDBOX_DOCKER_SOCKET: z
    .string()
    .startsWith('/')
    .default('/var/run/docker.sock')
    .describe('Unix socket of the engine that the driver `docker` asks. Whoever may use it is root on this host: give it to the server only.'),
  LONGHAUL_SANDBOX_DOCKER_IMAGE: z
    .string()
    .min(1)
    .default('node:24-bookworm')
    .describe(
      'Image that sandboxes of the driver `docker` are made of. It needs `node` 22 or later, `sh`, `mkfifo`, `tar`, and of util-linux `prlimit` and `unshare`. The server does not pull it.',
    ),
  LONGHAUL_SANDBOX_DOCKER_RUNTIME: z
    .string()
    .regex(/^[A-Za-z0-9._/-]+$/)
    .default('runc')
    .describe('Runtime of the engine: `runc` shares the host’s kernel with the sandboxes, `runsc` is gVisor with a kernel for each.'),
  LONGHAUL_SANDBOX_KUBERNETES_URL: z
    .url({ protocol: /^https?$/ })
    .default('https://kubernetes.default.svc')
    .describe(
      'API server of the cluster in which the driver `kubernetes` makes a pod for each sandbox. `deploy/kubernetes/sandboxes.yaml` has what the cluster needs.',
    ),
  LONGHAUL_SANDBOX_KUBERNETES_NAMESPACE: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/)
    .default('longhaul')
    .describe('Namespace of those pods.'),
  LONGHAUL_SANDBOX_KUBERNETES_TOKEN_FILE: z
    .string()
    .startsWith('/')
    .default('/var/run/secrets/kubernetes.io/serviceaccount/token')
    .describe('File with the token that the API server is asked with. It is read again for each request.'),
  LONGHAUL_SANDBOX_KUBERNETES_CA_FILE: z
    .string()
    .startsWith('/')
    .default('/var/run/secrets/kubernetes.io/serviceaccount/ca.crt')
    .describe('File with the certificate of the authority that the API server’s own is checked with.'),
  LONGHAUL_SANDBOX_KUBERNETES_CLAIM: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/)
    .default('longhaul-data')
    .describe('Persistent volume claim that the server has mounted where its data is, and that pods get their workspace from.'),
  LONGHAUL_SANDBOX_KUBERNETES_CLAIM_FOLDER: z
    .string()
    .startsWith('/')
    .optional()
    .describe('Where the server has that claim mounted. Absent: at `LONGHAUL_DATA_DIR`.'),
  LONGHAUL_SANDBOX_KUBERNETES_IMAGE: z
    .string()
    .min(1)
    .default('node:24-bookworm')
    .describe('Image of those pods. It needs what that of the driver `docker` does.'),
  LONGHAUL_SANDBOX_KUBERNETES_RUNTIME_CLASS: z
    .string()
    .regex(/^[a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?$/)
    .optional()
    .describe(
      'Runtime class of those pods: `gvisor` gives each a kernel of its own, which is tried. Absent: the cluster’s default, which shares the node’s kernel.',
    ),
  LONGHAUL_SANDBOX_KUBERNETES_NODE: z
    .string()
    .min(1)
    .max(253)
    .optional()
    .describe('Node to keep those pods on: the server’s own (`spec.nodeName`), as ways out and claims for one node need. Absent: any.'),
  LONGHAUL_SANDBOX_VERCEL_TOKEN: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Token of the account whose machines the driver `vercel` uses. Code and files of its sandboxes are with that service. Absent: there is no such driver.',
    ),
  LONGHAUL_SANDBOX_VERCEL_TEAM: z.string().min(1).optional().describe('Team of that account.'),
  LONGHAUL_SANDBOX_VERCEL_PROJECT: z.string().min(1).optional().describe('Project of that team.'),
  LONGHAUL_SANDBOX_VERCEL_IMAGE: z.string().min(1).optional().describe('Image of its machines. Absent: the service’s own.'),
  LONGHAUL_SANDBOX_VERCEL_URL: z
    .url({ protocol: /^https?$/ })
    .default('https://vercel.com/api')
    .describe('Where that service is. Another Longhaul speaks the same at `/vercel`.'),
  LONGHAUL_SANDBOX_E2B_KEY: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Key of the account whose machines the driver `e2b` uses. Code and files of its sandboxes are with that service. Absent: there is no such driver.',
    ),
  LONGHAUL_SANDBOX_E2B_TEMPLATE: z.string().min(1).default('base').describe('Template of its machines.'),
  LONGHAUL_SANDBOX_E2B_URL: z
    .url({ protocol: /^https?$/ })
    .default('https://api.e2b.app')
    .describe('Where that service is.'),
  LONGHAUL_SANDBOX_SHARED_KERNEL: z
    .enum(['first', 'all'])
    .default('first')
    .describe(
      'Whose sandboxes may share the host’s kernel (`bwrap`, and `docker` or `kubernetes` with another runtime than gVisor) where their tenant’s sandbox policy does not say: those of the `first` tenant, `default`, which is the operator’s own, or of `all`. The others need `gvisor`, or a word of the operator.',
    ),
  LONGHAUL_SANDBOX_ACCEPT: names(gapNames)
    .prefault(gapNames.join(','))
    .describe(
      'Limits of sandboxes that this host need not enforce: `memory`, `cpu`, `disk`, `processes`, with commas between them, or `none`. What is missing and not named here keeps the server from starting; what is named is told in the record of each command.',
    ),
  LONGHAUL_SANDBOX_FAST_MOVES: z
    .enum(['on', 'off'])
    .default('on')
    .describe(
      'Whether a server that is root has the kernel, from Linux 6.18, favour moves of processes between control groups (`mount -o remount,favordynmods`): a command in a sandbox begins 5 to 13 ms sooner. It holds for the whole machine until it is started again.',
    ),
  LONGHAUL_SANDBOX_POOL: integer(0, 100).default(2).describe('Sandboxes that are started ahead of time, so that new ones are there at once. About 12 MB each.'),
  LONGHAUL_SANDBOXES_PER_TENANT: integer(1, 1_000_000).default(200).describe('Sandboxes made through the API that a tenant may have at once.'),
  LONGHAUL_SANDBOX_DISK_BYTES_PER_TENANT: integer(1_000_000, 100_000_000_000_000)
    .default(50_000_000_000)
    .describe('What such sandboxes and their snapshots may hold together, for each tenant.'),
  LONGHAUL_SANDBOX_TTL_MS: integer(60_000, 31_536_000_000)
    .default(86_400_000)
    .describe('A sandbox made through the API ends when it was not used for so long, unless it was given another time.'),
  LONGHAUL_SANDBOX_RELEASE_MS: integer(60_000, 31_536_000_000)
    .default(3_600_000)
    .describe('Unused for so long, such a sandbox’s workspace goes into a snapshot, from which the next use brings it back.'),
  LONGHAUL_SANDBOX_EGRESS_HOSTS: z
    .string()
    .max(10_000)
    .default('*')
    .describe(
      'Hosts that the sandboxes of agents’ runs may reach, of those that an agent declares: `example.com` or `*.example.com`, with commas between them. `*` is every public host, `none` is none.',
    ),
  LONGHAUL_SANDBOX_FOLDERS: jsonOf(DeclaredFolders)
    .optional()
    .describe(
      'Folders of this machine that sandboxes of agents’ runs may be shown, read-only, where the agent declares them and a policy permits it to the asker: `{"sales": {"path": "/srv/sales"}}`. `"everyone": true` shows one to every asker whom no policy forbids it; `"tenants": ["acme"]` says whose agents may ask for it, where that is not `default`’s. Folders of the system, folders with keys and the server’s own data are refused, and so is one that is missing. Restarting the server makes a change hold.',
    ),
  LONGHAUL_SANDBOX_ROOT: z
    .string()
    .min(1)
    .max(4_096)
    .optional()
    .describe(
      'Root of all sandboxes of the driver `bwrap` that have no image of their own, in place of this machine’s programs: a file of this machine’s with the tree of a system as a tar archive, as `npm run sandbox-root` writes it, or with an image. It is unpacked once, into `sandboxes/.images` of the data folder. One that cannot be had, or has no `/bin/sh`, keeps the server from starting. Absent: this machine’s `/usr`.',
    ),
  LONGHAUL_SANDBOX_IMAGE_MB: integer(1, 100_000)
    .default(4_000)
    .describe(
      'Largest image of an agent or a sandbox, in MB of all its layers, unpacked. It lies in `sandboxes/.images` of the data folder once for each tenant, and a month after its last use.',
    ),
  LONGHAUL_SANDBOX_IMAGE_REGISTRIES: jsonOf(Registries)
    .default({})
    .describe(
      'Registries from which images of agents and sandboxes may be fetched, by the host that their references begin with, and who asks there, if anybody: `{"registry.example.com": {"username": "longhaul", "password": "…"}, "ghcr.io": {}}`. Over HTTPS, but for `localhost`. Docker Hub is `registry-1.docker.io`.',
    ),
  LONGHAUL_SANDBOX_PACKAGE_CACHE_MB: integer(0, 10_000_000)
    .default(2_000)
    .describe(
      'Room for files of packages that sandboxes install, so that the next one is given them by this server and not by the registry. They lie in `sandboxes/.packages` of the data folder, and no file is larger than a quarter of it. 0: none are kept.',
    ),
  LONGHAUL_SANDBOX_PACKAGE_REGISTRIES: jsonOf(PackageRegistries)
    .default({ 'registry.npmjs.org': 'npm', 'files.pythonhosted.org': 'https://pypi.org/simple/' })
    .describe(
      'Registries whose files are kept, by the host that those come from: `npm`, or the address of the index of Python’s that names them, with `/` at its end. Only such as give everything to everybody: what one tenant’s sandbox installs from there is given to others.',
    ),
  LONGHAUL_SANDBOX_TEMPLATE_KEEP_MS: integer(60_000, 31_536_000_000)
    .default(2_592_000_000)
    .describe('A version of a template that no sandbox was made from for so long is deleted, unless it is the newest of its name that is ready.'),
  LONGHAUL_MODEL: modelId
    .optional()
    .describe('What an agent gets that names no model, as `provider/model`. Absent: the first provider that has a key, else the offline stand-in.'),
  LONGHAUL_MODEL_TIMEOUT_MS: integer(1_000, 3_600_000).default(120_000).describe('Longest silence of a model before its call fails and is retried.'),
  LONGHAUL_OPENAI_COMPATIBLE_BASE_URL: httpUrl.optional().describe('Address of any server that speaks OpenAI’s chat completions: Ollama, vLLM, LM Studio, …'),
  LONGHAUL_OPENAI_COMPATIBLE_MODEL: z.string().max(200).optional().describe('Model to ask for there.'),
  LONGHAUL_OPENAI_COMPATIBLE_API_KEY: secret.optional().describe('Its key, if it wants one.'),
  LONGHAUL_MODEL_SERVERS: jsonOf(
    z.record(z.string().max(32), z.strictObject({ baseUrl: httpUrl, model: z.string().min(1).max(200), apiKey: secret.optional() })),
  )
    .optional()
    .describe(
      'More servers that speak OpenAI’s chat completions, by name, as JSON: `{"vllm": {"baseUrl": "http://gpu:8000/v1", "model": "Qwen/Qwen3-8B", "apiKey": "…"}}`.',
    ),
  LONGHAUL_PROVIDER_BASE_URLS: jsonOf(z.record(z.string().max(32), httpUrl))
    .optional()
    .describe('Other addresses of providers, as JSON: `{"azure": "https://<resource>.openai.azure.com/openai/v1"}`. For regions and proxies.'),
  LONGHAUL_MODEL_BODY_BYTES_MAX: integer(1_000, 256_000_000).default(32_000_000).describe('Largest body of a model call over HTTP. Images travel in it.'),
  LONGHAUL_ATTACHMENT_BYTES_MAX: integer(1, 100_000_000).default(25_000_000).describe('Largest file that can be sent along with a message.'),
  LONGHAUL_ATTACHMENTS_PER_MESSAGE: integer(1, 100).default(10).describe('How many files a message can have.'),
  LONGHAUL_ATTACHMENT_KEEP_MS: integer(60_000, 31_536_000_000).default(86_400_000).describe('A file that no message has is deleted after so long.'),
  LONGHAUL_BODY_BYTES_MAX: integer(1_000, 16_000_000).default(1_000_000).describe('Largest request body.'),
  LONGHAUL_LOGIN_MS: integer(60_000, 31_536_000_000).default(2_592_000_000).describe('How long a person stays signed in at most, in a browser or a program.'),
  LONGHAUL_LOGIN_IDLE_MS: integer(60_000, 31_536_000_000).default(43_200_000).describe('A browser is signed out when it was not used for so long.'),
  LONGHAUL_STEP_UP_MS: integer(0, 86_400_000)
    .default(300_000)
    .describe('Sensitive operations need a second factor that was given within this time. 0 asks nobody for one.'),
  LONGHAUL_STEP_UP_KEYS: z
    .enum(['allow', 'refuse'])
    .default('allow')
    .describe('Whether API keys, which have no second factor, may do what is sensitive. `refuse` leaves it to people.'),
  LONGHAUL_TOOLS_PRIVATE_HOSTS: z
    .string()
    .max(10_000)
    .default('')
    .describe(
      'Hosts that are not on the public internet and that tools may reach, as `host` or `host:port`, separated by commas. Absent: none, this machine included.',
    ),
  LONGHAUL_MODEL_CACHE: z
    .string()
    .max(1_000)
    .regex(/^(database|memory|rediss?:\/\/\S+)$/, 'must be database, memory, or redis://host:6379')
    .default('database')
    .describe(
      'Where answers of models are kept that are given again: `database`; `memory`, of each server for itself; or the address of a Redis, `redis://user:password@host:6379/0`, with `rediss` for TLS.',
    ),
  LONGHAUL_EMBEDDING_MODEL: modelId
    .optional()
    .describe(
      'Finds what agents remember by meaning as well, as `provider/model`. Absent: by words alone. After a change earlier memories are found by words.',
    ),
  LONGHAUL_SSO_PRIVATE_HOSTS: z
    .string()
    .max(10_000)
    .default('')
    .describe('Hosts of sign-in providers that are not on the public internet, as `host` or `host:port`, separated by commas. Absent: none.'),
  LONGHAUL_SEARCH_PROVIDER: z.enum(searchProviders).optional().describe('Who answers the stock tool `web_search`.'),
  LONGHAUL_SEARCH_API_KEY: secret.optional().describe('Its key. SearXNG needs none.'),
  LONGHAUL_SEARCH_BASE_URL: httpUrl.optional().describe('Its address, when it is another than the provider’s own. SearXNG needs it.'),
  LONGHAUL_MASTER_KEY: secret
    .optional()
    .describe(
      '32 bytes in base64, under which stored secrets are encrypted. Absent: one is made in the data folder, in `master.key`. Servers on several machines need the same.',
    ),
  LONGHAUL_MASTER_KEY_PREVIOUS: secret
    .optional()
    .describe('The master key from before a change of it. While it is set, secrets are taken over from it when the server starts.'),
  LONGHAUL_VAULT_URL: httpUrl
    .optional()
    .describe(
      'A key service, HashiCorp Vault or OpenBao, that keeps the key under which the master key is encrypted. It is asked when a server starts, instead of LONGHAUL_MASTER_KEY.',
    ),
  LONGHAUL_VAULT_TOKEN: secret.optional().describe('Its token. Needs `update` on `datakey/plaintext`, `decrypt` and `rewrap` of the key.'),
  LONGHAUL_VAULT_MOUNT: z
    .string()
    .regex(/^[\w-]+(\/[\w-]+)*$/)
    .default('transit')
    .describe('Where its transit engine is mounted.'),
  LONGHAUL_VAULT_KEY: z
    .string()
    .regex(/^[\w.-]{1,100}$/)
    .default('longhaul')
    .describe('The name of its key.'),
  LONGHAUL_MASTER_KEY_SINCE: z.iso
    .datetime({ offset: true })
    .optional()
    .describe(
      'With a key service: a master key that was made before this instant is replaced when a server starts, and everything is taken over to the new one. Then start the other servers anew.',
    ),
  LONGHAUL_REQUESTS_PER_MINUTE: integer(1, 10_000_000).default(6_000).describe('Requests that one key may make on this server.'),
  OPENAI_API_KEY: providerKey('OpenAI'),
  ANTHROPIC_API_KEY: providerKey('Anthropic'),
  GOOGLE_GENERATIVE_AI_API_KEY: providerKey('Google'),
  AZURE_OPENAI_API_KEY: providerKey('Azure').describe('Makes Azure’s models available. Needs its address in LONGHAUL_PROVIDER_BASE_URLS.'),
  AWS_BEARER_TOKEN_BEDROCK: providerKey('Amazon Bedrock'),
  LONGHAUL_BEDROCK_ACCESS_KEYS: z
    .string()
    .max(20_000)
    .regex(
      /^\s*[^\s:,]{16,}:[^\s:,]{16,}(:[^\s:,]+)?\s*(,\s*[^\s:,]{16,}:[^\s:,]{16,}(:[^\s:,]+)?\s*)*$/,
      'must look like <access key id>:<secret access key>, with :<session token> if there is one',
    )
    .optional()
    .describe(
      'Access keys of AWS for Bedrock, as `id:secret` or `id:secret:session-token`; several with commas between. Requests are signed with them. Not taken from AWS’s own variables, which other programs may need for other things.',
    ),
  AWS_REGION: z
    .string()
    .regex(/^[a-z0-9-]{1,32}$/)
    .default('us-east-1')
    .describe('The region of Bedrock.'),
  OPENROUTER_API_KEY: providerKey('OpenRouter'),
  GROQ_API_KEY: providerKey('Groq'),
  MISTRAL_API_KEY: providerKey('Mistral'),
  DEEPSEEK_API_KEY: providerKey('DeepSeek'),
  DASHSCOPE_API_KEY: providerKey('Qwen'),
  MOONSHOT_API_KEY: providerKey('Moonshot'),
  ZHIPU_API_KEY: providerKey('Zhipu'),
  LONGHAUL_TEST_CRASH_FILE: folder
    .optional()
    .describe('For tests only, refused unless NODE_ENV is `test`: a file in which a test names the point at which the server ends itself.'),
} as const

/** Settings that were, each with what to do instead. */
export const formerSettings: Readonly<Record<string, string>> = {
  LONGHAUL_SECRETS_FILE:
    'is no setting any more: secrets are in the database. Unset it, start the server, and take the file over with: longhaul secrets import <file>',
  LONGHAUL_WORKERS_PER_VERSION: 'is no setting any more: set LONGHAUL_WORKERS_MIN and LONGHAUL_WORKERS_MAX.',
}

/** Settings of the command line and of the tests. They may stand in the same environment, so they are no typing errors. */
const settingsOfOthers = ['LONGHAUL_URL', 'LONGHAUL_API_KEY', 'LONGHAUL_TEST_DATABASE_URL', 'LONGHAUL_CONSOLE_API']

const Config = z
  .object(settings)
  .readonly()
  .superRefine((config, context) => {
    const needs = (name: keyof typeof settings, other: keyof typeof settings) => {
      if (config[name] !== undefined && config[other] === undefined) context.addIssue({ code: 'custom', path: [name], message: `needs ${other} as well` })
    }
    needs('LONGHAUL_OPENAI_COMPATIBLE_BASE_URL', 'LONGHAUL_OPENAI_COMPATIBLE_MODEL')
    needs('LONGHAUL_OPENAI_COMPATIBLE_MODEL', 'LONGHAUL_OPENAI_COMPATIBLE_BASE_URL')
    needs('LONGHAUL_SMTP_URL', 'LONGHAUL_MAIL_FROM')
    needs('LONGHAUL_MAIL_FROM', 'LONGHAUL_SMTP_URL')
    needs('LONGHAUL_SMTP_URL', 'LONGHAUL_PUBLIC_URL') // Links have to lead somewhere.
    needs('LONGHAUL_AUDIT_HEADS_URL', 'LONGHAUL_WEBHOOK_SECRET')
    needs('LONGHAUL_VAULT_URL', 'LONGHAUL_VAULT_TOKEN')
    needs('LONGHAUL_VAULT_TOKEN', 'LONGHAUL_VAULT_URL')
    needs('LONGHAUL_MASTER_KEY_SINCE', 'LONGHAUL_VAULT_URL')
    if (config.LONGHAUL_VAULT_URL !== undefined && config.LONGHAUL_MASTER_KEY !== undefined)
      context.addIssue({
        code: 'custom',
        path: ['LONGHAUL_MASTER_KEY'],
        message: 'the key service has the master key. To take over what is under this one, name it LONGHAUL_MASTER_KEY_PREVIOUS',
      })
    needs('LONGHAUL_SEARCH_API_KEY', 'LONGHAUL_SEARCH_PROVIDER')
    needs('LONGHAUL_SEARCH_BASE_URL', 'LONGHAUL_SEARCH_PROVIDER')
    if (config.LONGHAUL_SEARCH_PROVIDER === 'searxng') needs('LONGHAUL_SEARCH_PROVIDER', 'LONGHAUL_SEARCH_BASE_URL')
    else needs('LONGHAUL_SEARCH_PROVIDER', 'LONGHAUL_SEARCH_API_KEY')
    needs('LONGHAUL_OPENAI_COMPATIBLE_API_KEY', 'LONGHAUL_OPENAI_COMPATIBLE_BASE_URL')
  })
export type Config = z.infer<typeof Config>

/** Throws one readable message that names every wrong or unknown setting. Values are not repeated: they may be secrets. */
export function loadConfig(env: Record<string, string | undefined> = process.env): Config {
  const given = Object.fromEntries(Object.entries(env).filter(([, value]) => value !== undefined && value.trim() !== ''))
  const unknown = Object.keys(given).filter((name) => name.startsWith('LONGHAUL_') && !(name in settings) && !settingsOfOthers.includes(name))
  const parsed = Config.safeParse(given)
  const isMisused = given['LONGHAUL_TEST_CRASH_FILE'] !== undefined && given['NODE_ENV'] !== 'test'
  const problems = [
    ...(isMisused ? ['LONGHAUL_TEST_CRASH_FILE: makes the server end itself, so it is taken only with NODE_ENV=test'] : []),
    ...unknown.map((name) => `${name} ${formerSettings[name] ?? `is not a setting. Did you mean ${nearest(name)}?`}`),
    ...(parsed.error?.issues ?? []).map(({ path, message }) => `${path.join('.')}: ${message}`),
  ]
  if (!parsed.success || problems.length > 0)
    throw new Error(`Bad settings:\n${problems.map((problem) => `  ${problem}`).join('\n')}\nAll settings: docs/reference/config.md`)
  return parsed.data
}

/** Where mail goes out, where it comes from, and where its links lead. Undefined: none is sent. */
export function mailSettings({ LONGHAUL_SMTP_URL: url, LONGHAUL_MAIL_FROM: from, LONGHAUL_PUBLIC_URL: publicUrl }: Config) {
  return url !== undefined && from !== undefined && publicUrl !== undefined ? { url, from, publicUrl } : undefined
}

/** The key service, if there is one. */
export function vaultSettings({ LONGHAUL_VAULT_URL: url, LONGHAUL_VAULT_TOKEN: token, LONGHAUL_VAULT_MOUNT: mount, LONGHAUL_VAULT_KEY: key }: Config) {
  return url !== undefined && token !== undefined ? { url, token, mount, key } : undefined
}

/** What sandboxes want to know of it. */
export function sandboxSettings(config: Config, dataDir: string) {
  return {
    driver: config.LONGHAUL_SANDBOX_DRIVER,
    others: config.LONGHAUL_SANDBOX_DRIVERS,
    poolSize: config.LONGHAUL_SANDBOX_POOL,
    favoursMoves: config.LONGHAUL_SANDBOX_FAST_MOVES === 'on',
    accept: config.LONGHAUL_SANDBOX_ACCEPT,
    docker: {
      socket: config.LONGHAUL_SANDBOX_DOCKER_SOCKET,
      image: config.LONGHAUL_SANDBOX_DOCKER_IMAGE,
      runtime: config.LONGHAUL_SANDBOX_DOCKER_RUNTIME,
    },
    kubernetes: {
      url: config.LONGHAUL_SANDBOX_KUBERNETES_URL,
      namespace: config.LONGHAUL_SANDBOX_KUBERNETES_NAMESPACE,
      tokenFile: config.LONGHAUL_SANDBOX_KUBERNETES_TOKEN_FILE,
      caFile: config.LONGHAUL_SANDBOX_KUBERNETES_CA_FILE,
      claim: config.LONGHAUL_SANDBOX_KUBERNETES_CLAIM,
      claimFolder: config.LONGHAUL_SANDBOX_KUBERNETES_CLAIM_FOLDER ?? dataDir,
      image: config.LONGHAUL_SANDBOX_KUBERNETES_IMAGE,
      runtimeClass: config.LONGHAUL_SANDBOX_KUBERNETES_RUNTIME_CLASS,
      node: config.LONGHAUL_SANDBOX_KUBERNETES_NODE,
    },
    vercel:
      config.LONGHAUL_SANDBOX_VERCEL_TOKEN === undefined
        ? undefined
        : {
            url: config.LONGHAUL_SANDBOX_VERCEL_URL,
            token: config.LONGHAUL_SANDBOX_VERCEL_TOKEN,
            teamId: config.LONGHAUL_SANDBOX_VERCEL_TEAM,
            projectId: config.LONGHAUL_SANDBOX_VERCEL_PROJECT,
            image: config.LONGHAUL_SANDBOX_VERCEL_IMAGE,
          },
    e2b:
      config.LONGHAUL_SANDBOX_E2B_KEY === undefined
        ? undefined
        : { url: config.LONGHAUL_SANDBOX_E2B_URL, key: config.LONGHAUL_SANDBOX_E2B_KEY, template: config.LONGHAUL_SANDBOX_E2B_TEMPLATE },
  }
}

/** What the model gateway wants to know of it. */
export function modelSettings(config: Config) {
  const { LONGHAUL_OPENAI_COMPATIBLE_BASE_URL: baseUrl, LONGHAUL_OPENAI_COMPATIBLE_MODEL: model, LONGHAUL_OPENAI_COMPATIBLE_API_KEY: apiKey } = config
  return {
    keys: {
      openai: config.OPENAI_API_KEY,
      anthropic: config.ANTHROPIC_API_KEY,
      google: config.GOOGLE_GENERATIVE_AI_API_KEY,
      azure: config.AZURE_OPENAI_API_KEY,
      bedrock: [config.AWS_BEARER_TOKEN_BEDROCK, config.LONGHAUL_BEDROCK_ACCESS_KEYS].filter((keys) => keys !== undefined).join(','),
      openrouter: config.OPENROUTER_API_KEY,
      groq: config.GROQ_API_KEY,
      mistral: config.MISTRAL_API_KEY,
      deepseek: config.DEEPSEEK_API_KEY,
      qwen: config.DASHSCOPE_API_KEY,
      moonshot: config.MOONSHOT_API_KEY,
      zhipu: config.ZHIPU_API_KEY,
    },
    compatible: baseUrl !== undefined && model !== undefined ? { baseUrl, model, apiKey } : undefined,
    servers: config.LONGHAUL_MODEL_SERVERS,
    baseUrls: config.LONGHAUL_PROVIDER_BASE_URLS,
    awsRegion: config.AWS_REGION,
    model: config.LONGHAUL_MODEL,
    timeoutMs: config.LONGHAUL_MODEL_TIMEOUT_MS,
  }
}

const nearest = (name: string): string =>
  Object.keys(settings).reduce((best, candidate) => (distance(name, candidate) < distance(name, best) ? candidate : best))

/** How many letters must be changed, added or removed to make one of the other. */
function distance(from: string, to: string): number {
  let row = Array.from({ length: to.length + 1 }, (_, i) => i)
  for (const [i, letter] of [...from].entries()) {
    const next = [i + 1]
    for (const [j, other] of [...to].entries()) {
      next.push(Math.min(at(next, j) + 1, at(row, j + 1) + 1, at(row, j) + (letter === other ? 0 : 1)))
    }
    row = next
  }
  return at(row, to.length)
}

const at = (row: number[], i: number): number => row[i] ?? Infinity

/** What any program needs to run, and nothing of ours: workers execute code that is not ours, so they get no key and no database address. */
export function workerEnvironment(env: Record<string, string | undefined> = process.env): Record<string, string> {
  const kept = ['PATH', 'HOME', 'LANG', 'LC_ALL', 'TZ', 'TMPDIR', 'NODE_COMPILE_CACHE']
  return Object.fromEntries(kept.flatMap((name) => (env[name] === undefined ? [] : [[name, env[name]]])))
}
