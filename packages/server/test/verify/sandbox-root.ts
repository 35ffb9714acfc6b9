/** A root built from Debian's packages, as its operator would, and a sandbox in it. It needs a mirror of Debian's, and some minutes. */
import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { silentLog } from '../../src/kernel/index.ts'
import { gapNames, openImages, openSandboxes } from '../../src/sandbox/index.ts'

type Tell = (fact: Record<string, unknown>) => void

const repository = resolve(import.meta.dirname, '../../../..')
const never = new AbortController().signal
/** What must come of each: the package that was named is there, and Node; what was not, and what is this machine's, is not. */
const expected: Record<string, string> = {
  'python3 -c "import sqlite3, ssl, json; print(6 * 7)"': '42',
  'node -p "6 * 7"': '42',
  'test -s /etc/ssl/certs/ca-certificates.crt && echo there': 'there',
  'id -un': 'sandbox',
  'ls -d /etc/hostname /etc/resolv.conf /usr/bin/apt /usr/bin/git /usr/share/man/* 2>/dev/null': '',
  'touch /usr/new /etc/new /new 2>/dev/null || echo no': 'no',
}

/** True when everything came of it; also where there is no mmdebstrap, which is said. */
export async function verifySandboxRoot(_: unknown, tell: Tell): Promise<boolean> {
  if (!existsSync('/usr/bin/mmdebstrap')) {
    tell({ skipped: 'mmdebstrap is not installed: apt-get install mmdebstrap' })
    return true
  }
  const folder = mkdtempSync(join(tmpdir(), 'longhaul-debian-'))
  try {
    const path = join(folder, 'root.tar')
    const startedMs = performance.now()
    const built = spawnSync(process.execPath, [join(repository, 'scripts/sandbox-root.ts'), 'python3', '--output', path], {
      stdio: ['ignore', 'ignore', 'inherit'],
    })
    tell({ built: built.status === 0, seconds: Math.round((performance.now() - startedMs) / 1_000), bytes: existsSync(path) ? statSync(path).size : 0 })
    return built.status === 0 && (await tryOut(folder, path, tell))
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}

async function tryOut(folder: string, path: string, tell: Tell): Promise<boolean> {
  const root = join(folder, 'sandboxes')
  let images: ReturnType<typeof openImages> | undefined
  const ownRoot = () => (images ??= openImages({ folder: join(root, '.images'), bytesMax: 4e9, log: silentLog })).holdRoot(path)
  const sandboxes = await openSandboxes({ driver: 'bwrap', root, log: silentLog, accept: gapNames, ownRoot })
  try {
    const { languages, root: name } = sandboxes.capabilities
    tell({ languages, root: name })
    const sandbox = await sandboxes.open('debian', { owner: { tenantId: 'verify' } })
    const wrong: unknown[] = []
    for (const [script, wanted] of Object.entries(expected)) {
      const { stdout, stderr } = await sandbox.exec({ script, timeoutMs: 60_000 }, { signal: never })
      if (stdout.trim() !== wanted) wrong.push({ script, wanted, stdout, stderr })
    }
    tell({ tried: Object.keys(expected).length, wrong })
    return wrong.length === 0 && languages.includes('python3')
  } finally {
    await sandboxes.stop()
  }
}
