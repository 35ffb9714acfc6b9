/** The public conformance suite of MCP against our client, each of its client scenarios: ten minutes on a machine with nothing else to do. It is fetched into a folder of its own: nothing of ours depends on it. */
import { spawnSync } from 'node:child_process'
import { mkdtempSync, readFileSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

/** The newest with the scenarios of 2026-07-28. */
const suite = '@modelcontextprotocol/conformance@0.2.0-alpha.12'
const bin = 'node_modules/@modelcontextprotocol/conformance/dist/index.js'
/** What does not pass, and why that is so. */
const expected: Record<string, string> = {
  'elicitation-sep1034-client-defaults': 'a person answers later: the first answer is `cancel`, and the call is made again',
  'auth/basic-cimd': 'a self-hosted server has no public address at which it could describe itself as a client; it registers',
  'auth/client-credentials-jwt': 'an extension that we do not offer: private_key_jwt in place of a secret',
  'auth/enterprise-managed-authorization': 'an extension that we do not offer: tokens of an employer’s identity provider',
  'auth/dpop': 'an extension that we do not offer: tokens bound to a key (SEP-1932)',
  'auth/dpop-nonce': 'an extension that we do not offer: tokens bound to a key (SEP-1932)',
  'auth/wif-jwt-bearer': 'an extension that we do not offer: tokens of a workload’s own identity',
  ...Object.fromEntries(
    ['no-prefetch', 'verify-digest', 'verify-size', 'verify-frontmatter'].map((name) => [
      `sep-2640-client-${name}`,
      'skills of MCP servers are not used, so there is nothing to judge',
    ]),
  ),
}

type Tell = (fact: Record<string, unknown>) => void

/** True when every scenario ends as expected, those included that are expected to fail or not to be judged. Ends early when the minutes are over, with what it has. */
export async function verifyMcpClient({ minutes }: { minutes: number }, tell: Tell): Promise<boolean> {
  const folder = mkdtempSync(join(tmpdir(), 'longhaul-mcp-conformance-'))
  const until = performance.now() + minutes * 60_000
  try {
    const run = (command: string, args: string[]) => spawnSync(command, args, { cwd: folder, encoding: 'utf8', timeout: 300_000 })
    const installed = run('npm', ['install', '--no-save', '--no-audit', '--no-fund', suite])
    if (installed.status !== 0) throw new Error(`The suite could not be fetched: ${installed.stderr.slice(-1_000)}`)
    const client = `${process.execPath} --conditions=longhaul-source ${join(import.meta.dirname, 'mcp-client.ts')}`
    let isFine = true
    for (const scenario of scenariosIn(run(process.execPath, [bin, 'list']).stdout)) {
      if (performance.now() > until) return (tell({ scenario, outcome: 'not reached' }), false)
      run(process.execPath, [bin, 'client', '--command', client, '--scenario', scenario, '--timeout', '60000', '-o', 'results'])
      const { checks, failed } = readResults(join(folder, 'results'))
      const why = expected[scenario]
      const outcome = failed.length > 0 ? 'failed' : checks > 0 ? 'passed' : 'not judged'
      const isExpected = (outcome === 'passed') === (why === undefined)
      isFine &&= isExpected
      tell({
        scenario,
        checks,
        outcome,
        isExpected,
        ...(failed.length > 0 && { failed }),
        ...(outcome !== 'passed' && why !== undefined && { why }),
      })
    }
    return isFine
  } finally {
    rmSync(folder, { recursive: true })
  }
}

const scenariosIn = (list: string): string[] =>
  (/Client scenarios[^\n]*\n(.*?)\n\n/s.exec(list)?.[1] ?? '').split('\n').flatMap((line) => /^ +- (\S+)/.exec(line)?.[1] ?? [])

/** Of the last scenario; what is there is taken away. */
function readResults(folder: string): { checks: number; failed: string[] } {
  const [found] = readdirSync(folder, { recursive: true, encoding: 'utf8' }).filter((name) => name.endsWith('checks.json'))
  const all = found === undefined ? [] : (JSON.parse(readFileSync(join(folder, found), 'utf8')) as { id: string; status: string }[]) // As the suite writes it.
  rmSync(folder, { recursive: true })
  const judged = all.filter(({ status }) => status !== 'INFO' && status !== 'SKIPPED')
  return { checks: judged.length, failed: judged.filter(({ status }) => status === 'FAILURE' || status === 'WARNING').map(({ id }) => id) }
}
