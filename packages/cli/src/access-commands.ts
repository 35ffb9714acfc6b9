/** The commands about who may do what, with their help: tenants, namespaces, policies, secrets, the audit log. */
import { type Command, Option } from 'commander'
import type { ListOptions } from './commands/audit.ts'
import { type Act, type Shared, collect, examples, wholeNumber, withEdit, withServer } from './options.ts'

export function accessCommands(program: Command, act: Act): void {
  tenantCommands(program, act)
  namespaceCommands(program, act)
  policyCommands(program, act)
  secretCommands(program, act)
  auditCommands(program, act)
}

function tenantCommands(program: Command, act: Act): void {
  const load = () => import('./commands/tenants.ts')
  const tenants = program
    .command('tenants')
    .description('make tenants, see what they use, suspend them')
    .helpCommand(false)
    .addHelpText('after', examples('npx longhaul tenants create acme --runs 1000', 'npx longhaul tenants list'))
  withBounds(withServer(tenants.command('create')))
    .description('make a tenant, with a key of its administrator')
    .argument('<tenant>', 'lower-case letters, digits and hyphens')
    .option('--description <text>', 'what it is')
    .addHelpText('after', examples('npx longhaul tenants create acme --runs 1000 --starts 600'))
    .action((id: string, options: Shared & QuotaOptions & { description?: string }) =>
      act(options, async (invocation) => (await load()).createTenant(invocation, id, options)),
    )
  withServer(tenants.command('list'))
    .description('all tenants')
    .option('--limit <n>', 'how many', wholeNumber(1, 200), 50)
    .option('--cursor <cursor>', 'go on after an earlier page')
    .addHelpText('after', examples('npx longhaul tenants list'))
    .action((options: Shared & { limit: number; cursor?: string }) => act(options, async (invocation) => (await load()).listTenants(invocation, options)))
  withServer(tenants.command('get'))
    .description('one tenant, and what it uses')
    .argument('<tenant>')
    .addHelpText('after', examples('npx longhaul tenants get acme'))
    .action((id: string, options: Shared) => act(options, async (invocation) => (await load()).getTenant(invocation, id)))
  withBounds(withEdit(tenants.command('update')))
    .description('change its description, its quotas or where its sandboxes run; the last two are replaced as a whole, each')
    .argument('<tenant>')
    .option('--description <text>', 'what it is')
    .option('--unlimited', 'no quotas')
    .addOption(new Option('--approval-mails <word>', 'whether those who may decide approvals are told by mail').choices(['on', 'off']))
    .addHelpText(
      'after',
      examples('npx longhaul tenants update acme --runs 2000', 'npx longhaul tenants update acme --sandbox-drivers gvisor --shared-kernel deny'),
    )
    .action((id: string, options: Shared & QuotaOptions & { description?: string; unlimited?: boolean; approvalMails?: 'on' | 'off' }) =>
      act(options, async (invocation) => (await load()).updateTenant(invocation, id, options)),
    )
  for (const [verb, isSuspended] of [
    ['suspend', true],
    ['resume', false],
  ] as const)
    withEdit(tenants.command(verb))
      .description(isSuspended ? 'refuse its keys; its runs go on' : 'let its keys in again')
      .argument('<tenant>')
      .addHelpText('after', examples(`npx longhaul tenants ${verb} acme`))
      .action((id: string, options: Shared) => act(options, async (invocation) => (await load()).updateTenant(invocation, id, { isSuspended })))
}

function namespaceCommands(program: Command, act: Act): void {
  const load = () => import('./commands/tenants.ts')
  const namespaces = program
    .command('namespaces')
    .description('make namespaces, and see what they use')
    .helpCommand(false)
    .addHelpText('after', examples('npx longhaul namespaces put prod --runs 500', 'npx longhaul namespaces list'))
  withBounds(withEdit(namespaces.command('put')))
    .description('make a namespace, or change one')
    .argument('<namespace>', 'lower-case letters, digits and hyphens')
    .option('--description <text>', 'what it is')
    .option('--unlimited', 'no quotas')
    .addHelpText('after', examples('npx longhaul namespaces put prod --runs 500 --starts 60'))
    .action((name: string, options: Shared & QuotaOptions & { description?: string; unlimited?: boolean }) =>
      act(options, async (invocation) => (await load()).putNamespace(invocation, name, options)),
    )
  withServer(namespaces.command('list'))
    .description('the namespaces that you may use')
    .addHelpText('after', examples('npx longhaul namespaces list'))
    .action((options: Shared) => act(options, async (invocation) => (await load()).listNamespaces(invocation)))
  withEdit(namespaces.command('delete'))
    .description('remove a namespace in which no run is in flight')
    .argument('<namespace>')
    .addHelpText('after', examples('npx longhaul namespaces delete try-out'))
    .action((name: string, options: Shared) => act(options, async (invocation) => (await load()).deleteNamespace(invocation, name)))
}

