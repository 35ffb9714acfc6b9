/** Tools of agents. */
import type { Command } from 'commander'
import type { LimitOptions } from './commands/tools.ts'
import { type Act, type Shared, type Shown, collect, examples, followOptions, wholeNumber, withAnswer, withServer } from './options.ts'

export function toolsCommands(program: Command, act: Act): void {
  const tools = program
    .command('tools')
    .description('see what tools an agent has, approve changed ones, set limits')
    .helpCommand(false)
    .addHelpText('after', examples('npx longhaul tools list support', 'npx longhaul tools get support crm__find_customer'))
  const load = () => import('./commands/tools.ts')
  withServer(tools.command('list'))
    .description('the tools of an agent, how their calls fared, and what waits for approval')
    .argument('<agent>')
    .option('--refresh', 'ask the tool servers first what they have now')
    .addHelpText('after', examples('npx longhaul tools list support --refresh'))
    .action((agent: string, options: Shared & { refresh?: boolean }) =>
      act(options, async (invocation) => (await load()).listTools(invocation, agent, options)),
    )
  withServer(tools.command('get'))
    .description('one tool: its definition, and what has changed since it was approved')
    .argument('<agent>')
    .argument('<tool>', 'its name as the model sees it')
    .addHelpText('after', examples('npx longhaul tools get support crm__find_customer'))
    .action((agent: string, tool: string, options: Shared) => act(options, async (invocation) => (await load()).getTool(invocation, agent, tool)))
  withServer(tools.command('approve'))
    .description('let models have a tool as its tool server gives it now')
    .argument('<agent>')
    .argument('<tool>')
    .requiredOption('--hash <hash>', 'of the definition that you have seen with `tools get`')
    .addHelpText('after', examples('npx longhaul tools approve support crm__find_customer --hash 3f2a…'))
    .action((agent: string, tool: string, options: Shared & { hash: string }) =>
      act(options, async (invocation) => (await load()).approveTool(invocation, agent, tool, options)),
    )
  withServer(tools.command('authorize'))
    .description('allow an agent’s connection to an MCP server or an API that asks for OAuth, in a browser')
    .argument('<agent>')
    .argument('<connection>')
    .addHelpText('after', examples('npx longhaul tools authorize support crm'))
    .action((agent: string, connection: string, options: Shared) =>
      act(options, async (invocation) => (await import('./commands/authorize.ts')).authorizeConnection(invocation, agent, connection)),
    )
  withAnswer(withServer(tools.command('call')))
    .description('call a tool that the server executes, without the agent, as a run of its own')
    .argument('<agent>')
    .argument('<tool>')
    .option('--input <json>', 'its arguments: JSON, @file or - for standard input')
    .option('--namespace <name>', 'the namespace that it counts to')
    .option('--idempotency-key <key>', 'the same key never calls it a second time')
    .addHelpText('after', examples(`npx longhaul tools call support crm__find_customer --input '{"name": "Ada"}'`))
    .action((agent: string, tool: string, options: Shown & { input?: string; namespace?: string; idempotencyKey?: string }) =>
      act(options, async (invocation) => (await load()).callTool(invocation, agent, tool, { ...options, ...followOptions(options) }), 'graceful'),
    )
  withServer(tools.command('prompts'))
    .description('what the MCP server of a connection offers to begin with; one of them as a run would get it')
    .argument('<agent>')
    .argument('<connection>')
    .argument('[prompt]', 'only this one, filled in')
    .option('--argument <name=value>', 'to fill in; may be given several times', collect)
    .addHelpText('after', examples('npx longhaul tools prompts support crm', 'npx longhaul tools prompts support crm summary --argument customer=Ada'))
    .action((agent: string, connection: string, prompt: string | undefined, options: Shared & { argument?: string[] }) =>
      act(options, async (invocation) => (await import('./commands/prompts.ts')).showPrompts(invocation, { agent, connection, prompt }, options)),
    )
  withServer(tools.command('limit'))
    .description('set limits of a tool, or of all whose names begin alike')
    .argument('<agent>')
    .argument('<tool>', 'a name, or the beginning of names followed by *')
    .option('--per-minute <n>', 'calls in a minute', wholeNumber(1, 1_000_000))
    .option('--concurrent <n>', 'calls at once', wholeNumber(1, 10_000))
    .option('--timeout <seconds>', 'for one call', wholeNumber(1, 3_600))
    .option('--result-characters <n>', 'of one result', wholeNumber(100, 1_000_000))
    .option('--off', 'switch it off')
    .option('--on', 'switch it on, whatever the agent’s folder says')
    .option('--clear', 'take the limits back')
    .addHelpText('after', examples('npx longhaul tools limit support "crm__*" --per-minute 30', 'npx longhaul tools limit support web_search --off'))
    .action((agent: string, tool: string, options: Shared & LimitOptions) =>
      act(options, async (invocation) => (await load()).limitTool(invocation, agent, tool, options)),
    )
}
