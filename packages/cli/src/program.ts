/** All commands with their help. What a command does is loaded only when it is called, so that help is quick. */
import { Argument, Command } from 'commander'
import { accessCommands } from './access-commands.ts'
import { agentsCommands, authoringCommands, connectionCommands, evaluationCommands, previewCommands, workflowCommand } from './agents-commands.ts'
import { callsCommands } from './calls-commands.ts'
import { controlCommands } from './control-commands.ts'
import type { Shell } from './commands/completion.ts'
import { guardrailsCommands } from './guardrails-commands.ts'
import { testReplayCommand } from './history-commands.ts'
import { keysCommands } from './keys-commands.ts'
import { attachmentsCommands } from './attachments-commands.ts'
import { marketplaceCommands } from './marketplace-commands.ts'
import { memoryCommands } from './memory-commands.ts'
import { moneyCommands } from './money-commands.ts'
import { type Act, type PickedVersion, type Shared, collect, connection, examples, wholeNumber, withServer, withVersion } from './options.ts'
import { peopleCommands } from './people-commands.ts'
import { providersCommands } from './providers-commands.ts'
import { routesCommands } from './routes-commands.ts'
import { approvalsCommands, askCommand, attentionCommands, runsCommands } from './runs-commands.ts'
import { sandboxesCommands } from './sandboxes-commands.ts'
import { templatesCommands } from './templates-commands.ts'
import { toolsCommands } from './tools-commands.ts'

const shells: readonly Shell[] = ['bash', 'zsh', 'fish']

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
  connectionCommands(program, act)
  previewCommands(program, act)
  workflowCommand(program, act)
  sandboxesCommands(program, act)
  templatesCommands(program, act)
  toolsCommands(program, act)
  marketplaceCommands(program, act)
  attachmentsCommands(program, act)
  memoryCommands(program, act)
  keysCommands(program, act)
  peopleCommands(program, act)
  accessCommands(program, act)
  moneyCommands(program, act)
  controlCommands(program, act)
  routesCommands(program, act)
  guardrailsCommands(program, act)
  callsCommands(program, act)
  providersCommands(program, act)
  evalCommand(program, act)
  evaluationCommands(program, act)
  testCommand(program, act)
  withServer(program.command('status'))
    .description('what the server is made of, and who you are to it')
    .addHelpText('after', examples('npx longhaul status', 'npx longhaul status --json | jq .sandbox'))
    .action((options: Shared) => act(options, async (invocation) => (await import('./commands/status.ts')).status(invocation)))
  withServer(program.command('mcp'))
    .description('an MCP server on standard input and output, through which desktop programs use the agents')
    .addHelpText('after', examples('claude mcp add longhaul -- npx longhaul mcp', 'LONGHAUL_URL=https://… LONGHAUL_API_KEY=… npx longhaul mcp'))
    .action((options: Shared) => act(options, async (invocation) => (await import('./commands/mcp.ts')).serveMcp(invocation, version), 'graceful'))
  shellCommands(program, act)
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

function shellCommands(program: Command, act: Act): void {
  const contexts = program
    .command('contexts')
    .description('the servers that you are signed in to from here, and which one is asked')
    .helpCommand(false)
    .addHelpText('after', examples('npx longhaul contexts list', 'npx longhaul contexts use https://longhaul.example.com'))
  const load = () => import('./commands/contexts.ts')
  contexts
    .command('list')
    .description('where you are signed in')
    .option('--json', 'print JSON, one value a line')
    .addHelpText('after', examples('npx longhaul contexts list'))
    .action((options: Shared) => act(options, async (invocation) => (await load()).listContexts(invocation)))
  contexts
    .command('use')
    .description('ask this server when a command names none')
    .argument('<url>')
    .option('--json', 'print JSON, one value a line')
    .addHelpText('after', examples('npx longhaul contexts use https://longhaul.example.com'))
    .action((url: string, options: Shared) => act(options, async (invocation) => (await load()).useContext(invocation, url)))
  program
    .command('completion')
    .description('a script that makes your shell complete commands and options')
    .addArgument(new Argument('<shell>').choices(shells))
    .addHelpText('after', examples('source <(longhaul completion bash)', 'source <(longhaul completion zsh)', 'longhaul completion fish | source'))
    .action((shell: Shell, options: Shared) =>
      act(options, async ({ terminal }) => {
        const { completionFor } = await import('./commands/completion.ts')
        terminal.print(...completionFor(shell, program).split('\n').slice(0, -1))
        return 0
      }),
    )
}

type EvalOptions = {
  only?: string[]
  concurrency: number
  timeout: number
  min?: string
  agent?: string
  record?: boolean
  suite?: string
  judge?: string
  judgeTokens: number
}

function evalCommand(program: Command, act: Act): void {
  withVersion(withServer(program.command('eval')))
    .description('ask an agent the questions in its evals/ and score the answers')
    .argument('<folder>', 'the agent’s folder')
    .option('--record', 'keep the score with the version, where guards of deployments look at it')
    .option('--suite <name>', 'under which name it is kept (default: the folder’s)')
    .option('--only <text>', 'only cases with this in their id, or with this tag; may be given several times', collect)
    .option('--concurrency <n>', 'cases at once', wholeNumber(1, 50), 2)
    .option('--timeout <seconds>', 'time for one case', wholeNumber(1, 86_400), 300)
    .option('--min <n>', 'exit with 1 when fewer pass: a number of cases, or a share such as 95%')
    .option('--agent <name>', 'the agent to ask, if not the folder’s name')
    .option('--judge <model>', 'the model that judges answers by the rubrics of cases')
    .option('--judge-tokens <n>', 'what it may use in all', wholeNumber(1, 1_000_000_000), 500_000)
    .addHelpText(
      'after',
      examples(
        'npx longhaul eval examples/analyst',
        'npx longhaul eval examples/analyst --only arr --concurrency 1',
        'npx longhaul eval examples/analyst --min 57 --json',
        'npx longhaul eval examples/analyst --preview new-words --record',
      ),
    )
    .action((folder: string, options: Shared & PickedVersion & EvalOptions) =>
      act(options, async (invocation) => (await import('./commands/eval.ts')).evaluate(invocation, folder, options), 'graceful'),
    )
}

function testCommand(program: Command, act: Act): void {
  withServer(program.command('test'))
    .description('run an agent’s tests/ against scripted or recorded models, with its worker killed at every moment')
    .argument('<folder>', 'the agent’s folder')
    .option('--only <text>', 'only tests with this in their name; may be given several times', collect)
    .option('--record', 'ask a model through the server for tests without a script, and keep what it replies')
    .option('--model <name>', 'the model or route that is recorded', 'default')
    .option('--no-crashes', 'only undisturbed')
    .option('--junit <file>', 'also write the results as JUnit’s XML')
    .addHelpText(
      'after',
      examples('npx longhaul test my-agent', 'npx longhaul test my-agent --record --model openai/gpt-5', 'npx longhaul test my-agent --junit results.xml'),
    )
    .action((folder: string, options: Shared & { only?: string[]; record?: boolean; model: string; crashes: boolean; junit?: string }) =>
      act(options, async (invocation) => (await import('./commands/test.ts')).test(invocation, folder, options), 'graceful'),
    )
}
