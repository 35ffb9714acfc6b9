/**
 * `npm run sandbox-root -- [package…] [--output file] [--suite name] [--mirror address]`: builds the root of sandboxes (`LONGHAUL_SANDBOX_ROOT`) from
 * Debian's packages, by mmdebstrap: what Debian cannot be without, what this server's Node needs, and the packages that are named, with nothing that they
 * only recommend.
 */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, statSync } from 'node:fs'
import { dirname, resolve } from 'node:path'
import { parseArgs } from 'node:util'

const usage = 'npm run sandbox-root -- [package…] [--output file] [--suite name] [--mirror address]'
/** The server's Node is shown inside, with the root's libraries; certificates are what every way out is checked against. */
const always = ['ca-certificates', 'libstdc++6']
const leftOut = ['doc/*', 'info/*', 'locale/*', 'man/*'].map((path) => `--dpkgopt=path-exclude=/usr/share/${path}`)

const { positionals: packages, values } = read()
const unknown = packages.find((name) => !/^[a-z0-9][a-z0-9.+-]+$/.test(name))
if (unknown !== undefined) end(2, `${JSON.stringify(unknown)} cannot be a package of Debian’s.\n${usage}`)
if (!['/usr/bin', '/bin'].some((folder) => existsSync(`${folder}/mmdebstrap`))) end(1, 'mmdebstrap is not installed: apt-get install mmdebstrap.')

const output = resolve(values.output ?? '.longhaul/sandbox-root.tar')
const making = `${output}.new`
mkdirSync(dirname(output), { recursive: true })
const { status } = spawnSync(
  'mmdebstrap',
  [
    `--mode=${process.getuid?.() === 0 ? 'root' : 'unshare'}`,
    '--variant=essential',
    '--format=tar',
    `--include=${[...always, ...packages].join(',')}`,
    ...leftOut,
    '--dpkgopt=path-include=/usr/share/doc/*/copyright',
    // Of the machine that builds it.
    '--customize-hook=rm -f "$1/etc/hostname" "$1/etc/resolv.conf"',
    values.suite ?? ownSuite(),
    making,
    ...(values.mirror === undefined ? [] : [values.mirror]),
  ],
  { stdio: 'inherit' },
)
if (status !== 0) {
  rmSync(making, { force: true })
  end(1, 'The root was not built; what mmdebstrap said last is why.')
}
renameSync(making, output)
process.stdout.write(`\n  ${output}: ${Math.round(statSync(output).size / 1e6)} MB\n  LONGHAUL_SANDBOX_ROOT=${output} npm start\n`)

function read() {
  try {
    return parseArgs({ allowPositionals: true, options: { output: { type: 'string' }, suite: { type: 'string' }, mirror: { type: 'string' } } })
  } catch (error) {
    return end(2, `${error instanceof Error ? error.message : error}\n${usage}`)
  }
}

/** This machine's own release, where it is Debian or made from it. */
function ownSuite(): string {
  const about = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : ''
  return /^VERSION_CODENAME="?([a-z]+)/m.exec(about)?.[1] ?? 'stable'
}

function end(code: number, message: string): never {
  process.stderr.write(`${message}\n`)
  process.exit(code)
}
