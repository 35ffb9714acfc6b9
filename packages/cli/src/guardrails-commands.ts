/** The commands about guardrails, with their help. What they do is loaded when they are called. */
import { type Command, Option } from 'commander'
import type { DecisionOptions, SetOptions } from './commands/guardrails.ts'
import { type Act, type Shared, collect, examples, wholeNumber, withEdit, withServer } from './options.ts'

export function guardrailsCommands(program: Command, act: Act): void {
  const guardrails = program
    .command('guardrails')
    .description('what is looked for in model calls before they are made and in their answers')
    .helpCommand(false)
    .addHelpText(
      'after',
      examples(
        'npx longhaul guardrails set privacy --personal mask --secrets block:both',
        'npx longhaul guardrails set support --route faq --word "Project Heron" --words block:both',
        'npx longhaul guardrails set records --agent clerk --personal mask --unread-files block',
        'npx longhaul guardrails decisions',
      ),
    )
  const load = () => import('./commands/guardrails.ts')
  withServer(guardrails.command('list'))
    .description('all guardrails')
    .addHelpText('after', examples('npx longhaul guardrails list'))
    .action((options: Shared) => act(options, async (invocation) => (await load()).listGuardrails(invocation)))
  withServer(guardrails.command('show'))
    .description('one guardrail with its guards')
    .argument('<guardrail>', 'its name')
    .addHelpText('after', examples('npx longhaul guardrails show privacy'))
    .action((name: string, options: Shared) => act(options, async (invocation) => (await load()).showGuardrail(invocation, name)))
  withEdit(guardrails.command('set'))
    .description('make a guardrail, or replace it; it counts within a second')
    .argument('<guardrail>', 'lower-case letters, digits and hyphens')
    .option('--route <name>', 'only calls that ask for this route or model')
    .option('--namespace <name>', 'only calls of this namespace')
    .option('--agent <name>', 'only model steps of this agent')
    .option('--personal <action>', 'e-mail, phone, card, IBAN, national ids: mask, block or annotate; with :answer or :both')
    .option('--secrets <action>', 'keys in well-known forms: block, mask or annotate; with :answer or :both')
    .option('--word <text>', 'what may not be said; again for more', collect)
    .option('--words <action>', 'what becomes of it: block, mask or annotate; with :answer or :both')
    .option('--schema <json>', 'the JSON Schema of answers: JSON, @file, or - for standard input')
    .option('--no-repair', 'with --schema: do not ask once more for an answer that is not of it')
    .option('--moderation <model>', 'a model that says safe or unsafe: provider/model, with :answer or :both')
    .option('--policy <text>', 'with --moderation: what it looks for')
    .addOption(
      new Option(
        '--unread-files <action>',
        'what becomes of requests with pictures, audio, scanned PDF and other files without a text: annotate, unless said',
      ).choices(['annotate', 'block']),
    )
    .option('--input-bytes-max <n>', 'the largest request', wholeNumber(1))
    .option('--input-tokens-max <n>', 'the same in tokens, estimated', wholeNumber(1))
    .option('--output-tokens-max <n>', 'the most output that a call may ask for; it is lowered to it', wholeNumber(1))
    .option('--file <file>', 'the guards as a JSON list, instead of all these')
    .addHelpText(
      'after',
      examples('npx longhaul guardrails set privacy --personal mask', 'npx longhaul guardrails set tickets --route tickets --schema @ticket.schema.json'),
    )
    .action((name: string, options: Shared & SetOptions) => act(options, async (invocation) => (await load()).setGuardrail(invocation, name, options)))
  withEdit(guardrails.command('delete'))
    .description('take a guardrail away')
    .argument('<guardrail>', 'its name')
    .addHelpText('after', examples('npx longhaul guardrails delete privacy'))
    .action((name: string, options: Shared) => act(options, async (invocation) => (await load()).deleteGuardrail(invocation, name)))
  withServer(guardrails.command('decisions'))
    .description('what guards found, latest first, without the text')
    .option('--guardrail <name>', 'only of this guardrail')
    .addOption(new Option('--action <action>', 'only these').choices(['block', 'mask', 'annotate', 'repair']))
    .option('--request <id>', 'only of the call with this x-request-id')
    .option('--run <id>', 'only of this run')
    .option('--limit <n>', 'how many', wholeNumber(1, 200), 50)
    .option('--cursor <cursor>', 'go on where the list before ended')
    .addHelpText('after', examples('npx longhaul guardrails decisions --action block'))
    .action((options: Shared & DecisionOptions) => act(options, async (invocation) => (await load()).listDecisions(invocation, options)))
}
