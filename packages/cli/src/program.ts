/** All commands with their help. What a command does is loaded only when it is called, so that help is quick. */
import { Command, InvalidArgumentError, Option } from 'commander'
import type { Invocation } from './invocation.ts'

type Shared = { url?: string; key?: string; json?: boolean }
/** `isGraceful`: it ends by itself after Ctrl-C, and has something to say or to tidy up. Everything else just ends. */
export type Act = (options: Shared, work: (invocation: Invocation) => Promise<number>, isGraceful?: 'graceful') => Promise<void>

type Shown = Shared & { out?: string; quiet?: boolean; rows: number; giveUpAfter: number }
const followOptions = ({ out, quiet, rows, giveUpAfter }: Shown) => ({ out, isQuiet: quiet ?? false, rowsMax: rows, giveUpAfterMs: giveUpAfter * 1_000 })

export function createProgram(version: string, act: Act): Command {
  const program = new Command('longhaul')
    .description('Ask agents, watch what they do, and look after their runs.')
    .configureHelp({ sortSubcommands: false, showGlobalOptions: false })
    .helpCommand(false)
    .showSuggestionAfterError()
    .addHelpText(
      'after',
      examples(
        'npx longhaul ask analyst "What was our ARR at the end of last quarter, by region?"',
        'npx longhaul runs watch last',
        'npx longhaul runs --help',
      ) + connection,
    )

  program.commandsGroup('Commands:')
  askCommand(program, act)
  runsCommands(program, act)
  approvalsCommands(program, act)
  agentsCommands(program, act)
  keysCommands(program, act)
  tenantCommands(program, act)
  policyCommands(program, act)
  secretCommands(program, act)
  auditCommands(program, act)
  evalCommand(program, act)
  withServer(program.command('status'))
    .description('what the server is made of, and who you are to it')
    .addHelpText('after', examples('npx longhaul status', 'npx longhaul status --json | jq .sandbox'))
    .action((options: Shared) => act(options, async (invocation) => (await import('./commands/status.ts')).status(invocation)))
  program
    .command('version')
    .description('the version of this program')
    .option('--json', 'print JSON')
    .addHelpText('after', examples('npx longhaul version'))
    .action((options: Shared) =>
      act(options, async ({ terminal, isJson, printJson }) => (isJson ? printJson({ version, node: process.versions.node }) : terminal.print(version), 0)),
    )
  program.version(version, '-V, --version', 'the version of this program')
  return program
}

function askCommand(program: Command, act: Act): void {
  withAnswer(withServer(program.command('ask')))
    .description('ask an agent, see what it does, get the answer')
    .argument('<agent>', 'the agent’s name')
    .argument('<question...>', 'the question; - reads it from standard input')
    .option('--session <name>', 'go on with an earlier conversation, or begin one of this name')
    .addHelpText(
      'after',
      examples(
        'npx longhaul ask analyst "Top 5 customers by revenue this year"',
        'npx longhaul ask analyst 上季度各地区的 ARR 是多少？',
        'npx longhaul ask analyst --json "How many open tickets?" | tail -1 | jq .text',
      ) +
        `
The question is sent once, even if the connection fails and it has to be sent again. When the
server or the worker is lost on the way, the run is picked up and this command goes on with it.
Ctrl-C leaves the run alone: it goes on. The text printed then says how to watch or cancel it.

Exit codes: 0 answered · 1 the run failed · 2 bad request · 3 no or wrong key · 4 not allowed
  5 no such agent · 8 over a limit · 9 no server · 10 cancelled · 130 left by Ctrl-C`,
    )
    .action((agent: string, question: string[], options: Shown & { session?: string }) =>
      act(
        options,
        async (invocation) => (await import('./commands/ask.ts')).ask(invocation, agent, question, { ...followOptions(options), session: options.session }),
        'graceful',
      ),
    )
}

