import {
  type AuditHead,
  type ChainCheck,
  type HeadShipping,
  AuditEntry,
  AuditHead as AuditHeadSchema,
  auditHeadText,
  auditOutcomes,
  checkChain,
  toOcsf,
} from '@longhaul/protocol'
import { z } from 'zod'
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
  const { shipping, ...head } = await (await invocation.client()).audit.head()
  invocation.printJson(head) // For a file: there is one form.
  if (shipping) invocation.world.stderr.write(`  ${shippedText(shipping)}\n`)
  return exitCodes.done
}

function shippedText({ target, lastAt, behind, problem }: HeadShipping): string {
  const last =
    lastAt === null
      ? 'none has arrived since this server started'
      : `the last one arrived ${ago(lastAt)}, ${behind === 0 ? 'and covers all' : `${behind} entries ago`}`
  return `Heads are shipped to ${target}: ${last}.${problem === null ? '' : ` Now it fails: ${problem}`}`
}

/** `head`: a file with one. `heads`: one with many, a line each, as they are shipped. */
export type VerifyOptions = { head?: string; heads?: string; file?: string }

/** By the server over its database, or with a file of `audit export` here and without any server. */
export async function verifyAudit(invocation: Invocation, { head: headFile, heads: headsFile, file }: VerifyOptions): Promise<number> {
  const head = headFile === undefined ? undefined : parse(HeadInFile, await read(invocation, headFile), headFile)
  const heads = headsFile === undefined ? [] : readHeads(await read(invocation, headsFile), headsFile)
  const kept = [...(head ? [head] : []), ...heads]
  const verdict =
    file !== undefined
      ? await verifyFile(invocation, file, kept)
      : headsFile !== undefined
        ? await verifyHere(await invocation.client(), kept)
        : await (await invocation.client()).audit.verify(head ? { head } : {})
  if (invocation.isJson) invocation.printJson(verdict)
  else
    printFields(invocation, [
      ['chain', verdict.isIntact ? 'intact' : 'broken'],
      ['entries', String(verdict.entryCount)],
      ['heads', headsFile === undefined ? null : String(heads.length)],
      ['problem', verdict.problem],
    ])
  return verdict.isIntact ? exitCodes.done : 1
}

/** With what comes beside it left out. */
const HeadInFile = AuditHeadSchema.strip()
/** As a webhook brings them. */
const ShippedHeads = z.object({ type: z.literal('audit.heads'), data: z.object({ heads: z.array(HeadInFile) }) })

/** Each line is a head, or the body of a webhook. */
function readHeads(text: string, file: string): AuditHead[] {
  return text
    .split('\n')
    .filter((line) => line.trim() !== '')
    .flatMap((line) => {
      const webhook = ShippedHeads.safeParse(json(line, file))
      return webhook.success ? webhook.data.data.heads : [parse(HeadInFile, line, file)]
    })
}

/** Heads of other tenants say nothing of this one's chain; of one whose signature is wrong nobody knows who wrote it. */
async function checkerOf(tenantId: string, heads: readonly AuditHead[]) {
  const { createHash, createPublicKey, verify } = await import('node:crypto')
  const own = heads.filter((head) => head.tenantId === tenantId)
  if (heads.length > 0 && own.length === 0) throw new Problem('invalid', `None of the heads is of the tenant ${tenantId}.`)
  for (const head of own) {
    const key = createPublicKey({ key: Buffer.from(head.publicKey, 'base64'), format: 'der', type: 'spki' })
    if (!verify(null, Buffer.from(auditHeadText(head)), key, Buffer.from(head.signature, 'base64')))
      throw new Problem('invalid', `The signature of the head at entry ${head.seq} is wrong.`)
  }
  return checkChain((text) => createHash('sha256').update(text).digest('hex'), tenantId, ...own)
}

const verdictOf = (check: ChainCheck, problem: string | undefined) => ({ isIntact: problem === undefined, entryCount: check.seq, problem: problem ?? null })

/** Entry by entry, here: the server's word is not taken for it. */
async function verifyHere(client: Client, heads: readonly AuditHead[]) {
  let check: ChainCheck | undefined
  let problem: string | undefined
  for await (const { tenantId, items } of pages(client, 0)) {
    check ??= await checkerOf(tenantId, heads)
    problem = check.add(items)
    if (problem !== undefined) break
  }
  if (!check) throw new Problem('internal', 'The server answered with no page.')
  return verdictOf(check, problem ?? check.end())
}

async function verifyFile(invocation: Invocation, file: string, heads: readonly AuditHead[]) {
  const [first = '', ...lines] = (await read(invocation, file)).trimEnd().split('\n')
  const { tenantId, after }: { tenantId?: unknown; after?: unknown } = json(first, file)
  if (typeof tenantId !== 'string' || after !== 0)
    throw new Problem('invalid', `${file} does not begin like a whole export.`, 'Make one with: npx longhaul audit export > audit.jsonl')
  const check = await checkerOf(tenantId, heads)
  return verdictOf(check, check.add(lines.map((line) => parse(AuditEntry, line, file))) ?? check.end())
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
