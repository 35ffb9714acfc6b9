/** The commands about providers of models, with their help. What they do is loaded when they are called. */
import type { Command } from 'commander'
import type { SetOptions } from './commands/providers.ts'
import { type Act, type Shared, collect, examples, withServer } from './options.ts'

export function providersCommands(program: Command, act: Act): void {
  const providers = program
    .command('providers')
    .description('keys of your own at OpenAI, Anthropic and others, instead of the server’s')
    .helpCommand(false)
    .addHelpText(
      'after',
      examples('npx longhaul secrets set openai-key', 'npx longhaul providers set openai --secret openai-key', 'npx longhaul providers list'),
    )
  const load = () => import('./commands/providers.ts')
  withServer(providers.command('list'))
    .description('providers that are called with keys of your own')
    .addHelpText('after', examples('npx longhaul providers list'))
    .action((options: Shared) => act(options, async (invocation) => (await load()).listProviders(invocation)))
  withServer(providers.command('set'))
    .description('call a provider with the keys in these secrets; a new version of a secret counts within seconds')
    .argument('<provider>', 'openai, anthropic, google, azure, bedrock, openrouter, groq, mistral, deepseek, qwen, moonshot or zhipu')
    .requiredOption('--secret <name>', 'where a key is; again for more, which share the load', collect)
    .option('--base-url <url>', 'another address of this vendor; Azure needs one')
    .option('--region <name>', 'of Bedrock, such as eu-central-1')
    .addHelpText(
      'after',
      examples(
        'npx longhaul providers set openai --secret openai-key --secret openai-key-2',
        'npx longhaul providers set azure --secret azure-key --base-url https://my-resource.openai.azure.com/openai/v1',
      ),
    )
    .action((name: string, options: Shared & SetOptions) => act(options, async (invocation) => (await load()).setProvider(invocation, name, options)))
  withServer(providers.command('delete'))
    .description('go back to the server’s keys; the secrets stay')
    .argument('<provider>')
    .addHelpText('after', examples('npx longhaul providers delete openai'))
    .action((name: string, options: Shared) => act(options, async (invocation) => (await load()).deleteProvider(invocation, name)))
}