function runsCommands(program: Command, act: Act): void {
  const runs = program
    .command('runs')
    .description('list, watch, cancel, retry runs and send them signals')
    .helpCommand(false)
    .addHelpText(
      'after',
      `\nA run goes by its id, by the end of its id as lists show it, or by the word last.${examples('npx longhaul runs list --state waiting', 'npx longhaul runs get last', 'npx longhaul runs watch 3b0a6f2d')}`,
    )
  const load = () => import('./commands/runs.ts')

  withServer(runs.command('list'))
    .description('runs, newest first')
    .option('--agent <name>', 'only of this agent')
    .option('--state <state>', 'pending, running, waiting, completed, failed or cancelled')
    .option('--namespace <name>', 'only of this namespace')
    .option('--session <name>', 'only of this session')
    .option('--limit <n>', 'how many', wholeNumber(1, 200), 20)
    .option('--cursor <cursor>', 'go on after an earlier page')
    .addHelpText('after', examples('npx longhaul runs list --agent analyst --state failed', 'npx longhaul runs list --json | jq -r ".items[].id"'))
    .action((options: Shared & { namespace?: string; agent?: string; state?: string; session?: string; limit: number; cursor?: string }) =>
      act(options, async (invocation) => (await load()).listRuns(invocation, options)),
    )
  withServer(runs.command('get'))
    .description('one run: its state, what it used, its answer')
    .argument('<run>')
    .addHelpText('after', examples('npx longhaul runs get last', 'npx longhaul runs get 3b0a6f2d --json'))
    .action((run: string, options: Shared) => act(options, async (invocation) => (await load()).getRun(invocation, run)))
  withAnswer(withServer(runs.command('start')))
    .description('start a run with any JSON as input')
    .argument('<agent>')
    .option('--input <json>', 'JSON, @file or - for standard input')
    .option('--namespace <name>', 'the namespace that it counts to')
    .option('--session <name>', 'the session it belongs to')
    .option('--idempotency-key <key>', 'the same key never starts a second run')
    .option('--watch', 'follow it to its end')
    .addHelpText(
      'after',
      examples(`npx longhaul runs start order-flow --input '{"orderId": 7}' --watch`, 'npx longhaul runs start analyst --input @question.json'),
    )
    .action((agent: string, options: Shown & { input?: string; namespace?: string; session?: string; idempotencyKey?: string; watch?: boolean }) =>
      act(options, async (invocation) => (await load()).startRun(invocation, agent, { ...options, ...followOptions(options) }), 'graceful'),
    )
  withAnswer(withServer(runs.command('watch')))
    .description('the whole story of a run, live if it has not ended')
    .argument('<run>')
    .addHelpText('after', examples('npx longhaul runs watch last'))
    .action((run: string, options: Shown) => act(options, async (invocation) => (await load()).watchRun(invocation, run, followOptions(options)), 'graceful'))
  withServer(runs.command('cancel'))
    .description('stop a run for good')
    .argument('<run>')
    .option('--reason <text>', 'kept in its history')
    .addHelpText('after', examples('npx longhaul runs cancel last --reason "wrong question"'))
    .action((run: string, options: Shared & { reason?: string }) => act(options, async (invocation) => (await load()).cancelRun(invocation, run, options)))
  withServer(runs.command('retry'))
    .description('take up a run again that waits for an operator')
    .argument('<run>')
    .addHelpText('after', examples('npx longhaul runs retry 3b0a6f2d'))
    .action((run: string, options: Shared) => act(options, async (invocation) => (await load()).retryRun(invocation, run)))
  withServer(runs.command('events'))
    .description('a run’s history, event by event')
    .argument('<run>')
    .option('--after <n>', 'only events after this number', wholeNumber(-1), -1)
    .addHelpText('after', examples('npx longhaul runs events last', 'npx longhaul runs events last --json | jq -c "select(.type == \\"step.failed\\")"'))
    .action((run: string, options: Shared & { after: number }) => act(options, async (invocation) => (await load()).listEvents(invocation, run, options)))
  withServer(runs.command('step'))
    .description('one step in full; for a model call the exact prompt')
    .argument('<run>')
    .argument('<op>', 'its place, as `runs events` shows it')
    .addHelpText('after', examples('npx longhaul runs step last 0', 'npx longhaul runs step last 3.0 --json'))
    .action((run: string, op: string, options: Shared) => act(options, async (invocation) => (await load()).getStep(invocation, run, op)))
  withServer(runs.command('signal'))
    .description('send data into a run')
    .argument('<run>')
    .argument('<name>', 'the signal’s name')
    .argument('[json]', 'JSON, @file or - for standard input')
    .option('--idempotency-key <key>', 'the same key never sends twice')
    .addHelpText('after', examples(`npx longhaul runs signal last payment-received '{"amount": 120}'`))
    .action((run: string, name: string, payload: string | undefined, options: Shared & { idempotencyKey?: string }) =>
      act(options, async (invocation) => (await load()).signalRun(invocation, run, name, payload, options)),
    )
}

