/** All commands with their help. What a command does is loaded only when it is called, so that help is quick. */
import type { WhenBusy } from '@longhaul/protocol'
import { Command, Option } from 'commander'
import type { DeployOptions, GiveOptions } from './commands/deploy.ts'
import type { LimitOptions } from './commands/tools.ts'
import { controlCommands } from './control-commands.ts'
import { accessCommands } from './access-commands.ts'
import { memoryCommands } from './memory-commands.ts'
import { peopleCommands } from './people-commands.ts'
import { historyCommands, testReplayCommand } from './history-commands.ts'
import { moneyCommands } from './money-commands.ts'
import { type Act, type Shared, collect, connection, duration, examples, wholeNumber, withAnswer, withServer } from './options.ts'
import { guardrailsCommands } from './guardrails-commands.ts'
import { routesCommands } from './routes-commands.ts'
import { sandboxesCommands } from './sandboxes-commands.ts'

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
  authoringCommands(program, act)
  runsCommands(program, act)
  testReplayCommand(program, act)
  attentionCommands(program, act)
  approvalsCommands(program, act)
  agentsCommands(program, act)
  sandboxesCommands(program, act)
  toolsCommands(program, act)
  memoryCommands(program, act)
  keysCommands(program, act)
  peopleCommands(program, act)
  accessCommands(program, act)
  moneyCommands(program, act)
  controlCommands(program, act)
  routesCommands(program, act)
  guardrailsCommands(program, act)
  evalCommand(program, act)
  withServer(program.command('status'))
    .description('what the server is made of, and who you are to it')
    .addHelpText('after', examples('npx longhaul status', 'npx longhaul status --json | jq .sandbox'))
    .action((options: Shared) => act(options, async (invocation) => (await import('./commands/status.ts')).status(invocation)))
  withServer(program.command('mcp'))
    .description('an MCP server on standard input and output, through which desktop programs use the agents')
    .addHelpText('after', examples('claude mcp add longhaul -- npx longhaul mcp', 'LONGHAUL_URL=https://… LONGHAUL_API_KEY=… npx longhaul mcp'))
    .action((options: Shared) => act(options, async (invocation) => (await import('./commands/mcp.ts')).serveMcp(invocation, version), 'graceful'))
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
    .addOption(whenBusyOption())
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
    .action((agent: string, question: string[], options: Shown & { session?: string; whenBusy?: WhenBusy }) =>
      act(
        options,
        async (invocation) =>
          (await import('./commands/ask.ts')).ask(invocation, agent, question, {
            ...followOptions(options),
            session: options.session,
            whenBusy: options.whenBusy,
          }),
        'graceful',
      ),
    )
}

