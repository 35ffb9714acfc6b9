/** The commands about money, with their help: budgets, usage, models. What they do is loaded when they are called. */
import { type Command, InvalidArgumentError } from 'commander'
import { type Act, type Shared, examples, wholeNumber, withEdit, withServer } from './options.ts'

export function moneyCommands(program: Command, act: Act): void {
  budgetsCommands(program, act)
  usageCommands(program, act)
  modelsCommands(program, act)
}

function budgetsCommands(program: Command, act: Act): void {
  const budgets = program
    .command('budgets')
    .description('the most that may be spent on models, by whom and in what time')
    .helpCommand(false)
    .addHelpText(
      'after',
      examples(
        'npx longhaul budgets set everything --limit 500',
        'npx longhaul budgets set analyst-daily --limit 20 --scope agent --subject analyst --per day --time-zone Asia/Shanghai',
        'npx longhaul budgets set each-run --limit 2 --per run',
        'npx longhaul budgets list',
      ),
    )
  const load = () => import('./commands/budgets.ts')
  withEdit(budgets.command('set'))
    .description('make a budget, or change the limit of one; it counts for the next call')
    .argument('<name>', 'lower-case letters, digits and hyphens')
    .requiredOption('--limit <amount>', 'dollars, tokens or requests')
    .option('--unit <unit>', 'usd, tokens or requests (a new one: usd)')
    .option('--scope <scope>', 'tenant, namespace, agent, key, user, session or run (a new one: tenant)')
    .option('--subject <name>', 'which of them; * gives each this much for itself (a new one: *)')
    .option('--per <window>', 'run, hour, day, week, month or total (a new one: month)')
    .option('--time-zone <zone>', 'in which days begin (a new one: UTC)')
    .option('--webhook <url>', 'where 50, 80 and 100 %, the first refusal and overruns are told, signed')
    .option('--no-webhook', 'tell it nowhere any more')
    .addHelpText(
      'after',
      examples('npx longhaul budgets set everything --limit 500', 'npx longhaul budgets set each-user --scope user --per day --unit tokens --limit 200000'),
    )
    .action(
      (
        name: string,
        options: Shared & { limit: string; unit?: string; scope?: string; subject?: string; per?: string; timeZone?: string; webhook?: string | false },
      ) => act(options, async (invocation) => (await load()).setBudget(invocation, name, options)),
    )
  withServer(budgets.command('list'))
    .description('all budgets, each with what its fullest subject has left')
    .addHelpText('after', examples('npx longhaul budgets list', 'npx longhaul budgets list --json | jq ".items[].fullest.left"'))
    .action((options: Shared) => act(options, async (invocation) => (await load()).listBudgets(invocation)))
  withServer(budgets.command('show'))
    .description('one budget: what each of its subjects has spent, holds and has left')
    .argument('<name>')
    .option('--limit <n>', 'how many subjects', wholeNumber(1, 200), 20)
    .addHelpText('after', examples('npx longhaul budgets show analyst-daily'))
    .action((name: string, options: Shared & { limit: number }) =>
      act(options, async (invocation) => (await load()).showBudget(invocation, name, options.limit)),
    )
  withEdit(budgets.command('delete'))
    .description('delete a budget; what was used stays recorded')
    .argument('<name>')
    .addHelpText('after', examples('npx longhaul budgets delete analyst-daily'))
    .action((name: string, options: Shared) => act(options, async (invocation) => (await load()).deleteBudget(invocation, name)))
  withServer(budgets.command('forecast'))
    .description('what the open window will have spent, and when the limit will be reached')
    .argument('<name>')
    .option('--subject <name>', 'of this one (default: the one that has spent most)')
    .addHelpText('after', examples('npx longhaul budgets forecast analyst-daily'))
    .action((name: string, options: Shared & { subject?: string }) =>
      act(options, async (invocation) => (await import('./commands/forecasts.ts')).forecastBudget(invocation, name, options.subject)),
    )
  withServer(budgets.command('events'))
    .description('warnings at 50, 80 and 100 %, first refusals, overruns')
    .option('--budget <name>', 'only of this budget')
    .option('--limit <n>', 'how many', wholeNumber(1, 200), 50)
    .option('--cursor <cursor>', 'go on after an earlier page')
    .addHelpText('after', examples('npx longhaul budgets events --budget analyst-daily'))
    .action((options: Shared & { budget?: string; limit: number; cursor?: string }) =>
      act(options, async (invocation) => (await load()).listEvents(invocation, options)),
    )
}

