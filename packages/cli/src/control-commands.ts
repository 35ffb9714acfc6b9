/** The commands that steer runs from above: limits, schedules, stops. What they do is loaded only when they are called. */
import type { Command } from 'commander'
import type { ReceiveOptions } from './commands/queues.ts'
import { type Act, type Shared, collect, duration, examples, positiveNumber, wholeNumber, withEdit, withServer } from './options.ts'

export function controlCommands(program: Command, act: Act): void {
  schedulesCommands(program, act)
  hooksCommands(program, act)
  limitsCommands(program, act)
  stopCommands(program, act)
  queueCommands(program, act)
  retentionCommands(program, act)
}

export type ScheduleOptions = Shared & {
  agent: string
  input?: string
  cron?: string
  timeZone: string
  every?: number
  from?: string
  at?: string
  overlap: string
  catchUp: string
  jitter: number
  laneKey?: string
  priority: string
}

function schedulesCommands(program: Command, act: Act): void {
  const schedules = program
    .command('schedules')
    .description('start runs by the calendar')
    .helpCommand(false)
    .addHelpText(
      'after',
      examples('npx longhaul schedules set nightly --agent analyst --cron "0 3 * * *" --time-zone Europe/Berlin', 'npx longhaul schedules list'),
    )
  const load = () => import('./commands/schedules.ts')
  withEdit(schedules.command('set'))
    .description('make a schedule, or replace the one of that name')
    .argument('<name>', 'lower-case letters, digits and hyphens')
    .requiredOption('--agent <name>', 'whose runs it starts')
    .option('--input <json>', 'JSON, @file or - for standard input')
    .option('--cron <expression>', 'five fields: minute, hour, day, month, weekday')
    .option('--time-zone <name>', 'of the cron expression', 'UTC')
    .option('--every <time>', 'an interval, such as 15m or 1d', duration)
    .option('--from <instant>', 'where the interval counts from (default: now)')
    .option('--at <instant>', 'once, such as 2026-12-01T09:00:00Z')
    .option('--overlap <policy>', 'while the run before is under way: allow, skip, queue or cancel', 'skip')
    .option('--catch-up <policy>', 'after an outage: skip what was missed, make up for one or all', 'one')
    .option('--jitter <time>', 'start up to so much later, at random', duration, 0)
    .option('--lane-key <key>', 'the lane of its runs')
    .option('--priority <level>', 'low, normal or high', 'normal')
    .addHelpText(
      'after',
      examples(
        `npx longhaul schedules set weekly --agent analyst --cron "0 8 * * 1" --time-zone Asia/Shanghai --input '{"question": "Revenue last week?"}'`,
        'npx longhaul schedules set poll --agent inbox --every 5m --overlap queue',
        'npx longhaul schedules set launch --agent mailer --at 2026-12-01T09:00:00+01:00',
      ),
    )
    .action((name: string, options: ScheduleOptions) => act(options, async (invocation) => (await load()).setSchedule(invocation, name, options)))
  withServer(schedules.command('list'))
    .description('all schedules and when they fire next')
    .addHelpText('after', examples('npx longhaul schedules list', 'npx longhaul schedules list --json | jq -r ".items[].nextFires[0]"'))
    .action((options: Shared) => act(options, async (invocation) => (await load()).listSchedules(invocation)))
  withServer(schedules.command('get'))
    .description('one schedule with its next fires')
    .argument('<name>')
    .addHelpText('after', examples('npx longhaul schedules get nightly'))
    .action((name: string, options: Shared) => act(options, async (invocation) => (await load()).getSchedule(invocation, name)))
  withServer(schedules.command('fires'))
    .description('what became of its fires, newest first')
    .argument('<name>')
    .option('--limit <n>', 'how many', wholeNumber(1, 200), 20)
    .addHelpText('after', examples('npx longhaul schedules fires nightly'))
    .action((name: string, options: Shared & { limit: number }) => act(options, async (invocation) => (await load()).listFires(invocation, name, options)))
  for (const [verb, what] of [
    ['pause', 'fire no more until it is resumed'],
    ['resume', 'fire again, from now on'],
    ['fire', 'fire now, besides its calendar'],
    ['delete', 'delete it; its runs stay'],
  ] as const)
    (verb === 'fire' ? withServer : withEdit)(schedules.command(verb))
      .description(what)
      .argument('<name>')
      .addHelpText('after', examples(`npx longhaul schedules ${verb} nightly`))
      .action((name: string, options: Shared) => act(options, async (invocation) => (await load()).changeSchedule(invocation, verb, name)))
}

export type HookOptions = Shared & {
  agent: string
  namespace?: string
  scheme: string
  secret: string
  input: string[]
  session?: string
  signal?: string
  run?: string
  event: string[]
  tolerance: number
}

