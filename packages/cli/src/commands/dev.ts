/** While an author writes: every change of the folder is live a moment later, and what is typed is asked. */
import { randomUUID } from 'node:crypto'
import { watch } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline/promises'
import { collect } from '../code/collect.ts'
import { exitCodes } from '../exit-codes.ts'
import type { FollowOptions } from '../follow.ts'
import type { Invocation } from '../invocation.ts'
import { Problem } from '../problem.ts'
import { printable } from '../show/text.ts'
import { duration } from '../show/values.ts'
import { ask } from './ask.ts'
import { upload } from './deploy.ts'

/** Editors write a file in several goes. */
const quietMs = 40

export async function dev(invocation: Invocation, given: string, options: FollowOptions & { agent?: string | undefined }): Promise<number> {
  const { terminal, world, isJson, printJson } = invocation
  const folder = resolve(world.folder, given)
  const { agent } = await collect(folder, options)
  let live: string | undefined

  async function deployNow(): Promise<void> {
    const from = performance.now()
    try {
      const code = await collect(folder, options)
      const version = await upload(invocation, code, { expectsMore: true })
      const took = duration(performance.now() - from)
      if (version.status === 'broken') return tell('broken', version.problem ?? '', { version: version.version })
      if (version.version === live) return
      live = version.version
      await (await invocation.client()).deployments.create({ agent, version: version.version, guard: null, reason: 'longhaul dev' })
      tell('live', `${version.version}, ${took}`, { version: version.version, durationMs: Math.round(performance.now() - from) })
    } catch (error) {
      if (world.interrupted.aborted) return
      tell('not deployed', error instanceof Problem ? [error.message, ...error.remedy].join('\n') : error instanceof Error ? error.message : String(error))
    }
  }
  function tell(state: 'live' | 'broken' | 'not deployed', text: string, facts: object = {}): void {
    if (isJson) return printJson({ type: 'dev', agent, state, text, ...facts })
    const [first = '', ...more] = printable(text).split('\n')
    terminal.print(
      `  ${terminal.paint(state === 'live' ? 'green' : 'red', state === 'live' ? '●' : '✗')} ${agent} ${state}: ${first}`,
      ...more.map((line) => `    ${line}`),
    )
  }

  await deployNow()
  if (!isJson) terminal.print('', `  Every change in ${given} is deployed. Type a question to ask ${agent}; Ctrl-C ends.`, '')
  const asking = options.isQuiet ? Promise.resolve() : askWhatIsTyped(invocation, agent, options)
  await Promise.all([watchFolder(folder, world.interrupted, deployNow), asking])
  return exitCodes.done
}

/** Calls `onChange` after changes, once for those that come together, never twice at a time. Returns when it is aborted. */
async function watchFolder(folder: string, signal: AbortSignal, onChange: () => Promise<void>): Promise<void> {
  let timer: NodeJS.Timeout | undefined
  let running: Promise<void> = Promise.resolve()
  try {
    for await (const _ of watch(join(folder), { recursive: true, signal })) {
      clearTimeout(timer)
      timer = setTimeout(() => void (running = running.then(onChange)), quietMs)
    }
  } catch (error) {
    if (!signal.aborted) throw error
  } finally {
    clearTimeout(timer)
    await running
  }
}

async function askWhatIsTyped(invocation: Invocation, agent: string, options: FollowOptions): Promise<void> {
  const { world } = invocation
  if (!world.stdin) return
  const session = `dev-${randomUUID()}`
  const lines = createInterface({ input: world.stdin, signal: world.interrupted, terminal: false })
  try {
    for await (const line of lines) {
      if (line.trim()) await ask(invocation, agent, [line], { ...options, session })
    }
  } catch (error) {
    if (!world.interrupted.aborted) throw error
  } finally {
    lines.close()
  }
}