function approvalsCommands(program: Command, act: Act): void {
  const approvals = program
    .command('approvals')
    .description('see what waits for a yes or no, and answer')
    .helpCommand(false)
    .addHelpText('after', examples('npx longhaul approvals list', 'npx longhaul approvals approve 3b0a6f2d --comment "checked with finance"'))
  const load = () => import('./commands/approvals.ts')
  withServer(approvals.command('list'))
    .description('what waits for an answer')
    .option('--state <state>', 'pending, approved, denied, expired or withdrawn')
    .option('--all', 'in any state')
    .option('--limit <n>', 'how many', wholeNumber(1, 200), 50)
    .addHelpText('after', examples('npx longhaul approvals list', 'npx longhaul approvals list --all --json'))
    .action((options: Shared & { state?: string; all?: boolean; limit: number }) =>
      act(options, async (invocation) => (await load()).listApprovals(invocation, options)),
    )
  for (const [verb, approved] of [
    ['approve', true],
    ['deny', false],
  ] as const) {
    withServer(approvals.command(verb))
      .description(approved ? 'say yes' : 'say no')
      .argument('<approval>', 'its id, or the end of it')
      .option('--comment <text>', 'kept with the answer')
      .addHelpText('after', examples(`npx longhaul approvals ${verb} 3b0a6f2d --comment "${approved ? 'checked with finance' : 'the amount is wrong'}"`))
      .action((approval: string, options: Shared & { comment?: string }) =>
        act(options, async (invocation) => (await load()).decideApproval(invocation, approval, approved, options)),
      )
  }
}

function agentsCommands(program: Command, act: Act): void {
  const agents = program
    .command('agents')
    .description('see which agents there are and what they can do')
    .helpCommand(false)
    .addHelpText('after', examples('npx longhaul agents list', 'npx longhaul agents get analyst'))
  const load = () => import('./commands/agents.ts')
  withServer(agents.command('list'))
    .description('all agents')
    .addHelpText('after', examples('npx longhaul agents list'))
    .action((options: Shared) => act(options, async (invocation) => (await load()).listAgents(invocation)))
  withServer(agents.command('get'))
    .description('one agent: version, tools, questions to try')
    .argument('<agent>')
    .addHelpText('after', examples('npx longhaul agents get analyst'))
    .action((name: string, options: Shared) => act(options, async (invocation) => (await load()).getAgent(invocation, name)))
}

function keysCommands(program: Command, act: Act): void {
  const keys = program
    .command('keys')
    .description('make, list and revoke API keys')
    .helpCommand(false)
    .addHelpText('after', examples('npx longhaul keys create emea-team --region EMEA --no-personal-data', 'npx longhaul keys delete emea-team'))
  const load = () => import('./commands/keys.ts')
  withServer(keys.command('create'))
    .description('make a key; agents show its holder no more than it allows')
    .argument('<name>', 'lower-case letters, digits and hyphens')
    .option('--region <name>', 'see only this region; may be given several times', collect)
    .option('--no-personal-data', 'see no personal data')
    .option('--permission <name>', 'may do this; may be given several times', collect)
    .option('--role <name>', 'may do what this role may: administrator, developer, operator, approver, auditor or viewer')
    .option('--namespace <name>', 'only in this namespace; may be given several times', collect)
    .option('--agent <name>', 'only with this agent; may be given several times', collect)
    .option('--expires <days>', 'ends by itself after so many days', wholeNumber(1, 3_650))
    .addHelpText(
      'after',
      examples(
        'npx longhaul keys create board --region EMEA --region APAC --no-personal-data',
        'npx longhaul keys create ci --permission runs:write --permission runs:read',
        'npx longhaul keys create night-shift --role operator --namespace prod --expires 90',
      ),
    )
    .action((name: string, options: Shared & CreateKeyOptions) => act(options, async (invocation) => (await load()).createKey(invocation, name, options)))
  withServer(keys.command('list'))
    .description('all keys, without their secrets')
    .addHelpText('after', examples('npx longhaul keys list'))
    .action((options: Shared) => act(options, async (invocation) => (await load()).listKeys(invocation)))
  withServer(keys.command('rotate'))
    .description('make a key that may do the same, and let the old one expire')
    .argument('<key>', 'its name, its id, or the end of its id')
    .option('--overlap <hours>', 'how long both work', wholeNumber(0, 2_160), 24)
    .addHelpText('after', examples('npx longhaul keys rotate ci', 'npx longhaul keys rotate ci --overlap 0'))
    .action((key: string, options: Shared & { overlap: number }) => act(options, async (invocation) => (await load()).rotateKey(invocation, key, options)))
  withServer(keys.command('delete'))
    .description('revoke a key at once')
    .argument('<key>', 'its name, its id, or the end of its id')
    .addHelpText('after', examples('npx longhaul keys delete emea-team'))
    .action((key: string, options: Shared) => act(options, async (invocation) => (await load()).deleteKey(invocation, key)))
}

