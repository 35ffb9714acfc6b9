/** The commands about routes, with their help. What they do is loaded when they are called. */
import { type Command, InvalidArgumentError, Option } from 'commander'
import { type Act, type Shared, collect, examples, wholeNumber, withEdit, withServer } from './options.ts'

export function routesCommands(program: Command, act: Act): void {
  const routes = program
    .command('routes')
    .description('names that stand for models: who is asked first, and who next')
    .helpCommand(false)
    .addHelpText(
      'after',
      examples('npx longhaul routes set smart --target anthropic/claude-sonnet-5-5 --target openai/gpt-6.1-terra', 'npx longhaul routes try smart "Prove it"'),
    )
  const load = () => import('./commands/routes.ts')
  withServer(routes.command('list'))
    .description('all routes')
    .addHelpText('after', examples('npx longhaul routes list'))
    .action((options: Shared) => act(options, async (invocation) => (await load()).listRoutes(invocation)))
  withServer(routes.command('show'))
    .description('one route with its targets and conditions')
    .argument('<route>', 'its name')
    .addHelpText('after', examples('npx longhaul routes show smart'))
    .action((route: string, options: Shared) => act(options, async (invocation) => (await load()).showRoute(invocation, route)))
  withEdit(routes.command('set'))
    .description('make a route, or replace it')
    .argument('<route>', 'lower-case letters, digits and hyphens')
    .option('--target <model>', 'provider/model, with *weight and "when <condition>" if wanted; in the order of asking', collect)
    .option('--file <file>', 'the targets as a JSON list, instead of --target')
    .addOption(new Option('--pick <way>', 'who is asked first').choices(['order', 'weight', 'learned']))
    .option('--tolerance <share>', 'with --pick learned: how much less likely success may be for a smaller target to be asked', share)
    .option('--explore <share>', 'with --pick learned: the share of calls whose target is drawn', share)
    .option('--escalate', 'ask the next target when an answer, or a call of a tool in it, is not of the JSON Schema that was asked for', false)
    .option('--hold-streams', 'with --escalate: look at all of a streamed answer before any of it is given', false)
    .option('--no-sticky', 'with --pick weight: draw anew for each call of a session')
    .option('--cache <seconds>', 'give the same request its answer again for so long, without asking a model')
    .option('--cache-similar <threshold>', 'with --cache: also what was asked in other words, alike by so much, such as 0.95')
    .option('--cache-embedding <model>', 'with --cache-similar: the model that makes the vectors, as provider/model')
    .option('--cache-tools', 'with --cache: requests that offer tools as well', false)
    .option('--description <text>', 'what it is for')
    .addHelpText(
      'after',
      examples(
        'npx longhaul routes set fast --pick weight --target groq/llama-3.3-70b-versatile*3 --target openai/gpt-6-luna',
        'npx longhaul routes set auto --pick learned --escalate --target openai/gpt-6-luna --target openai/gpt-6.1-sol',
      ),
    )
    .action(
      (
        route: string,
        options: Shared & {
          target?: string[]
          file?: string
          pick?: 'order' | 'weight' | 'learned'
          tolerance?: number
          explore?: number
          escalate: boolean
          sticky: boolean
          description?: string
          cache?: string
          cacheTools?: boolean
          cacheSimilar?: string
          holdStreams?: boolean
          cacheEmbedding?: string
        },
      ) => act(options, async (invocation) => (await load()).setRoute(invocation, route, options)),
    )
  withEdit(routes.command('delete'))
    .description('take a route away')
    .argument('<route>', 'its name')
    .addHelpText('after', examples('npx longhaul routes delete fast'))
    .action((route: string, options: Shared) => act(options, async (invocation) => (await load()).deleteRoute(invocation, route)))
  withServer(routes.command('clear-cache'))
    .description('forget all kept answers')
    .addHelpText('after', examples('npx longhaul routes clear-cache'))
    .action((options: Shared) => act(options, async (invocation) => (await load()).clearCache(invocation)))
  withServer(routes.command('try'))
    .description('who would be asked, and why; nothing is sent')
    .argument('<route>', 'its name')
    .argument('[text]', 'what the user would say', '')
    .option('--session <name>', 'as if in this session')
    .option('--agent <name>', 'as if for this agent')
    .addHelpText('after', examples('npx longhaul routes try auto "Translate: good morning"'))
    .action((route: string, text: string, options: Shared & { session?: string; agent?: string }) =>
      act(options, async (invocation) => (await load()).tryRoute(invocation, route, text, options)),
    )
  withServer(routes.command('evaluate'))
    .description('what a route that learns comes to in quality and cost, beside always one model and the lot; nothing is sent')
    .argument('<route>', 'its name')
    .option('--days <n>', 'on its own calls of so many days', wholeNumber(1, 365), 30)
    .option('--file <file>', 'on outcomes of yours instead: one JSON object a line, as the guide shows')
    .option('--tolerance <share>', 'as if the route had this', share)
    .option('--explore <share>', 'as if the route had this', share)
    .addHelpText(
      'after',
      examples(
        'npx longhaul routes evaluate auto',
        'npx longhaul routes evaluate auto --tolerance 0.1',
        'npx longhaul routes evaluate auto --file outcomes.jsonl',
      ),
    )
    .action((route: string, options: Shared & { days: number; file?: string; tolerance?: number; explore?: number }) =>
      act(options, async (invocation) => (await import('./commands/evaluate.ts')).evaluateRoute(invocation, route, options)),
    )
}

function share(text: string): number {
  const value = Number(text)
  if (text.trim() === '' || !(value >= 0 && value <= 0.5)) throw new InvalidArgumentError('It is a share from 0 to 0.5.')
  return value
}