function hooksCommands(program: Command, act: Act): void {
  const hooks = program
    .command('hooks')
    .description('take webhooks: they start runs or become signals')
    .helpCommand(false)
    .addHelpText(
      'after',
      examples('npx longhaul hooks set issues --agent triage --scheme github --secret github-webhook', 'npx longhaul hooks deliveries issues'),
    )
  const load = () => import('./commands/hooks.ts')
  withEdit(hooks.command('set'))
    .description('make an address that takes webhooks, or replace the one of that name')
    .argument('<name>', 'lower-case letters, digits and hyphens')
    .requiredOption('--agent <name>', 'whose runs it starts or signals')
    .requiredOption('--scheme <scheme>', 'how the sender signs: standard, github, gitlab, slack, stripe or hmac')
    .requiredOption('--secret <name>', 'the stored secret that the sender signs with')
    .option('--input <pointer>', 'what the run or the signal gets of the payload; several as name=/pointer (default: all of it)', collect, [])
    .option('--session <text>', 'the session of its runs: a text, or a pointer')
    .option('--signal <name>', 'send this signal instead of starting a run: a text, or a pointer')
    .option('--run <run>', 'to this run: its whole id, or a pointer')
    .option('--event <type>', 'take events of this type alone; can be repeated', collect, [])
    .option('--tolerance <time>', 'how far the time of a signature may be from now', duration, 300_000)
    .option('--namespace <name>', 'of its runs')
    .addHelpText(
      'after',
      examples(
        'npx longhaul hooks set issues --agent triage --scheme github --secret github-webhook --event issues --input title=/issue/title --input body=/issue/body',
        'npx longhaul hooks set chat --agent helper --scheme slack --secret slack-signing --input /event/text --session /event/channel',
        'npx longhaul hooks set paid --agent orders --scheme stripe --secret stripe-webhook --signal paid --run /data/object/metadata/run',
      ),
    )
    .action((name: string, options: HookOptions) => act(options, async (invocation) => (await load()).setHook(invocation, name, options)))
  withServer(hooks.command('list'))
    .description('all hooks and what they do')
    .addHelpText('after', examples('npx longhaul hooks list'))
    .action((options: Shared) => act(options, async (invocation) => (await load()).listHooks(invocation)))
  withServer(hooks.command('get'))
    .description('one hook')
    .argument('<name>')
    .addHelpText('after', examples('npx longhaul hooks get issues'))
    .action((name: string, options: Shared) => act(options, async (invocation) => (await load()).getHook(invocation, name)))
  withServer(hooks.command('deliveries'))
    .description('what became of what came, newest first')
    .argument('<name>')
    .option('--outcome <outcome>', 'started, signalled, repeated, left or refused')
    .option('--limit <n>', 'how many', wholeNumber(1, 200), 20)
    .addHelpText('after', examples('npx longhaul hooks deliveries issues --outcome refused'))
    .action((name: string, options: Shared & { limit: number; outcome?: string }) =>
      act(options, async (invocation) => (await load()).listHookDeliveries(invocation, name, options)),
    )
  for (const [verb, what] of [
    ['pause', 'refuse what comes until it is resumed'],
    ['resume', 'take again what comes'],
    ['delete', 'delete it; its runs stay'],
  ] as const)
    withEdit(hooks.command(verb))
      .description(what)
      .argument('<name>')
      .addHelpText('after', examples(`npx longhaul hooks ${verb} issues`))
      .action((name: string, options: Shared) => act(options, async (invocation) => (await load()).changeHook(invocation, verb, name)))
}

export type LimitOptions = Shared & { namespace?: string; agent?: string; laneKey?: string; running?: number; perSecond?: number; perMinute?: number }

function limitsCommands(program: Command, act: Act): void {
  const limits = program
    .command('limits')
    .description('how many runs may execute at once and start in a time')
    .helpCommand(false)
    .addHelpText('after', examples('npx longhaul limits set --agent analyst --running 10', 'npx longhaul limits list'))
  const load = () => import('./commands/limits.ts')
  withServer(limits.command('list'))
    .description('all limits')
    .addHelpText('after', examples('npx longhaul limits list'))
    .action((options: Shared) => act(options, async (invocation) => (await load()).listLimits(invocation)))
  withEdit(limits.command('set'))
    .description('set the limit of a scope, or change the one it has; without a scope that of everything')
    .option('--agent <name>', 'runs of this agent')
    .option('--namespace <name>', 'runs in this namespace')
    .option('--lane-key <key>', 'runs with this lane key; * is each lane key by itself')
    .option('--running <n>', 'at once', wholeNumber(0, 1_000_000))
    .option('--per-second <n>', 'starts a second', positiveNumber)
    .option('--per-minute <n>', 'starts a minute', positiveNumber)
    .addHelpText(
      'after',
      examples(
        'npx longhaul limits set --running 100',
        "npx longhaul limits set --agent mailer --lane-key '*' --running 1",
        'npx longhaul limits set --agent crawler --per-minute 60',
      ),
    )
    .action((options: LimitOptions) => act(options, async (invocation) => (await load()).setLimit(invocation, options)))
  withEdit(limits.command('delete'))
    .description('take a limit away')
    .argument('<limit>', 'its id, or the end of it')
    .addHelpText('after', examples('npx longhaul limits delete 3b0a6f2d'))
    .action((limit: string, options: Shared) => act(options, async (invocation) => (await load()).deleteLimit(invocation, limit)))
}