function policyCommands(program: Command, act: Act): void {
  const load = () => import('./commands/policies.ts')
  const policies = program
    .command('policies')
    .description('forbid operations and tool calls by rules in Cedar, and try them')
    .helpCommand(false)
    .addHelpText('after', examples('npx longhaul policies put refund-limit refund-limit.cedar', 'npx longhaul policies list'))
  withEdit(policies.command('put'))
    .description('write a policy; every change is a new version')
    .argument('<policy>', 'lower-case letters, digits and hyphens')
    .argument('<file>', 'its text in Cedar; - reads standard input')
    .option('--description <text>', 'why it is there')
    .addHelpText('after', examples('npx longhaul policies put refund-limit refund-limit.cedar'))
    .action((name: string, file: string, options: Shared & { description?: string }) =>
      act(options, async (invocation) => (await load()).putPolicy(invocation, name, file, options)),
    )
  withServer(policies.command('list'))
    .description('the policies in force')
    .addHelpText('after', examples('npx longhaul policies list'))
    .action((options: Shared) => act(options, async (invocation) => (await load()).listPolicies(invocation)))
  withServer(policies.command('get'))
    .description('a policy with all its versions')
    .argument('<policy>')
    .addHelpText('after', examples('npx longhaul policies get refund-limit'))
    .action((name: string, options: Shared) => act(options, async (invocation) => (await load()).getPolicy(invocation, name)))
  withEdit(policies.command('delete'))
    .description('put a policy out of force')
    .argument('<policy>')
    .addHelpText('after', examples('npx longhaul policies delete refund-limit'))
    .action((name: string, options: Shared) => act(options, async (invocation) => (await load()).deletePolicy(invocation, name)))
  withServer(policies.command('test'))
    .description('what the policies say of a request that nobody makes; exits with 4 when it is forbidden')
    .argument('<action>', 'an operation, or tools.call')
    .option('--resource <name>', 'what it is about: an agent, a tool, …')
    .option('--namespace <name>', 'where')
    .option('--role <name>', 'as somebody with this role')
    .option('--context <json>', 'the circumstances, such as {"input": {"amount": 500}}')
    .option('--draft <file>', 'together with a policy that is not in force')
    .addHelpText('after', examples(`npx longhaul policies test tools.call --resource refund --context '{"input": {"amount": 500}}' --draft refund-limit.cedar`))
    .action((action: string, options: Shared & { resource?: string; namespace?: string; role?: string; context?: string; draft?: string }) =>
      act(options, async (invocation) => (await load()).testPolicies(invocation, action, options)),
    )
}

function secretCommands(program: Command, act: Act): void {
  const load = () => import('./commands/secrets.ts')
  const secrets = program
    .command('secrets')
    .description('store values that tools need and nobody sees again')
    .helpCommand(false)
    .addHelpText('after', examples('npx longhaul secrets set crm-token', 'npx longhaul secrets list'))
  withEdit(secrets.command('set'))
    .description('store a value, as the next version; it is asked for, or read from standard input')
    .argument('<secret>', 'letters, digits, _ and -')
    .option('--description <text>', 'what it is for')
    .option('--host <name>', 'tools may send it there and nowhere else; may be given several times. None said: as before', collect)
    .option('--agent <name>', 'tools of this agent alone may use it; may be given several times. None said: as before, at first every agent', collect)
    .option('--every-agent', 'tools of every agent may use it')
    .addHelpText('after', examples('npx longhaul secrets set crm-token --host crm.example.com', 'npx longhaul secrets set crm-token < token.txt'))
    .action((name: string, options: Shared & { description?: string; host?: string[]; agent?: string[]; everyAgent?: true }) =>
      act(options, async (invocation) => (await load()).setSecret(invocation, name, options)),
    )
  withServer(secrets.command('import'))
    .description('store all secrets of a YAML file: for each its value, hosts and agents')
    .argument('<file>', 'what LONGHAUL_SECRETS_FILE named, or one like it')
    .addHelpText('after', examples('npx longhaul secrets import secrets.yaml'))
    .action((file: string, options: Shared) => act(options, async (invocation) => (await load()).importSecrets(invocation, file)))
  withServer(secrets.command('list'))
    .description('all secrets, or all versions of one, without values')
    .argument('[secret]')
    .addHelpText('after', examples('npx longhaul secrets list', 'npx longhaul secrets list crm-token'))
    .action((name: string | undefined, options: Shared) => act(options, async (invocation) => (await load()).listSecrets(invocation, name)))
  withEdit(secrets.command('delete'))
    .description('destroy all versions of a secret')
    .argument('<secret>')
    .addHelpText('after', examples('npx longhaul secrets delete crm-token'))
    .action((name: string, options: Shared) => act(options, async (invocation) => (await load()).deleteSecret(invocation, name)))
}

