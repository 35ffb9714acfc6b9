/** API keys. */
import type { Command } from 'commander'
import { type Act, type Shared, collect, examples, wholeNumber, withServer } from './options.ts'

export function keysCommands(program: Command, act: Act): void {
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
