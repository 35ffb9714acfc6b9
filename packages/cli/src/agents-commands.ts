/** Agents: to write, to deploy, their versions. */
import type { Command } from 'commander'
import type { AddOptions } from './commands/connections.ts'
import type { DeployOptions, GiveOptions } from './commands/deploy.ts'
import {
  type Act,
  type Shared,
  type Shown,
  collect,
  duration,
  examples,
  ratio,
  wholeNumber,
  withAnswer,
  withEdit,
  withServer,
  followOptions,
} from './options.ts'
import { templates } from './templates.ts'

export function agentsCommands(program: Command, act: Act): void {
  const agents = program
    .command('agents')
    .description('see which agents there are and what they can do')
    .helpCommand(false)
    .addHelpText('after', examples('npx longhaul agents list', 'npx longhaul agents get analyst'))
  const load = () => import('./commands/agents.ts')
  withServer(agents.command('list'))
    .description('all agents')
    .addHelpText('after', examples('npx longhaul agents list'))
    .action((options: Shared) => act(options, async (invocation) => (await load()).listAgents(invocation)))
  withServer(agents.command('get'))
    .description('one agent: version, tools, questions to try')
    .argument('<agent>')
    .addHelpText('after', examples('npx longhaul agents get analyst'))
    .action((name: string, options: Shared) => act(options, async (invocation) => (await load()).getAgent(invocation, name)))
  versionCommands(agents, act)
}

export function authoringCommands(program: Command, act: Act): void {
  program
    .command('init')
    .description('make a folder with an agent to start from')
    .argument('<folder>', 'its last part is the agent’s name')
    .option('-t, --template <name>', Object.keys(templates).join(', '), 'tools')
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      `
Templates:
${Object.entries(templates)
  .map(([name, what]) => `  ${name.padEnd(10)}${what}`)
  .join('\n')}
${examples('npx longhaul init my-agent', 'npx longhaul init agents/orders --template durable')}`,
    )
    .action((folder: string, options: Shared & { template: string }) =>
      act(options, async (invocation) => (await import('./commands/init.ts')).init(invocation, folder, options)),
    )
  withAnswer(withServer(program.command('dev')))
    .description('deploy a folder on every change, and ask it what you type')
    .argument('<folder>', 'the agent’s folder')
    .option('--agent <name>', 'the agent’s name, if not the folder’s')
    .addHelpText('after', examples('npx longhaul dev my-agent', 'npx longhaul dev my-agent --quiet --json'))
    .action((folder: string, options: Shown & { agent?: string }) =>
      act(
        options,
        async (invocation) => (await import('./commands/dev.ts')).dev(invocation, folder, { ...followOptions(options), agent: options.agent }),
        'graceful',
      ),
    )
  withGuard(withServer(program.command('deploy')))
    .description('upload an agent’s folder, see that it loads, give it to new runs')
    .argument('<folder>', 'the agent’s folder')
    .option('--agent <name>', 'the agent’s name, if not the folder’s')
    .option('--no-promote', 'only upload and load it; no run gets it')
    .option('--preview [name]', 'only give it a name that runs can be started on; in CI, by default, the branch’s')
    .option('--keep-for <time>', 'how long the preview is kept, such as 2d (default: 14d)', duration)
    .option('--no-replay', 'do not try the code on runs that are under way')
    .option('--report', 'tell GitHub or GitLab about the commit; in their CI')
    .addHelpText(
      'after',
      examples(
        'npx longhaul deploy my-agent',
        'npx longhaul deploy my-agent --canary 10',
        'npx longhaul deploy my-agent --preview new-words',
        'npx longhaul deploy my-agent --no-promote --json | jq -r .version.version',
      ) +
        `
Code that does not load is not deployed. Runs that have begun stay on their version to their end; the plan says which,
and where they would diverge in the new code. If package.json
names packages, the code is bundled with them; @longhaul/sdk and zod are the server's.`,
    )
    .action((folder: string, options: Shared & DeployOptions) =>
      act(options, async (invocation) => (await import('./commands/deploy.ts')).deploy(invocation, folder, options)),
    )
}

export function workflowCommand(program: Command, act: Act): void {
  program
    .command('workflow')
    .description('write the file that has GitHub or GitLab deploy an agent on every push')
    .argument('<forge>', 'github or gitlab')
    .argument('<folder>', 'the agent’s folder, from the top of the repository')
    .option('--agent <name>', 'the agent’s name, if not the folder’s')
    .option('--json', 'print JSON')
    .addHelpText('after', examples('npx longhaul workflow github agents/orders'))
    .action((forge: string, folder: string, options: Shared & { agent?: string }) =>
      act(options, async (invocation) => (await import('./commands/workflow.ts')).writeWorkflow(invocation, forge, folder, options)),
    )
}

