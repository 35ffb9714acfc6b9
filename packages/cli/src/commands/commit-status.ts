/** Tells GitHub or GitLab what became of a commit, so that its page shows it beside the commit with a link. */
import type { Invocation } from '../invocation.ts'
import { Problem } from '../problem.ts'

/** Where this process builds, as the forge's runner says in the environment. */
export type Build = {
  forge: 'github' | 'gitlab'
  branch: string | undefined
  commit: string
  /** Where a status of the commit is put. */
  statusUrl: string
  headers: Record<string, string>
}

/**
 * Undefined outside of GitHub Actions and GitLab CI. The variables are those of
 * https://docs.github.com/actions/reference/variables-reference and https://docs.gitlab.com/ci/variables/predefined_variables/.
 */
export function findBuild(env: Record<string, string | undefined>): Build | undefined {
  if (env['GITHUB_ACTIONS'] === 'true') {
    const { GITHUB_API_URL: api = 'https://api.github.com', GITHUB_REPOSITORY: repository, GITHUB_TOKEN: token } = env
    // A pull request is built as a merge that nobody sees; the status belongs to the commit that was pushed.
    const commit = env['HEAD_SHA'] || env['GITHUB_SHA']
    if (!repository || !commit) return undefined
    return {
      forge: 'github',
      branch: env['GITHUB_HEAD_REF'] || env['GITHUB_REF_NAME'],
      commit,
      statusUrl: `${api}/repos/${repository}/statuses/${commit}`,
      headers: { accept: 'application/vnd.github+json', ...(token && { authorization: `Bearer ${token}` }) },
    }
  }
  if (env['GITLAB_CI'] === 'true') {
    const { CI_API_V4_URL: api, CI_PROJECT_ID: project, CI_COMMIT_SHA: commit, GITLAB_TOKEN: token } = env
    if (!api || !project || !commit) return undefined
    return {
      forge: 'gitlab',
      branch: env['CI_COMMIT_REF_NAME'],
      commit,
      statusUrl: `${api}/projects/${encodeURIComponent(project)}/statuses/${commit}`,
      headers: token ? { 'private-token': token } : {},
    }
  }
  return undefined
}

/** The branch as a name: `feature/New_words` is `feature-new-words`. */
export const nameOfBranch = (branch: string): string =>
  branch
    .toLowerCase()
    .replace(/[^a-z0-9]+/g, '-')
    .slice(0, 63)
    .replace(/^-+|-+$/g, '')

export type Status = { state: 'success' | 'failure'; agent: string; description: string; link?: string | undefined }

/** Puts the status on the commit. The deployment stands whether or not the forge takes it, so a refusal is only said. */
export async function reportStatus({ world, terminal, isJson }: Invocation, build: Build, { state, agent, description, link }: Status): Promise<void> {
  const context = `longhaul/${agent}`
  const shown = description.slice(0, 140) // What GitHub takes.
  const body =
    build.forge === 'github'
      ? { state, context, description: shown, ...(link !== undefined && { target_url: link }) }
      : { state: state === 'success' ? 'success' : 'failed', name: context, description: shown, ...(link !== undefined && { target_url: link }) }
  const problem = await fetch(build.statusUrl, {
    method: 'POST',
    headers: { ...build.headers, 'content-type': 'application/json', 'user-agent': 'longhaul' },
    body: JSON.stringify(body),
    signal: AbortSignal.any([world.interrupted, AbortSignal.timeout(20_000)]),
  }).then(
    (response) => (response.ok ? undefined : `${response.status} ${response.statusText}`),
    (error: unknown) => (error instanceof Error ? error.message : String(error)),
  )
  if (problem !== undefined) world.stderr.write(`The commit's status was not taken by ${build.forge}: ${problem}${remedyOf(build)}\n`)
  else if (!isJson) terminal.print(`  ${build.forge} shows the status of ${build.commit.slice(0, 9)}.`)
}

const remedyOf = ({ forge, headers }: Build): string =>
  'authorization' in headers || 'private-token' in headers ? '' : `. ${forge === 'github' ? 'GITHUB_TOKEN' : 'GITLAB_TOKEN'} is not set.`

export function requireBuild(env: Record<string, string | undefined>): Build {
  const build = findBuild(env)
  if (build) return build
  throw new Problem('invalid', '--report tells a forge about a commit, and this is neither GitHub Actions nor GitLab CI.', 'Leave --report away.')
}
