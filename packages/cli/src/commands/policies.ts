import { exitCodes } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { Problem } from '../problem.ts'
import { whoDecides } from '../show/approval-rule.ts'
import { printFields, printList } from '../show/records.ts'
import { ago } from '../show/values.ts'

/** A file's text, or with `-` standard input. */
async function textFrom({ world }: Invocation, given: string): Promise<string> {
  if (given === '-') return world.readStdin()
  const { readFile } = await import('node:fs/promises')
  const { resolve } = await import('node:path')
  return readFile(resolve(world.folder, given), 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new Problem('invalid', `${given} cannot be read: ${error.code}.`)
  })
}

export async function putPolicy(invocation: Invocation, name: string, file: string, { description }: { description?: string }): Promise<number> {
  const text = await textFrom(invocation, file)
  const policy = await (await invocation.client()).policies.put({ name, text, ...(description === undefined ? {} : { description }) })
  if (invocation.isJson) invocation.printJson(policy)
  else invocation.terminal.print(`  Policy ${policy.name}, version ${policy.version}, is in force.`)
  return exitCodes.done
}

export async function listPolicies(invocation: Invocation): Promise<number> {
  const list = await (await invocation.client()).policies.list()
  if (invocation.isJson) invocation.printJson(list)
  else {
    const rows = list.items.map((policy) => [policy.name, policy.version, ago(policy.createdAt), policy.createdBy, policy.description])
    printList(invocation, [{ name: 'policy', isWhole: true }, { name: 'version' }, { name: 'since' }, { name: 'by' }, { name: 'description' }], rows, [
      'No policies: permissions alone decide.',
    ])
  }
  return exitCodes.done
}

export async function getPolicy(invocation: Invocation, name: string): Promise<number> {
  const { items } = await (await invocation.client()).policies.get({ name })
  if (invocation.isJson) invocation.printJson({ items })
  else
    for (const policy of items)
      printFields(invocation, [
        ['version', `${policy.version}${policy.isActive ? ', in force' : ''}`],
        ['by', `${policy.createdBy}, ${ago(policy.createdAt)}`],
        ['description', policy.description],
        ['text', policy.text],
      ])
  return exitCodes.done
}

export async function deletePolicy(invocation: Invocation, name: string): Promise<number> {
  const policy = await (await invocation.client()).policies.delete({ name })
  if (invocation.isJson) invocation.printJson(policy)
  else invocation.terminal.print(`  Policy ${policy.name} is out of force.`)
  return exitCodes.done
}

export type TestOptions = { resource?: string; namespace?: string; context?: string; draft?: string; role?: string }

/** Exits with `forbidden` when the answer is no, so that a script can rely on it. */
export async function testPolicies(invocation: Invocation, action: string, { resource, namespace, context, draft, role }: TestOptions): Promise<number> {
  const parsed = context === undefined ? {} : parseContext(context)
  const verdict = await (
    await invocation.client()
  ).policies.test({
    action,
    context: parsed,
    ...(resource === undefined ? {} : { resource }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(draft === undefined ? {} : { draft: { name: 'draft', text: await textFrom(invocation, draft) } }),
    ...(role === undefined ? {} : { principal: { id: 'nobody', name: 'nobody', role } }),
  })
  if (invocation.isJson) invocation.printJson(verdict)
  else
    printFields(invocation, [
      ['answer', verdict.isAllowed ? 'allowed' : verdict.mayBeApproved ? 'a person is asked' : 'forbidden'],
      ['needs', verdict.mayBeApproved && whoDecides(verdict)],
      ['by', verdict.policies.join(', ')],
      ['errors', verdict.errors.join('\n')],
    ])
  return verdict.isAllowed ? exitCodes.done : 4 // `forbidden`; the catalogue itself is not loaded for this.
}

function parseContext(text: string): Record<string, never> {
  try {
    return JSON.parse(text) // The server says what is wrong with anything but an object.
  } catch (error) {
    throw new Problem('invalid', `--context is not JSON: ${error instanceof Error ? error.message : error}`)
  }
}
