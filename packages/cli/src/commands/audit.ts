import { type AuditHead, AuditEntry, AuditHead as AuditHeadSchema, auditHeadText, auditOutcomes, checkChain, toOcsf } from '@longhaul/protocol'
import type { Client } from '@longhaul/sdk/client'
import { exitCodes } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { Problem } from '../problem.ts'
import { printFields, printList } from '../show/records.ts'
import { ago } from '../show/values.ts'

export type ListOptions = { limit: number } & Partial<Record<'cursor' | 'action' | 'who' | 'outcome' | 'from' | 'to', string>>

export async function listAudit(invocation: Invocation, { outcome, ...rest }: ListOptions): Promise<number> {
  const known = outcome === undefined ? undefined : auditOutcomes.find((each) => each === outcome)
  if (outcome !== undefined && !known) throw new Problem('invalid', `There is no outcome "${outcome}".`, `Outcomes: ${auditOutcomes.join(', ')}`)
  const page = await (await invocation.client()).audit.list({ ...rest, ...(known ? { outcome: known } : {}) })
  if (invocation.isJson) invocation.printJson(page)
  else {
    const rows = page.items.map((entry) => [
      entry.seq,
      ago(entry.at),
      entry.who.name,
      entry.action,
      entry.target ?? '',
      entry.outcome,
      JSON.stringify(entry.detail),
    ])
    printList(
      invocation,
      [{ name: 'no' }, { name: 'when' }, { name: 'who' }, { name: 'did', isWhole: true }, { name: 'to' }, { name: 'outcome' }, { name: 'detail' }],
      rows,
      ['Nothing.'],
    )
    if (page.next !== null) invocation.terminal.print(`  More: npx longhaul audit list --cursor ${page.next}`, '')
  }
  return exitCodes.done
}

/** One entry a line, after a line that says whose; or one event a line, each of which says so itself. */
export async function exportAudit(invocation: Invocation, { after, ocsf = false }: { after: number; ocsf?: boolean }): Promise<number> {
  const client = await invocation.client()
  let isFirst = true
  for await (const { tenantId, items } of pages(client, after)) {
    if (isFirst && !ocsf) invocation.printJson({ type: 'audit', tenantId, after })
    isFirst = false
    for (const entry of items) invocation.printJson(ocsf ? toOcsf(entry, tenantId) : entry)
  }
  return exitCodes.done
}

async function* pages(client: Client, after: number) {
  for (let from: number | null = after; from !== null;) {
    const page: Awaited<ReturnType<Client['audit']['export']>> = await client.audit.export({ after: from })
    yield page
    from = page.next
  }
}

export async function showHead(invocation: Invocation): Promise<number> {
  invocation.printJson(await (await invocation.client()).audit.head()) // For a file: there is one form.
  return exitCodes.done
}

export type VerifyOptions = { head?: string; file?: string }

/** By the server over its database, or with a file of `audit export` here and without any server. */
export async function verifyAudit(invocation: Invocation, { head: headFile, file }: VerifyOptions): Promise<number> {
  const head = headFile === undefined ? undefined : parse(AuditHeadSchema, await read(invocation, headFile), headFile)
  const verdict = file === undefined ? await (await invocation.client()).audit.verify(head ? { head } : {}) : await verifyFile(invocation, file, head)
  if (invocation.isJson) invocation.printJson(verdict)
  else
    printFields(invocation, [
      ['chain', verdict.isIntact ? 'intact' : 'broken'],
      ['entries', String(verdict.entryCount)],
      ['problem', verdict.problem],
    ])
  return verdict.isIntact ? exitCodes.done : 1
}

async function verifyFile(invocation: Invocation, file: string, head: AuditHead | undefined) {
  const { createHash, createPublicKey, verify } = await import('node:crypto')
  const [first = '', ...lines] = (await read(invocation, file)).trimEnd().split('\n')
  const { tenantId, after }: { tenantId?: unknown; after?: unknown } = json(first, file)
  if (typeof tenantId !== 'string' || after !== 0)
    throw new Problem('invalid', `${file} does not begin like a whole export.`, 'Make one with: npx longhaul audit export > audit.jsonl')
  if (head) {
    const key = createPublicKey({ key: Buffer.from(head.publicKey, 'base64'), format: 'der', type: 'spki' })
    if (!verify(null, Buffer.from(auditHeadText(head)), key, Buffer.from(head.signature, 'base64')))
      throw new Problem('invalid', 'The head’s signature is wrong.')
  }
  const check = checkChain((text) => createHash('sha256').update(text).digest('hex'), tenantId, head)
  const problem = check.add(lines.map((line) => parse(AuditEntry, line, file))) ?? check.end() ?? null
  return { isIntact: problem === null, entryCount: check.seq, problem }
}

async function read({ world }: Invocation, file: string): Promise<string> {
  const { readFile } = await import('node:fs/promises')
  const { resolve } = await import('node:path')
  return readFile(resolve(world.folder, file), 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new Problem('invalid', `${file} cannot be read: ${error.code}.`)
  })
}

function parse<Value>(schema: { safeParse(value: unknown): { success: true; data: Value } | { success: false } }, text: string, file: string): Value {
  const parsed = schema.safeParse(json(text, file))
  if (!parsed.success) throw new Problem('invalid', `${file} does not hold what it should.`)
  return parsed.data
}

function json(text: string, file: string) {
  try {
    return JSON.parse(text)
  } catch {
    throw new Problem('invalid', `${file} is not JSON, or was cut off.`)
  }
}