function tenantCommands(program: Command, act: Act): void {
  const load = () => import('./commands/tenants.ts')
  const tenants = program
    .command('tenants')
    .description('make tenants, see what they use, suspend them')
    .helpCommand(false)
    .addHelpText('after', examples('npx longhaul tenants create acme --runs 1000', 'npx longhaul tenants list'))
  withQuotas(withServer(tenants.command('create')))
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
  withQuotas(withServer(tenants.command('update')))
    .description('change its description or its quotas, all of which are replaced')
    .argument('<tenant>')
    .option('--description <text>', 'what it is')
    .option('--unlimited', 'no quotas')
    .addHelpText('after', examples('npx longhaul tenants update acme --runs 2000'))
    .action((id: string, options: Shared & QuotaOptions & { description?: string; unlimited?: boolean }) =>
      act(options, async (invocation) => (await load()).updateTenant(invocation, id, options)),
    )
  for (const [verb, isSuspended] of [
    ['suspend', true],
    ['resume', false],
  ] as const)
    withServer(tenants.command(verb))
      .description(isSuspended ? 'refuse its keys; its runs go on' : 'let its keys in again')
      .argument('<tenant>')
      .addHelpText('after', examples(`npx longhaul tenants ${verb} acme`))
      .action((id: string, options: Shared) => act(options, async (invocation) => (await load()).updateTenant(invocation, id, { isSuspended })))

  const namespaces = program
    .command('namespaces')
    .description('make namespaces, and see what they use')
    .helpCommand(false)
    .addHelpText('after', examples('npx longhaul namespaces put prod --runs 500', 'npx longhaul namespaces list'))
  withQuotas(withServer(namespaces.command('put')))
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
  withServer(namespaces.command('delete'))
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
  withServer(policies.command('put'))
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
  withServer(policies.command('delete'))
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
  withServer(secrets.command('set'))
    .description('store a value, as the next version; it is asked for, or read from standard input')
    .argument('<secret>', 'lower-case letters, digits and hyphens')
    .option('--description <text>', 'what it is for')
    .addHelpText('after', examples('npx longhaul secrets set crm-token', 'npx longhaul secrets set crm-token < token.txt'))
    .action((name: string, options: Shared & { description?: string }) =>
      act(options, async (invocation) => (await load()).setSecret(invocation, name, options)),
    )
  withServer(secrets.command('list'))
    .description('all secrets, or all versions of one, without values')
    .argument('[secret]')
    .addHelpText('after', examples('npx longhaul secrets list', 'npx longhaul secrets list crm-token'))
    .action((name: string | undefined, options: Shared) => act(options, async (invocation) => (await load()).listSecrets(invocation, name)))
  withServer(secrets.command('delete'))
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
    .option('--limit <n>', 'how many', wholeNumber(1, 200), 50)
    .option('--cursor <cursor>', 'go on after an earlier page')
    .addHelpText('after', examples('npx longhaul audit list --action secrets.use', 'npx longhaul audit list --outcome refused'))
    .action((options: Shared & { limit: number; cursor?: string; action?: string; who?: string; outcome?: string }) =>
      act(options, async (invocation) => {
        const { limit, cursor, action, who, outcome } = options
        const given = {
          ...(cursor === undefined ? {} : { cursor }),
          ...(action === undefined ? {} : { action }),
          ...(who === undefined ? {} : { who }),
          ...(outcome === undefined ? {} : { outcome }),
        }
        return (await load()).listAudit(invocation, { limit, ...given })
      }),
    )
  withServer(audit.command('export'))
    .description('the whole log as JSON, one entry a line, oldest first')
    .option('--after <n>', 'only entries after this number', wholeNumber(0), 0)
    .addHelpText('after', examples('npx longhaul audit export > audit.jsonl'))
    .action((options: Shared & { after: number }) => act(options, async (invocation) => (await load()).exportAudit(invocation, options)))
  withServer(audit.command('head'))
    .description('where the chain stands now, signed: keep it elsewhere')
    .addHelpText('after', examples('npx longhaul audit head > head.json'))
    .action((options: Shared) => act(options, async (invocation) => (await load()).showHead(invocation)))
  withServer(audit.command('verify'))
    .description('check the chain; exits with 1 when it is broken')
    .option('--head <file>', 'it must go on from this head, which was kept')
    .option('--file <file>', 'check an export here, without a server')
    .addHelpText('after', examples('npx longhaul audit verify --head head.json', 'npx longhaul audit verify --file audit.jsonl --head head.json'))
    .action((options: Shared & { head?: string; file?: string }) => act(options, async (invocation) => (await load()).verifyAudit(invocation, options)))
}

