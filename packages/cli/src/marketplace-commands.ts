/** The tenant's marketplace of tool connections. */
import type { Command } from 'commander'
import { type Act, type Shared, examples, wholeNumber, withServer } from './options.ts'

export function marketplaceCommands(program: Command, act: Act): void {
  const marketplace = program
    .command('marketplace')
    .description('share tool connections among the tenant’s agents: publish, review, install, revoke')
    .helpCommand(false)
    .addHelpText(
      'after',
      examples('npx longhaul marketplace list', 'npx longhaul marketplace publish crm --agent support --connection crm --description "Customers"'),
    )
  const load = () => import('./commands/marketplace.ts')
  const version = wholeNumber(1, 1_000_000)
  withServer(marketplace.command('list'))
    .description('what is published, with states, hashes and where it is installed; of one entry with its tools')
    .argument('[entry]')
    .addHelpText('after', examples('npx longhaul marketplace list crm'))
    .action((entry: string | undefined, options: Shared) => act(options, async (invocation) => (await load()).listMarketplace(invocation, entry)))
  withServer(marketplace.command('publish'))
    .description('publish a connection of an agent’s live version, as the next version of an entry')
    .argument('<entry>', 'its name in the marketplace')
    .requiredOption('--agent <agent>', 'whose connection it is')
    .requiredOption('--connection <connection>', 'its name in the agent’s folder')
    .requiredOption('--description <text>', 'what it is for')
    .addHelpText('after', examples('npx longhaul marketplace publish crm --agent support --connection crm --description "Customers"'))
    .action((entry: string, options: Shared & { agent: string; connection: string; description: string }) =>
      act(options, async (invocation) => (await load()).publishConnection(invocation, entry, options)),
    )
  withServer(marketplace.command('review'))
    .description('approve or reject a version that was published')
    .argument('<entry>')
    .argument('<version>', 'its number', version)
    .requiredOption('--hash <hash>', 'of what you have seen with `marketplace list <entry>`')
    .option('--reject', 'do not let it be installed')
    .option('--reason <text>', 'what is said of it')
    .addHelpText(
      'after',
      examples('npx longhaul marketplace review crm 1 --hash 3f2a…', 'npx longhaul marketplace review crm 1 --hash 3f2a… --reject --reason "Too many rights"'),
    )
    .action((entry: string, number: number, options: Shared & { hash: string; reject?: boolean; reason?: string }) =>
      act(options, async (invocation) => (await load()).reviewConnection(invocation, entry, number, options)),
    )
  withServer(marketplace.command('install'))
    .description('install an approved version into a namespace, in place of another')
    .argument('<entry>')
    .argument('<version>', 'its number', version)
    .requiredOption('--hash <hash>', 'of what was reviewed')
    .option('--namespace <name>', 'whose runs get it (default: default)', 'default')
    .addHelpText('after', examples('npx longhaul marketplace install crm 1 --hash 3f2a… --namespace staging'))
    .action((entry: string, number: number, options: Shared & { hash: string; namespace: string }) =>
      act(options, async (invocation) => (await load()).installConnection(invocation, entry, number, options)),
    )
  withServer(marketplace.command('uninstall'))
    .description('take an entry out of a namespace')
    .argument('<entry>')
    .option('--namespace <name>', 'of which (default: default)', 'default')
    .addHelpText('after', examples('npx longhaul marketplace uninstall crm --namespace staging'))
    .action((entry: string, options: Shared & { namespace: string }) =>
      act(options, async (invocation) => (await load()).uninstallConnection(invocation, entry, options)),
    )
  withServer(marketplace.command('revoke'))
    .description('revoke a version for good, wherever it is installed')
    .argument('<entry>')
    .argument('<version>', 'its number', version)
    .requiredOption('--reason <text>', 'which agents are told')
    .addHelpText('after', examples('npx longhaul marketplace revoke crm 1 --reason "Its server was taken over"'))
    .action((entry: string, number: number, options: Shared & { reason: string }) =>
      act(options, async (invocation) => (await load()).revokeConnection(invocation, entry, number, options)),
    )
}
