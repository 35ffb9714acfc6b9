/** The commands about what agents remember of whoever asks them. What they do is loaded when they are called. */
import type { Command } from 'commander'
import { type Act, type Shared, examples, wholeNumber, withServer } from './options.ts'

export function memoryCommands(program: Command, act: Act): void {
  const load = () => import('./commands/memory.ts')
  const memory = program
    .command('memory')
    .description('see and erase what agents remember of you')
    .helpCommand(false)
    .addHelpText('after', examples('npx longhaul memory list', 'npx longhaul memory erase --all --agent support'))
  withServer(memory.command('list'))
    .description('what agents remember of you, the newest first')
    .option('--agent <name>', 'of this agent')
    .option('--limit <n>', 'how many', wholeNumber(1, 200), 20)
    .option('--cursor <cursor>', 'go on after an earlier page')
    .addHelpText('after', examples('npx longhaul memory list --agent support'))
    .action((options: Shared & { agent?: string; limit: number; cursor?: string }) =>
      act(options, async (invocation) => (await load()).listMemories(invocation, options)),
    )
  withServer(memory.command('get'))
    .description('one memory: its text, which run kept it, and whose words that run had read')
    .argument('<memory>', 'its id')
    .addHelpText('after', examples('npx longhaul memory get 0195e0d6-5c1e-7000-8000-000000000001'))
    .action((memoryId: string, options: Shared) => act(options, async (invocation) => (await load()).getMemory(invocation, memoryId)))
  withServer(memory.command('erase'))
    .description('erase one memory, or all')
    .argument('[memory]', 'its id')
    .option('--all', 'all that is remembered of you')
    .option('--agent <name>', 'with --all: by this agent')
    .option('--subject <key>', 'with --all: of another key, for whoever manages keys')
    .addHelpText('after', examples('npx longhaul memory erase 0195e0d6-5c1e-7000-8000-000000000001', 'npx longhaul memory erase --all'))
    .action((memoryId: string | undefined, options: Shared & { all?: true; agent?: string; subject?: string }) =>
      act(options, async (invocation) => (await load()).eraseMemory(invocation, memoryId, options)),
    )
}
