/** Prepares a template's workspace: in a sandbox like any other, with its steps one after the other, kept as an archive at the end. */
import type { FilesRequest } from '@longhaul/protocol'
import { monotonicMs, toFailure } from '../kernel/index.ts'
import type { Archives } from './archives.ts'
import type { Sandbox } from './driver.ts'
import { failure } from './failures.ts'
import { lacking } from './lacking.ts'

export type Steps = {
  packages?: { npm?: string[] | undefined; pip?: string[] | undefined } | undefined
  commands?: string[] | undefined
  env?: Record<string, string> | undefined
  timeoutMs: number
}

export type Step = {
  label: string
  run: { script: string } | { cmd: string; args: string[] }
  explain?: (log: string, root: Sandbox['root']) => string | undefined
}

/** Larger than the sandbox's own `/tmp`, and gone when the preparation is over. */
const temporary = '/workspace/.preparation'
const labelLengthMax = 200
const logCharactersMax = 200_000
const told = { lines: 12, characters: 1_500 }
const isAbsent = (log: string, program: RegExp) => program.test(log)

/** In their order. What programs keep for themselves while they install does not become part of the workspace. */
export function stepsOf({ packages, commands = [] }: Steps): Step[] {
  const { npm = [], pip = [] } = packages ?? {}
  return [
    ...(npm.length === 0
      ? []
      : [
          {
            label: `npm install ${npm.join(' ')}`,
            run: { cmd: 'npm', args: ['install', '--no-audit', '--no-fund', '--no-update-notifier', `--cache=${temporary}/npm`, '--', ...npm] },
            explain: (log: string, root: Sandbox['root']) => (isAbsent(log, /npm: not found|ENOENT.*npm|spawn npm/) ? lacking(root, 'npm') : undefined),
          },
        ]),
    ...(pip.length === 0
      ? []
      : [
          {
            label: `pip install ${pip.join(' ')}`,
            run: {
              cmd: 'python3',
              args: [
                '-m',
                'pip',
                'install',
                '--user',
                '--no-cache-dir',
                '--disable-pip-version-check',
                '--no-warn-script-location',
                '--progress-bar',
                'off',
                '--',
                ...pip,
              ],
            },
            explain: (log: string, root: Sandbox['root']) =>
              isAbsent(log, /No module named pip|python3: not found/) ? lacking(root, 'pip', 'python3-pip') : undefined,
          },
        ]),
    ...commands.map((script) => ({ label: (script.split('\n')[0] ?? '').slice(0, labelLengthMax), run: { script } })),
  ].map((step) => ({ ...step, label: step.label.slice(0, labelLengthMax) }))
}

export type Watch = {
  signal: AbortSignal
  /** A step begins; null after the last. */
  onStep(label: string | null, done: number): void
}

/** Keeps the end of what was written. */
export function createPreparationLog() {
  let text = ''
  let isCut = false
  return {
    add(piece: string) {
      text += piece
      if (text.length <= logCharactersMax) return
      text = text.slice(-logCharactersMax / 2).toWellFormed()
      isCut = true
    },
    read: () => ({ log: text, isLogCut: isCut }),
  }
}
export type PreparationLog = ReturnType<typeof createPreparationLog>

/** Throws a `StepFailure` that says which step failed, how, and what it wrote last. */
export async function runSteps(sandbox: Sandbox, { env, timeoutMs, ...rest }: Steps, log: PreparationLog, { signal, onStep }: Watch): Promise<void> {
  const steps = stepsOf({ ...rest, timeoutMs })
  const options = { signal, isKept: false, outputBytesMax: 16 * 1024 * 1024 }
  const variables = { ...env, TMPDIR: temporary, PIP_BREAK_SYSTEM_PACKAGES: '1' }
  const ours = async (script: string) => void (await sandbox.exec({ script, timeoutMs: 60_000 }, { signal }))
  await ours(`mkdir -p ${temporary}`)
  for (const [at, step] of steps.entries()) {
    onStep(step.label, at)
    log.add(`$ ${step.label}\n`)
    const from = monotonicMs()
    let written = ''
    const onOutput = (_: 'stdout' | 'stderr', text: string) => {
      log.add(text)
      written = (written + text).slice(-20_000)
    }
    const fail = (how: string) => {
      const last = written.trimEnd().split('\n').slice(-told.lines).join('\n').slice(-told.characters)
      return failure(
        'invalid',
        `Step ${at + 1} of ${steps.length} failed (${step.label}): ${step.explain?.(`${how}\n${written}`, sandbox.root) ?? how}${last === '' ? '' : `\n${last}`}`,
      )
    }
    const result = await sandbox.exec({ ...step.run, env: variables, timeoutMs }, { ...options, onOutput }).catch((error: unknown) => {
      if (signal.aborted) throw error
      throw fail(toFailure(error).message)
    })
    if (result.isTimedOut) throw fail(`it took longer than ${timeoutMs} ms.`)
    if (result.exitCode !== 0)
      throw fail(result.exitCode === null ? `it was ended by ${result.signal ?? 'a signal'}. ${result.stderr.trim()}` : `exit code ${result.exitCode}.`)
    log.add(`[${step.label}: ${((monotonicMs() - from) / 1_000).toFixed(1)} s]\n`)
  }
  onStep(null, steps.length)
  await ours(`rm -rf ${temporary}`)
}

/** What a workspace has before its first step: the workspace of another template, then files. */
export async function layOut(
  sandbox: Sandbox,
  archives: Archives,
  fromSnapshotId: string | null,
  files: Extract<FilesRequest, { action: 'write' }>['files'],
): Promise<void> {
  if (!sandbox.trees) throw failure('sandbox_unavailable', 'Templates need a driver that keeps archives: apt-get install bubblewrap.')
  if (fromSnapshotId !== null) await sandbox.trees.unpack('/workspace', await archives.open(fromSnapshotId))
  if (files.length > 0) await sandbox.files({ action: 'write', files })
}
