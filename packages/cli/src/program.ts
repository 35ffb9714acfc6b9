/** All commands with their help. What a command does is loaded only when it is called, so that help is quick. */
import { Command, InvalidArgumentError, Option } from 'commander'
import type { LimitOptions } from './commands/tools.ts'
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
  toolsCommands(program, act)
  keysCommands(program, act)
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
    .option('--session <name>', 'only of this session')
    .option('--limit <n>', 'how many', wholeNumber(1, 200), 20)
    .option('--cursor <cursor>', 'go on after an earlier page')
    .addHelpText('after', examples('npx longhaul runs list --agent analyst --state failed', 'npx longhaul runs list --json | jq -r ".items[].id"'))
    .action((options: Shared & { agent?: string; state?: string; session?: string; limit: number; cursor?: string }) =>
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
    .option('--session <name>', 'the session it belongs to')
    .option('--idempotency-key <key>', 'the same key never starts a second run')
    .option('--watch', 'follow it to its end')
    .addHelpText(
      'after',
      examples(`npx longhaul runs start order-flow --input '{"orderId": 7}' --watch`, 'npx longhaul runs start analyst --input @question.json'),
    )
    .action((agent: string, options: Shown & { input?: string; session?: string; idempotencyKey?: string; watch?: boolean }) =>
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
    .addHelpText(
      'after',
      examples(
        'npx longhaul keys create board --region EMEA --region APAC --no-personal-data',
        'npx longhaul keys create ci --permission runs:write --permission runs:read',
      ),
    )
    .action((name: string, options: Shared & { region?: string[]; personalData: boolean; permission?: string[] }) =>
      act(options, async (invocation) => (await load()).createKey(invocation, name, options)),
    )
  withServer(keys.command('list'))
    .description('all keys, without their secrets')
    .addHelpText('after', examples('npx longhaul keys list'))
    .action((options: Shared) => act(options, async (invocation) => (await load()).listKeys(invocation)))
  withServer(keys.command('delete'))
    .description('revoke a key at once')
    .argument('<key>', 'its name, its id, or the end of its id')
    .addHelpText('after', examples('npx longhaul keys delete emea-team'))
    .action((key: string, options: Shared) => act(options, async (invocation) => (await load()).deleteKey(invocation, key)))
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
