/** Runs as files, and what can be tried with a run that is over. */
import type { Command } from 'commander'
import type { CompareOptions, ForkOptions } from './commands/forks.ts'
import { type Act, type Shared, examples, wholeNumber, withServer } from './options.ts'

export function historyCommands(runs: Command, act: Act): void {
  withServer(runs.command('export'))
    .description('a run and its journal as one file of JSON lines, chained by hashes; files of its answer and workspace are not in it')
    .argument('<run>')
    .option('--out <file>', 'where to write it (default: standard output)')
    .addHelpText('after', examples('npx longhaul runs export last --out run.jsonl'))
    .action((run: string, options: Shared & { out?: string }) =>
      act(options, async (invocation) => (await import('./commands/history.ts')).exportRun(invocation, run, options)),
    )
  runs
    .command('verify')
    .description('whether an exported run is whole: no event was changed, dropped or moved')
    .argument('<file>')
    .option('--json', 'print JSON')
    .addHelpText('after', examples('npx longhaul runs verify run.jsonl'))
    .action((file: string, options: Shared) => act(options, async (invocation) => (await import('./commands/history.ts')).verifyRun(invocation, file)))
  runs
    .command('replay')
    .description('whether an agent’s code still does what an exported run did; executes nothing')
    .argument('<file>')
    .argument('<folder>', 'the agent’s folder, which contains agent/')
    .option('--json', 'print JSON')
    .addHelpText('after', examples('npx longhaul runs replay run.jsonl my-agents/hello'))
    .action((file: string, folder: string, options: Shared) =>
      act(options, async (invocation) => (await import('./commands/history.ts')).replay(invocation, file, folder)),
    )
  withServer(runs.command('import'))
    .description('take in an exported run that has ended, to be read here; it is never executed')
    .argument('<file>')
    .option('--namespace <name>', 'where it is put')
    .addHelpText('after', examples('npx longhaul runs import run.jsonl'))
    .action((file: string, options: Shared & { namespace?: string }) =>
      act(options, async (invocation) => (await import('./commands/history.ts')).importRun(invocation, file, options)),
    )
  withServer(runs.command('fork'))
    .description('go on from a step of a run as a new run, with something else in it')
    .argument('<run>')
    .option('--from <step>', 'the first step to execute anew, as `runs events` names it (default: the beginning)')
    .option('--input <json>', 'another input; @file or - for standard input')
    .option('--agent-version <version>', 'another version of the agent')
    .option('--model <model>', 'another model or route')
    .option('--instructions <text>', 'other instructions')
    .option('--output-tokens <n>', 'at most so many tokens in an answer', wholeNumber(1, 1_000_000))
    .option('--live', 'its writes take effect')
    .option('--wait', 'compare it with the original when it has ended')
    .addHelpText(
      'after',
      examples(
        'npx longhaul runs fork last --from 4 --model anthropic/claude-sonnet-4-5',
        'npx longhaul runs fork 3b0a6f2d --instructions "Ask before you pay." --wait',
      ) +
        `
What was recorded before the step is taken over and costs nothing. What the fork would write is recorded and withheld,
unless it is live.`,
    )
    .action((run: string, options: Shared & ForkOptions) =>
      act(options, async (invocation) => (await import('./commands/forks.ts')).forkRun(invocation, run, options)),
    )
  withServer(runs.command('compare'))
    .description('what two runs did differently: steps, answer, tokens, money')
    .argument('<run>')
    .argument('<other>')
    .option('--rows <n>', 'steps to show', wholeNumber(0, 1_000), 40)
    .addHelpText('after', examples('npx longhaul runs compare 3b0a6f2d last'))
    .action((run: string, other: string, options: Shared & CompareOptions) =>
      act(options, async (invocation) => (await import('./commands/forks.ts')).compareRuns(invocation, run, other, options)),
    )
}

export function testReplayCommand(program: Command, act: Act): void {
  program
    .command('test-replay')
    .description('whether an agent’s code still does what stored runs did; for CI')
    .argument('<histories>', 'a folder of exported runs (*.jsonl)')
    .argument('<folder>', 'the agent’s folder, which contains agent/')
    .option('--json', 'print JSON, one value a line')
    .addHelpText(
      'after',
      examples('npx longhaul test-replay histories/ my-agents/hello') +
        '\nExit code 0: the code does what each of them did. 1: not. It needs no server, and executes nothing.\n',
    )
    .action((histories: string, folder: string, options: Shared) =>
      act(options, async (invocation) => (await import('./commands/history.ts')).testReplay(invocation, histories, folder)),
    )
}