export function connectionCommands(program: Command, act: Act): void {
  program
    .command('connections')
    .description('where the tools of an agent’s folder come from')
    .helpCommand(false)
    .addHelpText('after', examples('npx longhaul connections add my-agent shop --openapi https://shop.example.com/openapi.json'))
    .command('add')
    .description('make an API’s operations tools, by its OpenAPI document')
    .argument('<folder>', 'the agent’s folder')
    .argument('<name>', 'the connection’s: its tools are called <name>__<operation>')
    .requiredOption('--openapi <document>', 'OpenAPI 3 in JSON or YAML: a file, or its address')
    .option('--api-url <url>', 'where the API is, if the document does not say, or says something else')
    .option('--secret <name>', 'the secret that is sent along, or the OAuth client’s, if it is not to be called like the connection')
    .option('--auth <scheme>', 'how to sign in, by the document’s name for it, if it is not to be the first that it asks for')
    .option('--client-id <id>', 'of the client that is registered with the API’s OAuth authority')
    .option('--flow <flow>', 'how OAuth’s token is had: client-credentials, authorization-code (a person allows it), or token (a secret)')
    .option('--only <operation>', 'only this one; may be given several times', collect)
    .option('--json', 'print JSON')
    .addHelpText(
      'after',
      examples(
        'npx longhaul connections add my-agent shop --openapi https://shop.example.com/openapi.json',
        'npx longhaul connections add my-agent crm --openapi crm.yaml --only findCustomer --only getOrder',
        'npx longhaul connections add my-agent crm --openapi crm.yaml --client-id 3f2a',
      ) +
        `
Writes two files to agent/connections/ of the folder, and says which credential the API asks for. The server keeps it: it
is never in the folder.`,
    )
    .action((folder: string, name: string, options: Shared & AddOptions) =>
      act(options, async (invocation) => (await import('./commands/connections.ts')).addConnection(invocation, folder, name, options)),
    )
}

export function previewCommands(program: Command, act: Act): void {
  const previews = program
    .command('previews')
    .description('versions that runs are started on by name, beside the live one')
    .helpCommand(false)
    .addHelpText('after', examples('npx longhaul previews list analyst', 'npx longhaul ask analyst --preview new-words "Top 5 customers?"'))
  const load = () => import('./commands/previews.ts')
  withServer(previews.command('list'))
    .description('previews of an agent')
    .argument('<agent>')
    .option('--limit <n>', 'how many', wholeNumber(1, 200), 50)
    .option('--cursor <cursor>', 'go on after an earlier page')
    .addHelpText('after', examples('npx longhaul previews list analyst'))
    .action((agent: string, options: Shared & { limit: number; cursor?: string }) =>
      act(options, async (invocation) => (await load()).listPreviews(invocation, agent, options)),
    )
  withEdit(previews.command('set'))
    .description('give a version a name, or move the name to another version')
    .argument('<agent>')
    .argument('<name>', 'lower-case letters, digits and hyphens')
    .argument('<version>')
    .option('--branch <name>', 'where the code comes from')
    .option('--commit <digits>', 'where the code comes from')
    .option('--keep-for <time>', 'how long it is kept, such as 2d (default: 14d)', duration)
    .addHelpText('after', examples('npx longhaul previews set analyst new-words 3f2a9c01b4de'))
    .action(
      (agent: string, name: string, version: string, { branch, commit, keepFor, ...shared }: Shared & { branch?: string; commit?: string; keepFor?: number }) =>
        act(shared, async (invocation) =>
          (await load()).setPreview(invocation, agent, name, version, {
            keepFor,
            ...(branch !== undefined && { branch }),
            ...(commit !== undefined && { commit }),
          }),
        ),
    )
  withEdit(previews.command('delete'))
    .description('forget a preview; its version and its runs stay')
    .argument('<agent>')
    .argument('<name>')
    .addHelpText('after', examples('npx longhaul previews delete analyst new-words'))
    .action((agent: string, name: string, options: Shared) => act(options, async (invocation) => (await load()).deletePreview(invocation, agent, name)))
}