function usageCommands(program: Command, act: Act): void {
  const usage = program
    .command('usage')
    .description('what models were used for and what it cost')
    .helpCommand(false)
    .addHelpText(
      'after',
      examples(
        'npx longhaul usage by agent,model',
        'npx longhaul usage by user --grain day --agent analyst',
        'npx longhaul usage calls --run 01a1fcb9-0960-7a25-9791-15a0d2ed0835',
        'npx longhaul usage forecast',
      ),
    )
  const load = () => import('./commands/usage.ts')
  const withFilters = (command: Command) => {
    for (const [name, what] of [
      ['namespace', 'of this namespace'],
      ['agent', 'of this agent'],
      ['version', 'of this version'],
      ['user', 'for this person'],
      ['key-id', 'by this key'],
      ['provider', 'to this provider'],
      ['model', 'to this model'],
      ['run', 'of this run’s id'],
      ['session', 'of this session'],
      ['tag', 'with this tag, as name=value'],
    ] as const)
      command.option(`--${name} <${name === 'tag' ? 'name=value' : name}>`, `only ${what}`)
    return command
  }
  withFilters(withServer(usage.command('by')))
    .description('sums by dimensions, separated by commas; all of it without any')
    .argument('[dimensions]', 'namespace, agent, version, user, key, provider, model, run, step, session, tag:<name>', '')
    .option('--from <instant>', 'from then on (default: 30 days ago)')
    .option('--to <instant>', 'up to then (default: now)')
    .option('--grain <grain>', 'total, hour, day, week or month', 'total')
    .option('--time-zone <zone>', 'in which days begin', 'UTC')
    .option('--limit <n>', 'how many groups', wholeNumber(1, 1_000), 50)
    .addHelpText('after', examples('npx longhaul usage by agent,model --from 2026-11-01', 'npx longhaul usage by tag:team --grain month --json'))
    .action((by: string, options: Shared & Record<string, string> & { limit: number }) =>
      act(options, async (invocation) => (await load()).summarize(invocation, by, options)),
    )
  withFilters(withServer(usage.command('calls')))
    .description('single model calls, newest first')
    .option('--limit <n>', 'how many', wholeNumber(1, 200), 50)
    .option('--cursor <cursor>', 'go on after an earlier page')
    .addHelpText('after', examples('npx longhaul usage calls --agent analyst --limit 10'))
    .action((options: Shared & Record<string, string> & { limit: number }) => act(options, async (invocation) => (await load()).listCalls(invocation, options)))
  withFilters(withServer(usage.command('forecast')))
    .description('what this month or week will have cost, by the last 28 days')
    .option('--per <window>', 'month or week', 'month')
    .option('--time-zone <zone>', 'in which days begin', 'UTC')
    .addHelpText('after', examples('npx longhaul usage forecast', 'npx longhaul usage forecast --agent analyst --per week --time-zone Asia/Shanghai'))
    .action((options: Shared & Record<string, string>) =>
      act(options, async (invocation) => (await import('./commands/forecasts.ts')).forecastUsage(invocation, options)),
    )
  withFilters(withServer(usage.command('what-if')))
    .description('what the same calls would have cost with another model, or which of them another limit would have refused')
    .option('--as-model <model>', 'at this model’s prices')
    .option('--prices <when>', 'its prices of each call’s day (then), or today’s (now)', 'then')
    .option('--as-limit <amount>', 'dollars, tokens or requests')
    .option('--unit <unit>', 'of the limit: usd, tokens or requests', 'usd')
    .option('--per <window>', 'in which the limit counts: hour, day, week or month', 'month')
    .option('--from <instant>', 'from then on (default: 30 days ago)')
    .option('--to <instant>', 'up to then (default: now)')
    .option('--time-zone <zone>', 'in which days begin', 'UTC')
    .addHelpText(
      'after',
      examples('npx longhaul usage what-if --as-model openai/gpt-5-mini --agent analyst', 'npx longhaul usage what-if --as-limit 20 --per day --agent analyst'),
    )
    .action((options: Shared & Record<string, string>) =>
      act(options, async (invocation) => (await import('./commands/forecasts.ts')).tryUsage(invocation, options)),
    )
  withServer(usage.command('score'))
    .description('say how good an answer was, from 0 to 1; routes that learn go by it')
    .argument('<score>', 'from 0 (of no use) to 1 (good)', (text: string) => {
      const score = Number(text)
      if (text.trim() === '' || !(score >= 0 && score <= 1)) throw new InvalidArgumentError('It is a number from 0 to 1.')
      return score
    })
    .option('--call <id>', 'of this model call: x-longhaul-call of its answer, or the id in "usage calls --json"')
    .option('--run <id>', 'of all model calls of this run')
    .addHelpText('after', examples('npx longhaul usage score 0 --run 01a1fcb9-0960-7a25-9791-15a0d2ed0835'))
    .action((score: number, options: Shared & { call?: string; run?: string }) =>
      act(options, async (invocation) => (await load()).scoreCalls(invocation, score, options)),
    )
}

