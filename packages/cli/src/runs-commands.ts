/** Runs: to ask, to start, to watch, and what waits for somebody. */
import type { WhenBusy } from '@longhaul/protocol'
import { type Command, Option } from 'commander'
import type { HowForked } from './commands/attention.ts'
import { historyCommands } from './history-commands.ts'
import {
  type Act,
  type Shared,
  type Shown,
  collect,
  duration,
  examples,
  wholeNumber,
  withAnswer,
  withServer,
  followOptions,
  type PickedVersion,
  pickedVersion,
  withVersion,
} from './options.ts'

export function askCommand(program: Command, act: Act): void {
  withAnswer(withVersion(withServer(program.command('ask'))))
    .description('ask an agent, see what it does, get the answer')
    .argument('<agent>', 'the agent’s name')
    .argument('[question...]', 'the question; - reads it from standard input')
    .option('--session <name>', 'go on with an earlier conversation, or begin one of this name')
    .addOption(whenBusyOption())
    .option('--attach <file>', 'send this file along; may be given several times', collect)
    .option('--prompt <connection/name>', 'begin with this prompt of an MCP server: see tools prompts')
    .option('--argument <name=value>', 'of the prompt; may be given several times', collect)
    .addHelpText(
      'after',
      examples(
        'npx longhaul ask analyst "What stands out?" --attach figures.csv --attach chart.png',
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
    .action(
      (
        agent: string,
        question: string[],
        options: Shown & PickedVersion & { session?: string; whenBusy?: WhenBusy; attach?: string[]; prompt?: string; argument?: string[] },
      ) =>
        act(
          options,
          async (invocation) =>
            (await import('./commands/ask.ts')).ask(invocation, agent, question, {
              ...followOptions(options),
              session: options.session,
              whenBusy: options.whenBusy,
              attach: options.attach,
              prompt: options.prompt,
              argument: options.argument,
              ...pickedVersion(options),
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

export function runsCommands(program: Command, act: Act): void {
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
  withServer(runs.command('tail'))
    .description('each run that begins or comes into another state, until Ctrl-C')
    .option('--agent <name>', 'only of this agent')
    .option('--state <state>', 'pending, running, waiting, completed, failed or cancelled')
    .option('--namespace <name>', 'only of this namespace')
    .option('--session <name>', 'only of this session')
    .addHelpText('after', examples('npx longhaul runs tail --state failed', 'npx longhaul runs tail --agent analyst --json | jq -r .id'))
    .action((options: Shared & { namespace?: string; agent?: string; state?: string; session?: string }) =>
      act(options, async (invocation) => (await load()).tailRuns(invocation, options), 'graceful'),
    )
  withServer(runs.command('count'))
    .description('how many runs each agent has in each state, and what they took of workers')
    .requiredOption('--since <instant>', 'counts those begun since, such as 2026-12-01')
    .option('--agent <name>', 'only of this agent')
    .option('--namespace <name>', 'only of this namespace')
    .addHelpText('after', examples('npx longhaul runs count --since 2026-12-01', 'npx longhaul runs count --since 2026-12-01 --agent analyst --json'))
    .action((options: Shared & { since: string; namespace?: string; agent?: string }) =>
      act(options, async (invocation) => (await load()).countRuns(invocation, options)),
    )
  withServer(runs.command('get'))
    .description('one run: its state, what it used, its answer')
    .argument('<run>')
    .addHelpText('after', examples('npx longhaul runs get last', 'npx longhaul runs get 3b0a6f2d --json'))
    .action((run: string, options: Shared) => act(options, async (invocation) => (await load()).getRun(invocation, run)))
  withAnswer(withVersion(withServer(runs.command('start'))))
    .description('start a run with any JSON as input')
    .argument('<agent>')
    .option('--input <json>', 'JSON, @file or - for standard input')
    .option('--namespace <name>', 'the namespace that it counts to')
    .option('--session <name>', 'the session it belongs to')
    .addOption(whenBusyOption())
    .option('--attach <file>', 'send this file along; may be given several times', collect)
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
        options: Shown &
          PickedVersion & {
            input?: string
            namespace?: string
            session?: string
            whenBusy?: WhenBusy
            attach?: string[]
            idempotencyKey?: string
            webhook?: string[]
            queue?: string[]
            laneKey?: string
            priority?: string
            startAt?: string
            delay?: number
            watch?: boolean
          },
      ) =>
        act(
          options,
          async (invocation) => (await load()).startRun(invocation, agent, { ...options, ...followOptions(options), picked: pickedVersion(options) }),
          'graceful',
        ),
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
  withServer(runs.command('connections'))
    .description('every attempt of a run to reach something from its sandbox, newest first')
    .argument('<run>')
    .option('--limit <n>', 'how many', wholeNumber(1, 200), 50)
    .option('--cursor <cursor>', 'go on after an earlier page')
    .addHelpText('after', examples('npx longhaul runs connections last'))
    .action((run: string, options: Shared & { limit: number; cursor?: string }) =>
      act(options, async (invocation) => (await load()).listConnections(invocation, run, options)),
    )
  withServer(runs.command('mails'))
    .description('the mails that a run has sent, and what came of them')
    .argument('<run>')
    .option('--resend', 'send those that failed or are in doubt once more; who got one gets it twice')
    .option('--mail <id>', 'with --resend: only this one')
    .addHelpText('after', examples('npx longhaul runs mails last', 'npx longhaul runs mails 3b0a6f2d --resend'))
    .action((run: string, options: Shared & { resend?: boolean; mail?: string }) =>
      act(options, async (invocation) => (await import('./commands/run-mails.ts')).runMails(invocation, run, options)),
    )
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

export function attentionCommands(program: Command, act: Act): void {
  const attention = program
    .command('attention')
    .description('see what will not go on by itself, and retry, fork or dismiss it')
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
    ['fork', 'go on as new runs from the step at which each one stopped, perhaps with another version'],
    ['dismiss', 'take failed runs and deliveries off the list'],
  ] as const) {
    const command = withServer(attention.command(verb))
    if (verb === 'fork')
      command
        .option('--agent-version <version>', 'another version of the agent')
        .option('--model <model>', 'another model or route')
        .option('--instructions <text>', 'other instructions')
        .option('--live', 'their writes take effect; a failed run is off the list then')
    command
      .description(what)
      .argument('[id...]', 'ids as the list shows them')
      .option('--all', 'everything on the list')
      .option('--agent <name>', 'with --all: only of this agent')
      .option('--reason <reason>', 'with --all: only for this reason')
      .addHelpText('after', examples(`npx longhaul attention ${verb} 3b0a6f2d`, `npx longhaul attention ${verb} --all --reason failed`))
      .action((ids: string[], options: Shared & { all?: boolean; agent?: string; reason?: string } & HowForked) =>
        act(options, async (invocation) => (await load()).actOnAttention(invocation, verb, ids, options)),
      )
  }
}

export function approvalsCommands(program: Command, act: Act): void {
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
  withServer(approvals.command('show'))
    .description('what would be done, and where each argument comes from')
    .argument('<approval>', 'its id, or the end of it')
    .addHelpText('after', examples('npx longhaul approvals show 3b0a6f2d', 'npx longhaul approvals show 3b0a6f2d --json'))
    .action((approval: string, options: Shared) => act(options, async (invocation) => (await load()).showApproval(invocation, approval)))
  for (const [verb, approved] of [
    ['approve', true],
    ['deny', false],
  ] as const) {
    const command = withServer(approvals.command(verb))
    command
      .description(approved ? 'say yes' : 'say no')
      .argument('<approval>', 'its id, or the end of it')
      .option('--comment <text>', 'kept with the answer')
      .addHelpText('after', examples(`npx longhaul approvals ${verb} 3b0a6f2d --comment "${approved ? 'checked with finance' : 'the amount is wrong'}"`))
      .action((approval: string, options: Shared & { comment?: string; answer?: string[] }) =>
        act(options, async (invocation) => (await load()).decideApproval(invocation, approval, approved, options)),
      )
    if (approved) command.option('--answer <name=value>', 'to what is asked for; may be given several times', collect)
  }
}
