/** The commands about files that go along with messages. What they do is loaded when they are called. */
import type { Command } from 'commander'
import { type Act, type Shared, examples, withServer } from './options.ts'

export function attachmentsCommands(program: Command, act: Act): void {
  const load = () => import('./commands/attachments.ts')
  const attachments = program
    .command('attachments')
    .description('files that go along with messages: send, look, take back')
    .helpCommand(false)
    .addHelpText(
      'after',
      `\nask and runs start take --attach, which sends a file and names it in one go.${examples('npx longhaul ask analyst "What is in it?" --attach figures.csv', 'npx longhaul attachments send figures.csv')}`,
    )
  withServer(attachments.command('send'))
    .description('send a file, and get the id by which programs name it in a message')
    .argument('<file>', 'a file of this machine')
    .option('--namespace <name>', 'that of the run that will have it')
    .addHelpText('after', examples('npx longhaul attachments send figures.csv', 'npx longhaul attachments send figures.csv --json | jq -r .id'))
    .action((file: string, options: Shared & { namespace?: string }) =>
      act(options, async (invocation) => (await load()).sendAttachment(invocation, file, options)),
    )
  withServer(attachments.command('get'))
    .description('what is known of a file, or with --out the file itself')
    .argument('<attachment>', 'its id')
    .option('--out <file>', 'where to put it: a file that is not there yet')
    .addHelpText('after', examples('npx longhaul attachments get 0195e0d6-5c1e-7000-8000-000000000001 --out figures.csv'))
    .action((attachmentId: string, options: Shared & { out?: string }) =>
      act(options, async (invocation) => (await load()).getAttachment(invocation, attachmentId, options)),
    )
  withServer(attachments.command('delete'))
    .description('take back a file that no message has')
    .argument('<attachment>', 'its id')
    .addHelpText('after', examples('npx longhaul attachments delete 0195e0d6-5c1e-7000-8000-000000000001'))
    .action((attachmentId: string, options: Shared) => act(options, async (invocation) => (await load()).deleteAttachment(invocation, attachmentId)))
}