type QuotaOptions = { runs?: number; starts?: number; storage?: number }
type CreateKeyOptions = {
  region?: string[]
  personalData: boolean
  permission?: string[]
  role?: string
  namespace?: string[]
  agent?: string[]
  expires?: number
}

const withQuotas = (command: Command): Command =>
  command
    .option('--runs <n>', 'at most so many runs in flight', wholeNumber(0))
    .option('--starts <n>', 'at most so many starts a minute', wholeNumber(0))
    .option('--storage <bytes>', 'at most so many bytes of files', wholeNumber(0))

function evalCommand(program: Command, act: Act): void {
  withServer(program.command('eval'))
    .description('ask an agent the questions in its evals/ and score the answers')
    .argument('<folder>', 'the agent’s folder')
    .option('--only <text>', 'only cases with this in their id, or with this tag; may be given several times', collect)
    .option('--concurrency <n>', 'cases at once', wholeNumber(1, 50), 2)
    .option('--timeout <seconds>', 'time for one case', wholeNumber(1, 86_400), 300)
    .option('--min <n>', 'exit with 1 when fewer pass: a number of cases, or a share such as 95%')
    .option('--agent <name>', 'the agent to ask, if not the folder’s name')
    .addHelpText(
      'after',
      examples(
        'npx longhaul eval examples/analyst',
        'npx longhaul eval examples/analyst --only arr --concurrency 1',
        'npx longhaul eval examples/analyst --min 57 --json',
      ),
    )
    .action((folder: string, options: Shared & { only?: string[]; concurrency: number; timeout: number; min?: string; agent?: string }) =>
      act(options, async (invocation) => (await import('./commands/eval.ts')).evaluate(invocation, folder, options), 'graceful'),
    )
}

const withServer = (command: Command): Command =>
  command
    .option('--json', 'print JSON, one value a line')
    .optionsGroup('Server:')
    .option('--url <url>', 'the server’s address')
    .option('--key <key>', 'the API key')
    .optionsGroup('Options:')

const withAnswer = (command: Command): Command =>
  command
    .option('--out <folder>', 'where to save charts and other files (default: ./longhaul-answers/<run>)')
    .option('-q, --quiet', 'only the answer')
    .option('--rows <n>', 'rows of a table to show', wholeNumber(0, 100_000), 40)
    .addOption(new Option('--give-up-after <seconds>', 'how long to go on without any connection').argParser(wholeNumber(1, 86_400)).default(600))

const examples = (...lines: string[]): string => `\nExamples:\n${lines.map((line) => `  ${line}`).join('\n')}\n`
const connection = `
The server is found by --url and --key, or LONGHAUL_URL and LONGHAUL_API_KEY, or the nearest
.longhaul/credentials.json from this folder upwards, which the server writes when it starts.`

const collect = (value: string, earlier: string[] = []): string[] => [...earlier, value]

const wholeNumber =
  (least: number, most = Number.MAX_SAFE_INTEGER) =>
  (text: string): number => {
    const value = Number(text)
    if (!/^-?\d+$/.test(text) || value < least || value > most)
      throw new InvalidArgumentError(`It must be a whole number from ${least}${most === Number.MAX_SAFE_INTEGER ? '' : ` to ${most}`}.`)
    return value
  }