/** For what is said in a session while a run of it is under way. */
const whenBusyOption = () =>
  new Option('--when-busy <way>', 'while a run of the session is under way: wait for it, tell it, cancel it first, or fail').choices([
    'queue',
    'steer',
    'interrupt',
    'reject',
  ] satisfies WhenBusy[])

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
    .option('--parent <run>', 'only those that this run has started')
    .option('--limit <n>', 'how many', wholeNumber(1, 200), 20)
    .option('--cursor <cursor>', 'go on after an earlier page')
    .addHelpText('after', examples('npx longhaul runs list --agent analyst --state failed', 'npx longhaul runs list --json | jq -r ".items[].id"'))
    .action((options: Shared & { namespace?: string; agent?: string; state?: string; session?: string; parent?: string; limit: number; cursor?: string }) =>
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
    .addOption(whenBusyOption())
    .option('--idempotency-key <key>', 'the same key never starts a second run')
    .option('--queue <name>', 'put its end on this queue: queues receive <name>; may be given several times', collect)
    .option('--webhook <url>', 'post its end there, signed; may be given several times', collect)
    .option('--lane-key <key>', 'wait in a lane of its own with the runs of this key')
    .option('--priority <level>', 'low, normal or high: a head start of a minute each')
    .option('--start-at <instant>', 'not before this instant, such as 2026-12-01T09:00:00Z')
    .option('--delay <time>', 'not before this time has passed, such as 90s, 15m, 2h or 1d', duration)
    .option('--watch', 'follow it to its end')
    .addHelpText(
      'after',
      examples(`npx longhaul runs start order-flow --input '{"orderId": 7}' --watch`, 'npx longhaul runs start analyst --input @question.json'),
    )
    .action(
      (
        agent: string,
        options: Shown & {
          input?: string
          namespace?: string
          session?: string
          whenBusy?: WhenBusy
          idempotencyKey?: string
          webhook?: string[]
          queue?: string[]
          laneKey?: string
          priority?: string
          startAt?: string
          delay?: number
          watch?: boolean
        },
      ) => act(options, async (invocation) => (await load()).startRun(invocation, agent, { ...options, ...followOptions(options) }), 'graceful'),
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
  withServer(runs.command('decide'))
    .description('say what became of a write that was interrupted, when nobody else can')
    .argument('<run>')
    .argument('[op]', 'the step’s place, when several are in doubt')
    .option('--completed [json]', 'it took effect and came to this: JSON, @file or - for standard input')
    .option('--failed <message>', 'it did not, and will not: what the agent is told')
    .option('--execute', 'it did not: execute it')
    .addHelpText('after', examples(`npx longhaul runs decide 3b0a6f2d --completed '{"receipt": 9}'`, 'npx longhaul runs decide 3b0a6f2d 4.0 --execute'))
    .action((run: string, op: string | undefined, options: Shared & { completed?: string | true; failed?: string; execute?: boolean }) =>
      act(options, async (invocation) => (await load()).decideStep(invocation, run, op, options)),
    )
  withServer(runs.command('events'))
    .description('a run’s history, event by event')
    .argument('<run>')
    .option('--after <n>', 'only events after this number', wholeNumber(-1), -1)
    .addHelpText('after', examples('npx longhaul runs events last', 'npx longhaul runs events last --json | jq -c "select(.type == \\"step.failed\\")"'))
    .action((run: string, options: Shared & { after: number }) => act(options, async (invocation) => (await load()).listEvents(invocation, run, options)))
  historyCommands(runs, act)
  withServer(runs.command('deliveries'))
    .description('where the end of a run was told, and what came of it')
    .argument('<run>')
    .addHelpText('after', examples('npx longhaul runs deliveries last'))
    .action((run: string, options: Shared) => act(options, async (invocation) => (await import('./commands/attention.ts')).listDeliveries(invocation, run)))
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

function attentionCommands(program: Command, act: Act): void {
  const attention = program
    .command('attention')
    .description('see what will not go on by itself, and retry or dismiss it')
    .helpCommand(false)
    .addHelpText('after', examples('npx longhaul attention list', 'npx longhaul attention retry --all --reason failed --agent order-flow'))
  const load = () => import('./commands/attention.ts')
  withServer(attention.command('list'))
    .description('runs that failed, are parked or in doubt, and deliveries that failed')
    .option('--agent <name>', 'only of this agent')
    .option('--reason <reason>', 'diverged, poison, broken, in_doubt, failed or undelivered')
    .option('--limit <n>', 'how many', wholeNumber(1, 200), 50)
    .option('--cursor <cursor>', 'go on after an earlier page')
    .addHelpText('after', examples('npx longhaul attention list', 'npx longhaul attention list --reason in_doubt --json'))
    .action((options: Shared & { agent?: string; reason?: string; limit: number; cursor?: string }) =>
      act(options, async (invocation) => (await load()).listAttention(invocation, options)),
    )
  for (const [verb, what] of [
    ['retry', 'take parked runs up again, start failed ones anew with their input, deliver once more'],
    ['dismiss', 'take failed runs and deliveries off the list'],
  ] as const) {
    withServer(attention.command(verb))
      .description(what)
      .argument('[id...]', 'ids as the list shows them')
      .option('--all', 'everything on the list')
      .option('--agent <name>', 'with --all: only of this agent')
      .option('--reason <reason>', 'with --all: only for this reason')
      .addHelpText('after', examples(`npx longhaul attention ${verb} 3b0a6f2d`, `npx longhaul attention ${verb} --all --reason failed`))
      .action((ids: string[], options: Shared & { all?: boolean; agent?: string; reason?: string }) =>
        act(options, async (invocation) => (await load()).actOnAttention(invocation, verb, ids, options)),
      )
  }
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
    .option('--run <run>', 'of this run and the runs that it has started')
    .option('--limit <n>', 'how many', wholeNumber(1, 200), 50)
    .addHelpText('after', examples('npx longhaul approvals list', 'npx longhaul approvals list --run last', 'npx longhaul approvals list --all --json'))
    .action((options: Shared & { state?: string; all?: boolean; run?: string; limit: number }) =>
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
  versionCommands(agents, act)
}

function authoringCommands(program: Command, act: Act): void {
  program
    .command('init')
    .description('make a folder with an agent to start from')
    .argument('<folder>', 'its last part is the agent’s name')
    .option('-t, --template <name>', 'blank, tools, durable or support', 'tools')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Templates:
  blank     instructions, and nothing else
  tools     a model with two tools, one of which asks a person; a skill; an evaluation
  durable   plain code that survives crashes: steps, an approval, a timer
  support   answers from a handbook in its sandbox, hands over what that does not settle
${examples('npx longhaul init my-agent', 'npx longhaul init agents/orders --template durable')}`,
    )
    .action((folder: string, options: Shared & { template: string }) =>
      act(options, async (invocation) => (await import('./commands/init.ts')).init(invocation, folder, options)),
    )
  withAnswer(withServer(program.command('dev')))
    .description('deploy a folder on every change, and ask it what you type')
    .argument('<folder>', 'the agent’s folder')
    .option('--agent <name>', 'the agent’s name, if not the folder’s')
    .addHelpText('after', examples('npx longhaul dev my-agent', 'npx longhaul dev my-agent --quiet --json'))
    .action((folder: string, options: Shown & { agent?: string }) =>
      act(
        options,
        async (invocation) => (await import('./commands/dev.ts')).dev(invocation, folder, { ...followOptions(options), agent: options.agent }),
        'graceful',
      ),
    )
  withGuard(withServer(program.command('deploy')))
    .description('upload an agent’s folder, see that it loads, give it to new runs')
    .argument('<folder>', 'the agent’s folder')
    .option('--agent <name>', 'the agent’s name, if not the folder’s')
    .option('--no-promote', 'only upload and load it; no run gets it')
    .addHelpText(
      'after',
      examples(
        'npx longhaul deploy my-agent',
        'npx longhaul deploy my-agent --canary 10',
        'npx longhaul deploy my-agent --no-promote --json | jq -r .version.version',
      ) +
        `
Code that does not load is not deployed. Runs that have begun stay on their version to their end. If package.json
names packages, the code is bundled with them; @longhaul/sdk and zod are the server's.`,
    )
    .action((folder: string, options: Shared & DeployOptions) =>
      act(options, async (invocation) => (await import('./commands/deploy.ts')).deploy(invocation, folder, options)),
    )
}

function versionCommands(agents: Command, act: Act): void {
  const load = () => import('./commands/versions.ts')
  withServer(agents.command('versions'))
    .description('versions of an agent: which are live, how many runs each still has')
    .argument('<agent>')
    .option('--limit <n>', 'how many', wholeNumber(1, 200), 20)
    .addHelpText('after', examples('npx longhaul agents versions analyst'))
    .action((agent: string, options: Shared & { limit: number }) => act(options, async (invocation) => (await load()).listVersions(invocation, agent, options)))
  withServer(agents.command('deployments'))
    .description('what was deployed when, by whom, and how it ended')
    .argument('<agent>')
    .option('--limit <n>', 'how many', wholeNumber(1, 200), 20)
    .option('--cursor <cursor>', 'go on after an earlier page')
    .addHelpText('after', examples('npx longhaul agents deployments analyst'))
    .action((agent: string, options: Shared & { limit: number; cursor?: string }) =>
      act(options, async (invocation) => (await load()).listDeployments(invocation, agent, options)),
    )
  withGuard(withServer(agents.command('promote')))
    .description('give a version to new runs: to all, or to a share of them')
    .argument('<agent>')
    .argument('<version>')
    .addHelpText('after', examples('npx longhaul agents promote analyst 3f2a9c01b4de', 'npx longhaul agents promote analyst 3f2a9c01b4de --canary 5'))
    .action((agent: string, version: string, options: Shared & GiveOptions) =>
      act(options, async (invocation) => (await load()).promote(invocation, agent, version, options)),
    )
  withServer(agents.command('rollback'))
    .description('take back the canary, or else the live version')
    .argument('<agent>')
    .option('--reason <text>', 'kept with the deployment')
    .addHelpText('after', examples('npx longhaul agents rollback analyst --reason "answers in the wrong currency"'))
    .action((agent: string, options: Shared & { reason?: string }) => act(options, async (invocation) => (await load()).rollBack(invocation, agent, options)))
}

function toolsCommands(program: Command, act: Act): void {
  const tools = program
    .command('tools')
    .description('see what tools an agent has, approve changed ones, set limits')
    .helpCommand(false)
    .addHelpText('after', examples('npx longhaul tools list support', 'npx longhaul tools get support crm__find_customer'))
  const load = () => import('./commands/tools.ts')
  withServer(tools.command('list'))
    .description('the tools of an agent, how their calls fared, and what waits for approval')
    .argument('<agent>')
    .option('--refresh', 'ask the tool servers first what they have now')
    .addHelpText('after', examples('npx longhaul tools list support --refresh'))
    .action((agent: string, options: Shared & { refresh?: boolean }) =>
      act(options, async (invocation) => (await load()).listTools(invocation, agent, options)),
    )
  withServer(tools.command('get'))
    .description('one tool: its definition, and what has changed since it was approved')
    .argument('<agent>')
    .argument('<tool>', 'its name as the model sees it')
    .addHelpText('after', examples('npx longhaul tools get support crm__find_customer'))
    .action((agent: string, tool: string, options: Shared) => act(options, async (invocation) => (await load()).getTool(invocation, agent, tool)))
  withServer(tools.command('approve'))
    .description('let models have a tool as its tool server gives it now')
    .argument('<agent>')
    .argument('<tool>')
    .requiredOption('--hash <hash>', 'of the definition that you have seen with `tools get`')
    .addHelpText('after', examples('npx longhaul tools approve support crm__find_customer --hash 3f2a…'))
    .action((agent: string, tool: string, options: Shared & { hash: string }) =>
      act(options, async (invocation) => (await load()).approveTool(invocation, agent, tool, options)),
    )
  withServer(tools.command('authorize'))
    .description('allow an agent’s connection to an MCP server that asks for OAuth, in a browser')
    .argument('<agent>')
    .argument('<connection>')
    .addHelpText('after', examples('npx longhaul tools authorize support crm'))
    .action((agent: string, connection: string, options: Shared) =>
      act(options, async (invocation) => (await import('./commands/authorize.ts')).authorizeConnection(invocation, agent, connection)),
    )
  withServer(tools.command('limit'))
    .description('set limits of a tool, or of all whose names begin alike')
    .argument('<agent>')
    .argument('<tool>', 'a name, or the beginning of names followed by *')
    .option('--per-minute <n>', 'calls in a minute', wholeNumber(1, 1_000_000))
    .option('--concurrent <n>', 'calls at once', wholeNumber(1, 10_000))
    .option('--timeout <seconds>', 'for one call', wholeNumber(1, 3_600))
    .option('--result-characters <n>', 'of one result', wholeNumber(100, 1_000_000))
    .option('--off', 'switch it off')
    .option('--on', 'switch it on, whatever the agent’s folder says')
    .option('--clear', 'take the limits back')
    .addHelpText('after', examples('npx longhaul tools limit support "crm__*" --per-minute 30', 'npx longhaul tools limit support web_search --off'))
    .action((agent: string, tool: string, options: Shared & LimitOptions) =>
      act(options, async (invocation) => (await load()).limitTool(invocation, agent, tool, options)),
    )
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

type CreateKeyOptions = {
  region?: string[]
  personalData: boolean
  permission?: string[]
  role?: string
  namespace?: string[]
  agent?: string[]
  expires?: number
}

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

const withGuard = (command: Command): Command =>
  command
    .option('--canary <percent>', 'only for this share of new runs; a session stays with what it gets', wholeNumber(1, 99))
    .option('--no-guard', 'never take it back by itself')
    .option('--window <minutes>', 'how long it is watched', wholeNumber(1, 10_080), 60)
    .option('--failures <percent>', 'how many more of its runs may fail than of the version before', wholeNumber(0, 100), 10)
    .option('--reason <text>', 'kept with the deployment')