export function evaluationCommands(program: Command, act: Act): void {
  const evaluations = program
    .command('evaluations')
    .description('what evaluations found, version by version')
    .helpCommand(false)
    .addHelpText('after', examples('npx longhaul eval examples/analyst --record', 'npx longhaul evaluations list analyst'))
  withServer(evaluations.command('list'))
    .description('evaluations of an agent, newest first')
    .argument('<agent>')
    .option('--suite <name>', 'only of this suite')
    .option('--agent-version <version>', 'only of this version')
    .option('--limit <n>', 'how many', wholeNumber(1, 200), 20)
    .option('--cursor <cursor>', 'go on after an earlier page')
    .addHelpText('after', examples('npx longhaul evaluations list analyst --suite analyst'))
    .action((agent: string, options: Shared & { limit: number; cursor?: string; suite?: string; agentVersion?: string }) =>
      act(options, async (invocation) => (await import('./commands/evaluations.ts')).listEvaluations(invocation, agent, options)),
    )
}

function versionCommands(agents: Command, act: Act): void {
  const load = () => import('./commands/versions.ts')
  withServer(agents.command('versions'))
    .description('versions of an agent: which are live, how many runs each still has')
    .argument('<agent>')
    .option('--limit <n>', 'how many', wholeNumber(1, 200), 20)
    .addHelpText('after', examples('npx longhaul agents versions analyst'))
    .action((agent: string, options: Shared & { limit: number }) => act(options, async (invocation) => (await load()).listVersions(invocation, agent, options)))
  withServer(agents.command('diff'))
    .description('which files of the code changed from one version to another')
    .argument('<agent>')
    .argument('<from>')
    .argument('<to>')
    .addHelpText(
      'after',
      examples('npx longhaul agents diff analyst 3f2a9c01b4de 90aa11c2d3e4', 'npx longhaul agents diff analyst 3f2a9c01b4de 90aa11c2d3e4 --json'),
    )
    .action((agent: string, from: string, to: string, options: Shared) =>
      act(options, async (invocation) => (await load()).diffVersions(invocation, agent, { from, to })),
    )
  withServer(agents.command('deployments'))
    .description('what was deployed when, by whom, and how it ended')
    .argument('<agent>')
    .option('--limit <n>', 'how many', wholeNumber(1, 200), 20)
    .option('--cursor <cursor>', 'go on after an earlier page')
    .addHelpText('after', examples('npx longhaul agents deployments analyst'))
    .action((agent: string, options: Shared & { limit: number; cursor?: string }) =>
      act(options, async (invocation) => (await load()).listDeployments(invocation, agent, options)),
    )
  withGuard(withServer(agents.command('promote')))
    .description('give a version to new runs: to all, or to a share of them')
    .argument('<agent>')
    .argument('<version>')
    .addHelpText('after', examples('npx longhaul agents promote analyst 3f2a9c01b4de', 'npx longhaul agents promote analyst 3f2a9c01b4de --canary 5'))
    .action((agent: string, version: string, options: Shared & GiveOptions) =>
      act(options, async (invocation) => (await load()).promote(invocation, agent, version, options)),
    )
  withServer(agents.command('rollback'))
    .description('take back the canary, or else the live version')
    .argument('<agent>')
    .option('--reason <text>', 'kept with the deployment')
    .addHelpText('after', examples('npx longhaul agents rollback analyst --reason "answers in the wrong currency"'))
    .action((agent: string, options: Shared & { reason?: string }) => act(options, async (invocation) => (await load()).rollBack(invocation, agent, options)))
}

const withGuard = (command: Command): Command =>
  command
    .option('--canary <percent>', 'only for this share of new runs; a session stays with what it gets', wholeNumber(1, 99))
    .option('--canary-subject <id>', 'who always gets the canary: a session, or the id of a person or key; may be given several times', collect)
    .option('--canary-except <id>', 'who never gets it; may be given several times', collect)
    .option('--no-guard', 'never take it back by itself')
    .option('--window <minutes>', 'how long it is watched', wholeNumber(1, 10_080), 60)
    .option('--failures <percent>', 'how many more of its runs may fail than of the version before', wholeNumber(0, 100), 10)
    .option('--score-drop <percent>', 'how many fewer cases of an evaluation may pass than with the version before', wholeNumber(0, 100))
    .option('--duration-ratio <times>', 'how many times the median duration of the version before its own may be, from 20 runs of each on', ratio)
    .option('--cost-ratio <times>', 'the same of the mean cost', ratio)
    .option('--reason <text>', 'kept with the deployment')