function modelsCommands(program: Command, act: Act): void {
  const models = program
    .command('models')
    .description('what models cost and can do; prices of your own')
    .helpCommand(false)
    .addHelpText('after', examples('npx longhaul models list gpt-5', 'npx longhaul models set compatible/qwen3:8b --input 0 --output 0'))
  const load = () => import('./commands/models.ts')
  withServer(models.command('list'))
    .description('models with their prices for a million tokens')
    .argument('[search]', 'only those with this in their name', '')
    .option('--limit <n>', 'how many', wholeNumber(1, 1_000), 100)
    .addHelpText('after', examples('npx longhaul models list anthropic/'))
    .action((search: string, options: Shared & { limit: number }) =>
      act(options, async (invocation) => (await load()).listModels(invocation, search, options.limit)),
    )
  withServer(models.command('set'))
    .description('say what a model costs from a day on, or what its limits are; goes before what the program knows')
    .argument('<model>', 'provider/model')
    .option('--since <day>', 'as 2026-12-01 (default: today)')
    .option('--input <usd>', 'dollars for a million tokens of input')
    .option('--output <usd>', 'the same of output')
    .option('--cache-read <usd>', 'the same of input read from a cache')
    .option('--cache-write <usd>', 'the same of input written to a cache')
    .option('--context-max <n>', 'tokens that fit into one call', wholeNumber(1))
    .option('--output-max <n>', 'tokens of one answer', wholeNumber(1))
    .addHelpText('after', examples('npx longhaul models set openai/gpt-5 --input 1.1 --output 9 --cache-read 0.11 --since 2026-12-01'))
    .action((model: string, options: Shared & Record<string, string> & { contextMax?: number; outputMax?: number }) =>
      act(options, async (invocation) => (await load()).setModel(invocation, model, options)),
    )
  withServer(models.command('refresh'))
    .description('read a whole catalogue, show what it changes, and apply it if you say so')
    .requiredOption('--from <file or url>', 'in our form, or that of https://models.dev/api.json; the server reads addresses')
    .option('--apply', 'apply it without asking', false)
    .addHelpText(
      'after',
      examples('npx longhaul models refresh --from https://models.dev/api.json', 'npx longhaul models refresh --from catalogue.json --apply'),
    )
    .action((options: Shared & { from: string; apply: boolean }) => act(options, async (invocation) => (await load()).refreshModels(invocation, options)))
  withServer(models.command('apply'))
    .description('let a catalogue count that was read before')
    .argument('<version>', 'its id, as "models refresh" and "models versions" show it')
    .addHelpText('after', examples('npx longhaul models apply 01a1fcb9-0960-7a25-9791-15a0d2ed0835'))
    .action((id: string, options: Shared) => act(options, async (invocation) => (await load()).applyCatalogue(invocation, id)))
  withServer(models.command('versions'))
    .description('catalogues that were read, and which one counts')
    .addHelpText('after', examples('npx longhaul models versions'))
    .action((options: Shared) => act(options, async (invocation) => (await load()).listVersions(invocation)))
  withServer(models.command('rollback'))
    .description('go back to the catalogue that counted before')
    .addHelpText('after', examples('npx longhaul models rollback'))
    .action((options: Shared) => act(options, async (invocation) => (await load()).rollbackCatalogue(invocation)))
  withServer(models.command('unset'))
    .description('take back what was set')
    .argument('<model>', 'provider/model')
    .option('--since <day>', 'only what counts from this day on')
    .addHelpText('after', examples('npx longhaul models unset openai/gpt-5'))
    .action((model: string, options: Shared & { since?: string }) =>
      act(options, async (invocation) => (await load()).unsetModel(invocation, model, options.since)),
    )
}