function stopCommands(program: Command, act: Act): void {
  const load = () => import('./commands/stops.ts')
  withServer(program.command('stop'))
    .description('stop a run, an agent, a namespace or everything: nothing of it takes effect from then on')
    .argument('<what>', 'run, agent, namespace or tenant')
    .argument('[which]', 'its id or name; for tenant nothing')
    .option('--reason <text>', 'shown to whoever meets the stop')
    .option('--yes', 'needed to stop the tenant: that is everything')
    .addHelpText(
      'after',
      examples('npx longhaul stop agent mailer --reason "it writes to the wrong people"', 'npx longhaul stop run last', 'npx longhaul stop tenant --yes') +
        `
A stop is one commit. No model call, tool call, command, start or schedule of what is stopped is admitted
after it, and no result of what was under way is recorded, at any server, also one that was cut off.
What was cut is listed; what had been admitted before and has no result may have had its effect.
Lift it with npx longhaul resume <stop>. To end a run for good, use npx longhaul runs cancel.`,
    )
    .action((what: string, which: string | undefined, options: Shared & { reason?: string; yes?: boolean }) =>
      act(options, async (invocation) => (await load()).stop(invocation, what, which, options)),
    )
  withServer(program.command('resume'))
    .description('lift a stop: what it held goes on')
    .argument('<stop>', 'its id or the end of it, the agent, the end of the run’s id, or the word tenant')
    .addHelpText('after', examples('npx longhaul resume mailer', 'npx longhaul resume 3b0a6f2d'))
    .action((stop: string, options: Shared) => act(options, async (invocation) => (await load()).resume(invocation, stop)))
  const stops = program.command('stops').description('see what is stopped').helpCommand(false).addHelpText('after', examples('npx longhaul stops list'))
  withServer(stops.command('list'))
    .description('what is stopped now')
    .option('--all', 'also what was, and who lifted it')
    .addHelpText('after', examples('npx longhaul stops list', 'npx longhaul stops list --all --json'))
    .action((options: Shared & { all?: boolean }) => act(options, async (invocation) => (await load()).listStops(invocation, options)))
}

function queueCommands(program: Command, act: Act): void {
  const queues = program
    .command('queues')
    .description('fetch what runs put on queues when they end')
    .helpCommand(false)
    .addHelpText('after', examples('npx longhaul runs start analyst --queue results', 'npx longhaul queues receive results --acknowledge'))
  const load = () => import('./commands/queues.ts')
  withServer(queues.command('list'))
    .description('queues that have messages')
    .addHelpText('after', examples('npx longhaul queues list'))
    .action((options: Shared) => act(options, async (invocation) => (await load()).listQueues(invocation)))
  withServer(queues.command('receive'))
    .description('take messages, oldest first, and print each on a line as JSON')
    .argument('<queue>')
    .option('--max <n>', 'at most so many', wholeNumber(1, 100), 10)
    .option('--visibility <time>', 'given out again when it is not acknowledged by then', duration, 30_000)
    .option('--wait <time>', 'wait so long for a message to come (up to 20s)', duration, 0)
    .option('--acknowledge', 'once they are printed')
    .addHelpText(
      'after',
      examples('npx longhaul queues receive results --wait 20s', 'npx longhaul queues receive results --acknowledge | jq .body.data.output'),
    )
    .action((queue: string, options: Shared & ReceiveOptions) => act(options, async (invocation) => (await load()).receiveMessages(invocation, queue, options)))
  withServer(queues.command('acknowledge'))
    .description('messages were dealt with: they are gone')
    .argument('<queue>')
    .argument('<receipt...>', 'as receive printed them')
    .addHelpText('after', examples('npx longhaul queues acknowledge results 0d9f2f6e-…'))
    .action((queue: string, receipts: string[], options: Shared) =>
      act(options, async (invocation) => (await load()).acknowledgeMessages(invocation, queue, receipts)),
    )
}

function retentionCommands(program: Command, act: Act): void {
  const retention = program
    .command('retention')
    .description('say how long runs are kept')
    .helpCommand(false)
    .addHelpText('after', examples('npx longhaul retention get', 'npx longhaul retention set 90 --namespace staging --yes'))
  const load = () => import('./commands/retention.ts')
  withServer(retention.command('get'))
    .description('how long runs are kept, by namespace')
    .addHelpText('after', examples('npx longhaul retention get'))
    .action((options: Shared) => act(options, async (invocation) => (await load()).getRetention(invocation)))
  withEdit(retention.command('set'))
    .description('delete runs so many days after their end, from now on and for good')
    .argument('<days>', 'whole days, or forever')
    .option('--namespace <name>', 'only in this one (default: in all that have no rule of their own)')
    .option('--yes', 'that runs are deleted is meant')
    .addHelpText('after', examples('npx longhaul retention set 90 --yes', 'npx longhaul retention set forever --namespace legal'))
    .action((days: string, options: Shared & { namespace?: string; yes?: boolean }) =>
      act(options, async (invocation) => (await load()).setRetention(invocation, days, options)),
    )
}
