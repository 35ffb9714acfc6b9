/** Files that have GitHub or GitLab deploy an agent on every push. */
import { existsSync } from 'node:fs'
import { mkdir, writeFile } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { Name } from '@longhaul/protocol'
import { exitCodes } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { Problem } from '../problem.ts'
import { printFields } from '../show/records.ts'

export const forges = ['github', 'gitlab'] as const
export type Forge = (typeof forges)[number]

const github = (
  agent: string,
  folder: string,
): string => `# A pull request gets a preview, a push to main goes live as a canary that is taken back if it fares worse.
# Needs the variable LONGHAUL_URL and the secret LONGHAUL_API_KEY: npx longhaul keys create ci --permission agents:deploy --permission agents:read --permission runs:write --permission runs:read
name: ${agent}
on:
  push:
    branches: [main]
    paths: ['${folder}/**']
  pull_request:
    paths: ['${folder}/**']
permissions:
  contents: read
  statuses: write
concurrency:
  group: ${agent}-\${{ github.ref }}
jobs:
  deploy:
    runs-on: ubuntu-latest
    timeout-minutes: 15
    env:
      LONGHAUL_URL: \${{ vars.LONGHAUL_URL }}
      LONGHAUL_API_KEY: \${{ secrets.LONGHAUL_API_KEY }}
      HEAD_SHA: \${{ github.event.pull_request.head.sha || github.sha }}
      GITHUB_TOKEN: \${{ github.token }}
    steps:
      - uses: actions/checkout@v4
      - uses: actions/setup-node@v4
        with:
          node-version: 24
          cache: npm
      - run: npm ci
      - name: preview
        if: github.event_name == 'pull_request'
        run: npx longhaul deploy ${folder} --agent ${agent} --preview --report
      - name: canary
        if: github.event_name == 'push'
        run: npx longhaul deploy ${folder} --agent ${agent} --canary 10 --report
`

const gitlab = (
  agent: string,
  folder: string,
): string => `# A merge request gets a preview, a push to the default branch goes live as a canary that is taken back if it fares worse.
# Needs the variables LONGHAUL_URL, LONGHAUL_API_KEY (npx longhaul keys create ci --permission agents:deploy --permission agents:read --permission runs:write --permission runs:read)
# and, for the status beside the commit, GITLAB_TOKEN with the scope api. Include it from .gitlab-ci.yml.
.${agent}:
  image: node:24
  before_script:
    - npm ci
${agent} preview:
  extends: .${agent}
  rules:
    - if: $CI_PIPELINE_SOURCE == "merge_request_event"
      changes: ['${folder}/**/*']
  script:
    - npx longhaul deploy ${folder} --agent ${agent} --preview --report
${agent} canary:
  extends: .${agent}
  rules:
    - if: $CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH
      changes: ['${folder}/**/*']
  script:
    - npx longhaul deploy ${folder} --agent ${agent} --canary 10 --report
`

export async function writeWorkflow(invocation: Invocation, forge: string, given: string, { agent: named }: { agent?: string | undefined }): Promise<number> {
  const { isJson, printJson, world } = invocation
  if (forge !== 'github' && forge !== 'gitlab')
    throw new Problem('invalid', `"${forge}" is not among what workflows are made for.`, `There are: ${forges.join(', ')}`)
  const folder = given.replace(/\/+$/, '')
  const agent = named ?? basename(resolve(world.folder, folder))
  if (!Name.safeParse(agent).success)
    throw new Problem('invalid', `"${agent}" cannot name an agent: use lower-case letters, digits and hyphens.`, 'Give a name with --agent.')
  if (!/^[\w.-]+(\/[\w.-]+)*$/.test(folder) || folder.split('/').includes('..'))
    throw new Problem(
      'invalid',
      `${given} is not a plain path within this repository.`,
      'Call this at the top of the repository, with a path such as agents/orders.',
    )
  if (!existsSync(join(resolve(world.folder, folder), 'agent')))
    throw new Problem('not_found', `${given} holds no agent: there is no agent/agent.ts in it.`, `npx longhaul init ${given}`)
  const file = forge === 'github' ? `.github/workflows/${agent}.yml` : `.gitlab/${agent}.yml`
  const path = resolve(world.folder, file)
  if (existsSync(path)) throw new Problem('conflict', `${file} is there already.`, 'Remove it first; nothing was written.')
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, (forge === 'github' ? github : gitlab)(agent, folder))
  if (isJson) printJson({ agent, forge, file })
  else
    printFields(invocation, [
      ['made', file],
      [
        'needs',
        forge === 'github' ? 'the variable LONGHAUL_URL and the secret LONGHAUL_API_KEY' : 'the variables LONGHAUL_URL, LONGHAUL_API_KEY and GITLAB_TOKEN',
      ],
      ['key', 'npx longhaul keys create ci --permission agents:deploy --permission agents:read --permission runs:write --permission runs:read'],
      ...(forge === 'gitlab' ? [['include', `include: ['/.gitlab/${agent}.yml'] in .gitlab-ci.yml`] as [string, string]] : []),
    ])
  return exitCodes.done
}