function auditCommands(program: Command, act: Act): void {
  const load = () => import('./commands/audit.ts')
  const audit = program
    .command('audit')
    .description('who did what, and the proof that nobody changed the record')
    .helpCommand(false)
    .addHelpText('after', examples('npx longhaul audit list --outcome refused', 'npx longhaul audit verify'))
  withServer(audit.command('list'))
    .description('the audit log, newest first')
    .option('--action <name>', 'only this operation')
    .option('--outcome <outcome>', 'done, refused or failed')
    .option('--who <key>', 'only of the key with this id')
    .option('--from <instant>', 'from then on, such as 2026-11-01T00:00:00Z')
    .option('--to <instant>', 'up to then')
    .option('--limit <n>', 'how many', wholeNumber(1, 200), 50)
    .option('--cursor <cursor>', 'go on after an earlier page')
    .addHelpText('after', examples('npx longhaul audit list --action secrets.use', 'npx longhaul audit list --outcome refused'))
    .action((options: Shared & ListOptions) =>
      act(options, async (invocation) => {
        const { limit, cursor, action, who, outcome, from, to } = options
        const given = {
          ...(cursor === undefined ? {} : { cursor }),
          ...(action === undefined ? {} : { action }),
          ...(who === undefined ? {} : { who }),
          ...(outcome === undefined ? {} : { outcome }),
          ...(from === undefined ? {} : { from }),
          ...(to === undefined ? {} : { to }),
        }
        return (await load()).listAudit(invocation, { limit, ...given })
      }),
    )
  withServer(audit.command('export'))
    .description('the whole log as JSON, one entry a line, oldest first')
    .option('--after <n>', 'only entries after this number', wholeNumber(0), 0)
    .option('--ocsf', 'as events of the Open Cybersecurity Schema Framework, for security tools')
    .addHelpText('after', examples('npx longhaul audit export > audit.jsonl', 'npx longhaul audit export --ocsf --after 41000'))
    .action((options: Shared & { after: number; ocsf?: true }) => act(options, async (invocation) => (await load()).exportAudit(invocation, options)))
  withServer(audit.command('head'))
    .description('where the chain stands now, signed: keep it elsewhere')
    .addHelpText('after', examples('npx longhaul audit head > head.json'))
    .action((options: Shared) => act(options, async (invocation) => (await load()).showHead(invocation)))
  withServer(audit.command('verify'))
    .description('check the chain; exits with 1 when it is broken')
    .option('--head <file>', 'it must go on from this head, which was kept')
    .option('--heads <file>', 'it must go through all of these, one a line, as they are shipped; checked here, entry by entry')
    .option('--file <file>', 'check an export here, without a server')
    .addHelpText(
      'after',
      examples(
        'npx longhaul audit verify --head head.json',
        'npx longhaul audit verify --heads audit-heads.jsonl',
        'npx longhaul audit verify --file audit.jsonl --head head.json',
      ),
    )
    .action((options: Shared & { head?: string; heads?: string; file?: string }) =>
      act(options, async (invocation) => (await load()).verifyAudit(invocation, options)),
    )
}

type QuotaOptions = {
  runs?: number
  starts?: number
  storage?: number
  sandboxes?: number
  requests?: number
  images?: number
  imageBytes?: number
  sandboxDrivers?: string
  sandboxDriver?: string
  sharedKernel?: string
  sandboxDefaults?: boolean
}

const withBounds = (command: Command): Command =>
  command
    .option('--runs <n>', 'at most so many runs in flight', wholeNumber(0))
    .option('--starts <n>', 'at most so many starts a minute', wholeNumber(0))
    .option('--storage <bytes>', 'at most so many bytes of files', wholeNumber(0))
    .option('--sandboxes <n>', 'at most so many sandboxes at once', wholeNumber(0))
    .option('--requests <n>', 'at most so many requests a minute', wholeNumber(1))
    .option('--images <n>', 'of a tenant: at most so many images of agents and sandboxes at each server', wholeNumber(0))
    .option('--image-bytes <bytes>', 'of a tenant: at most so many bytes of them together', wholeNumber(0))
    .option('--sandbox-drivers <names>', 'sandboxes run in these only, with commas between them: bwrap, gvisor, docker, virtual')
    .option('--sandbox-driver <name>', 'the one that they take')
    .option('--shared-kernel <word>', 'allow or deny: whether they may share the host’s kernel')
    .option('--sandbox-defaults', 'sandboxes run as the server has it')
