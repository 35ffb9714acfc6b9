/** The commands about the log of model calls, with their help. What they do is loaded when they are called. */
import { type Command, Option } from 'commander'
import type { ListOptions } from './commands/calls.ts'
import { type Act, type Shared, examples, wholeNumber, withServer } from './options.ts'

export function callsCommands(program: Command, act: Act): void {
  const calls = program
    .command('calls')
    .description('model calls over HTTP: who asked which model, how it ended, and what was said')
    .helpCommand(false)
    .addHelpText(
      'after',
      examples(
        'npx longhaul calls list --outcome failed',
        'npx longhaul calls get 01a1fcb9-0960-7a25-9791-15a0d2ed0835',
        'npx longhaul calls privacy set masked --days 14',
      ),
    )
  const load = () => import('./commands/calls.ts')
  withServer(calls.command('list'))
    .description('calls outside of runs, newest first')
    .option('--from <instant>', 'from then on')
    .option('--to <instant>', 'up to then')
    .option('--namespace <name>', 'only of this namespace')
    .option('--model <model>', 'only to this model or route')
    .option('--key-id <id>', 'only by this key')
    .option('--user <name>', 'only for this person')
    .option('--session <name>', 'only of this session')
    .addOption(new Option('--outcome <outcome>', 'only those that ended so').choices(['answered', 'failed', 'aborted']))
    .option('--status <code>', 'only with this status', wholeNumber(100, 599))
    .option('--cost-min <usd>', 'only those that cost at least so much')
    .option('--cost-max <usd>', 'only those that cost at most so much')
    .option('--limit <n>', 'how many', wholeNumber(1, 200), 50)
    .option('--cursor <cursor>', 'go on after an earlier page')
    .addHelpText('after', examples('npx longhaul calls list --model smart --cost-min 0.5', 'npx longhaul calls list --from 2026-11-01 --json'))
    .action((options: Shared & ListOptions) => act(options, async (invocation) => (await load()).listCalls(invocation, options)))
  withServer(calls.command('get'))
    .description('one call with what was said, as its privacy shows it')
    .argument('<call>', 'its id: x-request-id of its answer')
    .addHelpText('after', examples('npx longhaul calls get 01a1fcb9-0960-7a25-9791-15a0d2ed0835'))
    .action((id: string, options: Shared) => act(options, async (invocation) => (await load()).getCall(invocation, id)))
  withServer(calls.command('reveal'))
    .description('the same with what is masked; who read it and why is in the audit log')
    .argument('<call>', 'its id')
    .requiredOption('--reason <text>', 'why it has to be read')
    .addHelpText('after', examples('npx longhaul calls reveal 01a1fcb9-0960-7a25-9791-15a0d2ed0835 --reason "complaint 4711"'))
    .action((id: string, options: Shared & { reason: string }) => act(options, async (invocation) => (await load()).revealCall(invocation, id, options.reason)))
  const privacy = calls.command('privacy').description('what is kept of prompts and answers, and how long').helpCommand(false)
  withServer(privacy.command('list'))
    .description('by namespace; where nothing is said: masked, for 30 days')
    .addHelpText('after', examples('npx longhaul calls privacy list'))
    .action((options: Shared) => act(options, async (invocation) => (await load()).listPrivacy(invocation)))
  withServer(privacy.command('set'))
    .description('say it for a namespace, or for all that have no rule of their own')
    .argument('<privacy>', 'full, masked or none')
    .option('--namespace <name>', 'only of this namespace')
    .option('--days <n>', 'how long calls are kept', wholeNumber(1, 3_650), 30)
    .addHelpText('after', examples('npx longhaul calls privacy set none --namespace clinic'))
    .action((kept: string, options: Shared & { namespace?: string; days: number }) =>
      act(options, async (invocation) => (await load()).setPrivacy(invocation, kept, options)),
    )
}
