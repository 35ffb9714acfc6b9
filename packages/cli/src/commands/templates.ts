import { readFile } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { TemplateDetail } from '@longhaul/protocol'
import { exitCodes } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { Problem } from '../problem.ts'
import { type EgressOptions, envFrom, rulesFrom } from '../sandbox-options.ts'
import { printFields, printList } from '../show/records.ts'
import { ago, bytes } from '../show/values.ts'

type CreateOptions = EgressOptions & {
  from?: string
  image?: string
  npm?: string[]
  pip?: string[]
  run?: string[]
  file?: string[]
  env?: string[]
  timeout: number
  memory?: number
  disk?: number
  detach?: boolean
}

const lookEveryMs = 700
const nameOf = ({ name, version }: { name: string; version: number }) => `${name}@${version}`

export async function createTemplate(invocation: Invocation, name: string, options: CreateOptions): Promise<number> {
  const { from, image, npm, pip, run, file, env, timeout, memory, disk, detach } = options
  const rules = await rulesFrom(invocation, options)
  const limits = { ...(memory !== undefined && { memoryBytesMax: memory * 1_000_000 }), ...(disk !== undefined && { diskBytesMax: disk * 1_000_000 }) }
  const files = file && (await Promise.all(file.map((each) => fileFrom(invocation, each))))
  const client = await invocation.client()
  const made = await client.templates.create({
    name,
    ...(from !== undefined && { from }),
    ...(image !== undefined && { image }),
    ...((npm ?? pip) && { packages: { ...(npm && { npm }), ...(pip && { pip }) } }),
    ...(run && { commands: run }),
    ...(files && { files }),
    ...(env && { env: envFrom(env) }),
    ...(rules && { egress: { rules } }),
    ...(Object.keys(limits).length > 0 && { limits }),
    timeoutMs: timeout * 1_000,
  })
  if (detach) {
    if (invocation.isJson) invocation.printJson(made)
    else invocation.terminal.print(`  ${nameOf(made)} is being prepared. Look at it: npx longhaul templates get ${nameOf(made)}`)
    return exitCodes.done
  }
  return follow(invocation, made.id)
}

/** Until it has ended, or Ctrl-C: the preparation goes on then. */
async function follow(invocation: Invocation, templateId: string): Promise<number> {
  const client = await invocation.client()
  const { interrupted, stderr } = invocation.world
  let shown = ''
  for (;;) {
    const found = await client.templates.get({ templateId })
    if (!invocation.isJson) {
      // Once its beginning is not kept any more, there is no telling what of it was shown.
      const fresh = found.log.startsWith(shown) ? found.log.slice(shown.length) : `… the beginning is not kept …\n${found.log}`
      if (fresh !== '') stderr.write(fresh)
      shown = found.log
    }
    if (found.state !== 'preparing') return show(invocation, found)
    if (interrupted.aborted) {
      stderr.write(`It goes on. Look at it: npx longhaul templates get ${nameOf(found)}; end it: npx longhaul templates delete ${nameOf(found)}\n`)
      return exitCodes.done
    }
    await sleep(lookEveryMs, undefined, { signal: interrupted }).catch(() => {}) // Interrupted: told above, at the next round.
  }
}

function show(invocation: Invocation, template: TemplateDetail): number {
  const { id, state, image, stepsDone, stepCount, step, problem, createdAt, usedAt, useCount } = template
  if (invocation.isJson) invocation.printJson(template)
  else {
    printFields(invocation, [
      ['template', nameOf(template)],
      ['id', id],
      ['state', state],
      ['image', image],
      ['steps', `${stepsDone} of ${stepCount}${step === null ? '' : ` · ${step}`}`],
      ['problem', problem],
      ['size', state === 'ready' ? bytes(template.bytes) : null],
      ['made', ago(createdAt)],
      ['used', useCount === 0 ? 'never' : `${useCount} times, last ${ago(usedAt)}`],
    ])
    if (state === 'ready') invocation.terminal.print(`  npx longhaul sandboxes create --template ${template.name}`, '')
  }
  return state === 'failed' ? exitCodes.failed : exitCodes.done
}

export async function listTemplates(invocation: Invocation, { name, limit, cursor }: { name?: string; limit: number; cursor?: string }): Promise<number> {
  const list = await (await invocation.client()).templates.list({ limit, ...(name !== undefined && { name }), ...(cursor !== undefined && { cursor }) })
  if (invocation.isJson) invocation.printJson(list)
  else {
    const rows = list.items.map((each) => [
      nameOf(each),
      each.state,
      `${each.stepsDone}/${each.stepCount}`,
      each.state === 'ready' ? bytes(each.bytes) : null,
      each.useCount,
      ago(each.usedAt),
      each.problem?.split('\n')[0] ?? null,
    ])
    const columns = [
      { name: 'template', isWhole: true },
      { name: 'state' },
      { name: 'steps' },
      { name: 'size' },
      { name: 'uses', isNumber: true },
      { name: 'used' },
      { name: 'problem' },
    ]
    printList(invocation, columns, rows, ['No templates yet. Prepare one:', `npx longhaul templates create tools --run 'mkdir bin'`])
  }
  return exitCodes.done
}

export async function getTemplate(invocation: Invocation, templateId: string): Promise<number> {
  const found = await (await invocation.client()).templates.get({ templateId })
  if (!invocation.isJson) invocation.world.stderr.write(`${found.isLogCut ? '… the beginning is not kept …\n' : ''}${found.log}`)
  show(invocation, found)
  return exitCodes.done
}

export async function deleteTemplate(invocation: Invocation, templateId: string): Promise<number> {
  const deleted = await (await invocation.client()).templates.delete({ templateId })
  if (invocation.isJson) invocation.printJson(deleted)
  else invocation.terminal.print(`  Template ${nameOf(deleted)} is deleted. Sandboxes made from it stay.`)
  return exitCodes.done
}

async function fileFrom({ world }: Invocation, given: string): Promise<{ path: string; base64: string }> {
  const at = given.indexOf('=')
  const from = at < 0 ? given : given.slice(0, at)
  const content = await readFile(resolve(world.folder, from)).catch(() => {
    throw new Problem(
      'invalid',
      `The file ${from} cannot be read.`,
      'Name a file of this machine, and if you like its place in the workspace: --file a.txt=data/a.txt',
    )
  })
  return { path: at < 0 ? basename(from) : given.slice(at + 1), base64: content.toString('base64') }
}
