import type { Command } from 'commander'
import { type Act, type Shared, collect, examples, wholeNumber, withServer } from './options.ts'

type Create = Shared & {
  name?: string
  use?: boolean
  snapshot?: string
  template?: string
  image?: string
  env?: string[]
  allow?: string[]
  credential?: string[]
  ttl?: number
  memory?: number
  disk?: number
}
type Exec = Shared & { env?: string[]; cwd?: string; timeout: number; detach?: boolean; stdin?: boolean }

export function sandboxesCommands(program: Command, act: Act): void {
  const sandboxes = program
    .command('sandboxes')
    .description('make sandboxes and work in them')
    .helpCommand(false)
    .addHelpText(
      'after',
      `\nA sandbox goes by its name or its id.${examples('npx longhaul sandboxes create --name work', 'npx longhaul sandboxes exec work -- python3 -c "print(6 * 7)"', 'npx longhaul sandboxes cp ./data work:data', 'npx longhaul sandboxes stop work')}`,
    )
  const load = () => import('./commands/sandboxes.ts')

  withServer(sandboxes.command('create'))
    .description('make a sandbox')
    .option('--name <name>', 'a name to call it by')
    .option('--use', 'take the one of that name if there is one')
    .option('--snapshot <snapshot>', 'begin with a snapshot, by name or id')
    .option('--template <template>', 'begin with a template: name, or name@version')
    .option('--image <reference>', 'its root, in place of the server’s programs: registry.example.com/name@sha256:…')
    .option('--env <name=value>', 'for every command in it; may be given several times', collect)
    .option('--allow <host>', 'may be reached from inside: a host, or GET,POST:host/path*; may be given several times', collect)
    .option('--credential <host=header:value>', 'put into requests to an allowed host on their way out; - as the value reads it from standard input', collect)
    .option('--driver <name>', 'where it is to run, among what the operator allows: bwrap, gvisor, docker, virtual')
    .option('--ttl <minutes>', 'ends when it was not used for so long', wholeNumber(1, 525_600))
    .option('--memory <megabytes>', 'limit of memory', wholeNumber(1, 64_000))
    .option('--disk <megabytes>', 'limit of the workspace', wholeNumber(1, 1_000_000))
    .addHelpText(
      'after',
      examples(
        'npx longhaul sandboxes create --name work --env TZ=Asia/Shanghai',
        'npx longhaul sandboxes create --allow pypi.org --allow files.pythonhosted.org',
        `npx longhaul sandboxes create --allow 'GET:api.github.com/repos/*' --credential 'api.github.com=authorization:-' < token.txt`,
      ),
    )
    .action((options: Create) => act(options, async (invocation) => (await load()).createSandbox(invocation, options)))
  withServer(sandboxes.command('list'))
    .description('sandboxes, newest first')
    .option('--state <state>', 'active, released or stopped')
    .option('--limit <n>', 'how many', wholeNumber(1, 200), 50)
    .option('--cursor <cursor>', 'go on after an earlier page')
    .addHelpText('after', examples('npx longhaul sandboxes list', 'npx longhaul sandboxes list --json | jq -r ".items[].id"'))
    .action((options: Shared & { state?: string; limit: number; cursor?: string }) =>
      act(options, async (invocation) => (await load()).listSandboxes(invocation, options)),
    )
  withServer(sandboxes.command('get'))
    .description('one sandbox: its limits, its ways out, what it uses')
    .argument('<sandbox>')
    .addHelpText('after', examples('npx longhaul sandboxes get work'))
    .action((sandbox: string, options: Shared) => act(options, async (invocation) => (await load()).getSandbox(invocation, sandbox)))
  withServer(sandboxes.command('exec'))
    .description('run a command, and show what it writes as it comes')
    .argument('<sandbox>')
    .argument('<command...>', 'after --: a program and its arguments, or one line for the shell')
    .option('--env <name=value>', 'may be given several times', collect)
    .option('--cwd <folder>', 'in the workspace')
    .option('--timeout <seconds>', 'it is ended after so long', wholeNumber(1, 604_800), 3_600)
    .option('-i, --stdin', 'pass standard input on, as it comes')
    .option('--detach', 'do not wait: print the process, whose output `logs` shows')
    .addHelpText(
      'after',
      examples(
        'npx longhaul sandboxes exec work -- ls -la',
        `npx longhaul sandboxes exec work 'seq 3 | tac'`,
        'npx longhaul sandboxes exec -i work -- python3 - < script.py',
        'npx longhaul sandboxes exec work --detach -- python3 -m http.server',
      ) + "\nExit codes: the command's own; 130 when Ctrl-C ended it, 137 when something else did.",
    )
    .action((sandbox: string, command: string[], options: Exec) =>
      act(options, async (invocation) => (await load()).execInSandbox(invocation, sandbox, command, options), 'graceful'),
    )
  withServer(sandboxes.command('ps'))
    .description('commands that were started in it')
    .argument('<sandbox>')
    .addHelpText('after', examples('npx longhaul sandboxes ps work'))
    .action((sandbox: string, options: Shared) => act(options, async (invocation) => (await load()).listProcesses(invocation, sandbox)))
  withServer(sandboxes.command('logs'))
    .description('what a command has written')
    .argument('<sandbox>')
    .argument('<process>', 'its id, or the end of it')
    .option('-f, --follow', 'and what it writes from now on, to its end')
    .addHelpText('after', examples('npx longhaul sandboxes logs work 3b0a6f2d --follow'))
    .action((sandbox: string, process: string, options: Shared & { follow?: boolean }) =>
      act(options, async (invocation) => (await load()).showLogs(invocation, sandbox, process, options)),
    )
  withServer(sandboxes.command('kill'))
    .description('end a command and everything that it started')
    .argument('<sandbox>')
    .argument('<process>', 'its id, or the end of it')
    .addHelpText('after', examples('npx longhaul sandboxes kill work 3b0a6f2d'))
    .action((sandbox: string, process: string, options: Shared) => act(options, async (invocation) => (await load()).killProcess(invocation, sandbox, process)))
  withServer(sandboxes.command('cp'))
    .description('copy a file or a folder into a sandbox, or out of it')
    .argument('<from>', 'a path, or sandbox:path')
    .argument('<to>', 'a path, or sandbox:path')
    .addHelpText(
      'after',
      examples('npx longhaul sandboxes cp ./data work:data', 'npx longhaul sandboxes cp work:report.csv .', 'npx longhaul sandboxes cp work:. ./workspace'),
    )
    .action((from: string, to: string, options: Shared) => act(options, async (invocation) => (await load()).copyFiles(invocation, from, to)))
  withServer(sandboxes.command('ls'))
    .description('what lies in a folder of the workspace')
    .argument('<sandbox>', 'or sandbox:path')
    .addHelpText('after', examples('npx longhaul sandboxes ls work', 'npx longhaul sandboxes ls work:data'))
    .action((place: string, options: Shared) => act(options, async (invocation) => (await load()).listFiles(invocation, place)))
  withServer(sandboxes.command('snapshot'))
    .description('keep the workspace as it is now; with a name it is a template')
    .argument('<sandbox>')
    .option('--name <name>', 'a name to begin others with')
    .addHelpText('after', examples('npx longhaul sandboxes snapshot work --name prepared'))
    .action((sandbox: string, options: Shared & { name?: string }) =>
      act(options, async (invocation) => (await load()).snapshotSandbox(invocation, sandbox, options)),
    )
  withServer(sandboxes.command('snapshots'))
    .description('snapshots, newest first; --delete deletes one')
    .option('--delete <snapshot>', 'by name or id')
    .addHelpText('after', examples('npx longhaul sandboxes snapshots', 'npx longhaul sandboxes snapshots --delete prepared'))
    .action((options: Shared & { delete?: string }) => act(options, async (invocation) => (await load()).listSnapshots(invocation, options)))
  withServer(sandboxes.command('fork'))
    .description('a new sandbox with a copy of the workspace as it is now')
    .argument('<sandbox>')
    .option('--name <name>', 'a name for the new one')
    .addHelpText('after', examples('npx longhaul sandboxes fork work --name attempt-2'))
    .action((sandbox: string, options: Shared & { name?: string }) =>
      act(options, async (invocation) => (await load()).forkSandbox(invocation, sandbox, options)),
    )
  withServer(sandboxes.command('egress'))
    .description('say anew what may leave, or close every way out')
    .argument('<sandbox>')
    .option('--allow <host>', 'a host, or GET,POST:host/path*; may be given several times', collect)
    .option('--credential <host=header:value>', '- as the value reads it from standard input', collect)
    .option('--none', 'nothing leaves')
    .addHelpText('after', examples('npx longhaul sandboxes egress work --allow pypi.org', 'npx longhaul sandboxes egress work --none'))
    .action((sandbox: string, options: Create & { none?: boolean }) =>
      act(options, async (invocation) => (await load()).setEgress(invocation, sandbox, options)),
    )
  withServer(sandboxes.command('connections'))
    .description('every attempt to leave it, newest first')
    .argument('<sandbox>')
    .option('--limit <n>', 'how many', wholeNumber(1, 200), 50)
    .addHelpText('after', examples('npx longhaul sandboxes connections work'))
    .action((sandbox: string, options: Shared & { limit: number }) =>
      act(options, async (invocation) => (await load()).listConnections(invocation, sandbox, options)),
    )
  withServer(sandboxes.command('watch'))
    .description('what changes in a folder and below it, until Ctrl-C')
    .argument('<sandbox>', 'or sandbox:path')
    .addHelpText('after', examples('npx longhaul sandboxes watch work', 'npx longhaul sandboxes watch work:data --json'))
    .action((place: string, options: Shared) => act(options, async (invocation) => (await load()).watchFolder(invocation, place), 'graceful'))
  withServer(sandboxes.command('link'))
    .description('an address that shows what listens on a port inside')
    .argument('<sandbox>')
    .argument('<port>', 'on which something listens', wholeNumber(1, 65_535))
    .option('--minutes <n>', 'good for so long, to whoever has it', wholeNumber(1, 10_080), 60)
    .addHelpText('after', examples('npx longhaul sandboxes exec work --detach -- python3 -m http.server 8000', 'npx longhaul sandboxes link work 8000'))
    .action((sandbox: string, port: number, options: Shared & { minutes: number }) =>
      act(options, async (invocation) => (await load()).linkPort(invocation, sandbox, port, options)),
    )
  withServer(sandboxes.command('release'))
    .description('end what runs in it and put its files away; the next use brings them back')
    .argument('<sandbox>')
    .addHelpText('after', examples('npx longhaul sandboxes release work'))
    .action((sandbox: string, options: Shared) => act(options, async (invocation) => (await load()).releaseSandbox(invocation, sandbox)))
  withServer(sandboxes.command('stop'))
    .description('end it and delete its workspace')
    .argument('<sandbox>')
    .addHelpText('after', examples('npx longhaul sandboxes stop work'))
    .action((sandbox: string, options: Shared) => act(options, async (invocation) => (await load()).stopSandbox(invocation, sandbox)))
}
