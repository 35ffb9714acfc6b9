/** What package managers ask for, on one server: a registry of npm, an index of Python's packages, a git repository over HTTP. Each has one thing. */
import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, normalize } from 'node:path'
import type { Serve } from './egress-world.ts'

export type PackageHosts = {
  serve: Serve
  /** The packages themselves, as their registries have them. */
  files: string[]
  /** What the registries send in the place of a file, while it says so. */
  instead: Buffer | undefined
  [Symbol.dispose](): void
}

const indexType = 'application/vnd.pypi.simple.v1+json'
const wheel = 'greeting-1.0-py3-none-any.whl'

export function openPackageHosts(): PackageHosts {
  const folder = mkdtempSync(join(tmpdir(), 'longhaul-packages-'))
  const run = (cwd: string, program: string, ...args: string[]) => execFileSync(program, args, { cwd, stdio: 'pipe' })
  const write = (path: string, text: string) => {
    mkdirSync(join(folder, path, '..'), { recursive: true })
    writeFileSync(join(folder, path), text)
  }

  write('npm/package/package.json', JSON.stringify({ name: 'greeting', version: '1.0.0', main: 'index.js' }))
  write('npm/package/index.js', "module.exports = 'hello from npm'\n")
  run(join(folder, 'npm'), 'tar', 'czf', 'greeting-1.0.0.tgz', 'package')
  const tarball = readFileSync(join(folder, 'npm/greeting-1.0.0.tgz'))

  write('wheel/greeting.py', "text = 'hello from pip'\n")
  write('wheel/greeting-1.0.dist-info/METADATA', 'Metadata-Version: 2.1\nName: greeting\nVersion: 1.0\n')
  write('wheel/greeting-1.0.dist-info/WHEEL', 'Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n')
  write(
    'wheel/greeting-1.0.dist-info/RECORD',
    'greeting.py,,\ngreeting-1.0.dist-info/METADATA,,\ngreeting-1.0.dist-info/WHEEL,,\ngreeting-1.0.dist-info/RECORD,,\n',
  )
  run(join(folder, 'wheel'), 'python3', '-m', 'zipfile', '-c', `../${wheel}`, 'greeting.py', 'greeting-1.0.dist-info')

  write('work/readme', 'hello from git\n')
  const git = (...args: string[]) => run(join(folder, 'work'), 'git', '-c', 'user.name=a', '-c', 'user.email=a@example.com', ...args)
  git('init', '--quiet', '--initial-branch=main')
  git('add', 'readme')
  git('commit', '--quiet', '-m', 'First')
  git('clone', '--quiet', '--bare', '.', '../repository.git')
  run(join(folder, 'repository.git'), 'git', 'update-server-info')

  const hosts: PackageHosts = {
    serve,
    files: [join(folder, wheel), join(folder, 'npm/greeting-1.0.0.tgz')],
    instead: undefined,
    [Symbol.dispose]: () => rmSync(folder, { recursive: true, force: true }),
  }
  return hosts

  function serve({ url, headers }: Parameters<Serve>[0], response: Parameters<Serve>[1]): void {
    const path = normalize(decodeURIComponent(url.split('?')[0] ?? ''))
    const host = headers.host ?? ''
    const json = (value: unknown) => void response.setHeader('content-type', 'application/json').end(JSON.stringify(value))
    const missing = () => void response.writeHead(404).end('no such thing\n')
    if (host.startsWith('npm.test')) {
      if (path === '/greeting/-/greeting-1.0.0.tgz') return void response.end(hosts.instead ?? tarball)
      const dist = { tarball: 'https://npm.test/greeting/-/greeting-1.0.0.tgz', integrity: `sha512-${createHash('sha512').update(tarball).digest('base64')}` }
      const version = { name: 'greeting', version: '1.0.0', main: 'index.js', dist }
      if (path === '/greeting/1.0.0') return json(version)
      return path === '/greeting' ? json({ name: 'greeting', 'dist-tags': { latest: '1.0.0' }, versions: { '1.0.0': version } }) : missing()
    }
    if (host.startsWith('pypi.test')) {
      const bytes = readFileSync(join(folder, wheel))
      if (path === `/files/${wheel}`) return void response.end(hosts.instead ?? bytes)
      if (path !== '/simple/greeting/') return missing()
      if (headers.accept?.includes(indexType)) {
        const files = [{ filename: wheel, url: `/files/${wheel}`, hashes: { sha256: createHash('sha256').update(bytes).digest('hex') } }]
        return void response.setHeader('content-type', indexType).end(JSON.stringify({ meta: { 'api-version': '1.0' }, name: 'greeting', files }))
      }
      return void response.setHeader('content-type', 'text/html').end(`<!doctype html><a href="https://pypi.test/files/${wheel}">${wheel}</a>`)
    }
    const file = join(folder, path)
    if (!host.startsWith('git.test') || !path.startsWith('/repository.git/') || !existsSync(file) || !statSync(file).isFile()) return missing()
    response.end(readFileSync(file))
  }
}

/** Where programs inside find these hosts. */
export const packageEnv = { npm_config_registry: 'https://npm.test/', PIP_INDEX_URL: 'https://pypi.test/simple' }
export const packageRules = ['npm.test', 'pypi.test', 'git.test'].map((host) => ({ host, methods: ['GET' as const, 'HEAD' as const] }))
