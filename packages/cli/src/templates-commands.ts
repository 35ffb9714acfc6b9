import type { Command } from 'commander'
import { type Act, type Shared, collect, examples, wholeNumber, withServer } from './options.ts'

type Create = Shared & {
  from?: string
  image?: string
  npm?: string[]
  pip?: string[]
  run?: string[]
  file?: string[]
  env?: string[]
  allow?: string[]
  credential?: string[]
  timeout: number
  memory?: number
  disk?: number
  detach?: boolean
}

export function templatesCommands(program: Command, act: Act): void {
  const templates = program
    .command('templates')
    .description('prepare workspaces once, and begin sandboxes with them')
    .helpCommand(false)
    .addHelpText(
      'after',
      `\nA version goes by name@version or its id; a name alone is its newest version.${examples('npx longhaul templates create data --pip pandas --allow pypi.org --allow files.pythonhosted.org', 'npx longhaul templates list', 'npx longhaul sandboxes create --template data')}`,
    )
  const load = () => import('./commands/templates.ts')

  withServer(templates.command('create'))
    .description('prepare the next version of a template, and show what the preparation writes')
    .argument('<name>')
    .option('--from <template>', 'begin with another template')
    .option('--image <reference>', 'root of the preparation and of sandboxes made from it: registry.example.com/name@sha256:…')
    .option('--file <path[=target]>', 'a file of this machine, into the workspace; may be given several times', collect)
    .option('--npm <package>', 'install a package for Node; may be given several times', collect)
    .option('--pip <package>', 'install a package for Python; may be given several times', collect)
    .option('--run <line>', 'after that, a line for the shell; may be given several times', collect)
    .option('--env <name=value>', 'for every command, also of sandboxes made from it; may be given several times', collect)
    .option('--allow <host>', 'may be reached meanwhile: a host, or GET,POST:host/path*; may be given several times', collect)
    .option('--credential <host=header:value>', 'put into requests to an allowed host on their way out; - as the value reads it from standard input', collect)
    .option('--timeout <seconds>', 'of each step', wholeNumber(1, 3_600), 600)
    .option('--memory <megabytes>', 'limit of memory, also of sandboxes made from it', wholeNumber(1, 64_000))
    .option('--disk <megabytes>', 'limit of the workspace, in the same way', wholeNumber(1, 1_000_000))
    .option('--detach', 'do not wait for its end')
    .addHelpText(
      'after',
      examples(
        'npx longhaul templates create data --pip pandas==2.2.3 --allow pypi.org --allow files.pythonhosted.org',
        `npx longhaul templates create site --file package.json --run 'npm ci' --allow registry.npmjs.org`,
      ) + '\nExit codes: 0 when it is ready, 1 when the preparation failed.',
    )
    .action((name: string, options: Create) => act(options, async (invocation) => (await load()).createTemplate(invocation, name, options), 'graceful'))
  withServer(templates.command('list'))
    .description('versions of templates, newest first')
    .option('--name <name>', 'of one template')
    .option('--limit <n>', 'how many', wholeNumber(1, 200), 50)
    .option('--cursor <cursor>', 'go on after an earlier page')
    .addHelpText('after', examples('npx longhaul templates list', 'npx longhaul templates list --name data --json'))
    .action((options: Shared & { name?: string; limit: number; cursor?: string }) =>
      act(options, async (invocation) => (await load()).listTemplates(invocation, options)),
    )
  withServer(templates.command('get'))
    .description('one version, with the log of its preparation')
    .argument('<template>')
    .addHelpText('after', examples('npx longhaul templates get data', 'npx longhaul templates get data@2'))
    .action((template: string, options: Shared) => act(options, async (invocation) => (await load()).getTemplate(invocation, template)))
  withServer(templates.command('delete'))
    .description('delete one version, or end its preparation')
    .argument('<template>', 'name@version, or an id')
    .addHelpText('after', examples('npx longhaul templates delete data@1'))
    .action((template: string, options: Shared) => act(options, async (invocation) => (await load()).deleteTemplate(invocation, template)))
}
