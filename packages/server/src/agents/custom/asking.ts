/**
 * What a program asks people for at its door: whether a call may be made, or a question of its own. The same again, also in a later attempt of its
 * invocation, finds what was asked before; so a program that is asked anew from the beginning comes to where it was.
 */
import { isDeepStrictEqual } from 'node:util'
import { CallResult, type Json, ProgramQuestion, detailWithForm, formKey } from '@longhaul/protocol'
import type { InnerApproval, InnerApprovals, InnerSteps } from '../../engine/index.ts'
import { AppError, StepFailure, toFailure } from '../../kernel/index.ts'

/** `mayAsk`: it knows that an answer may come later. `waitMs`: for so long it waits itself. `key`: what tells two that look alike apart. */
export type Wish = { mayAsk: boolean; waitMs: number; key: string | undefined }
/** `waitsFor`: nobody has decided yet about this approval. */
export type Answered = { body: Json; waitsFor?: string }

type Call = { tool: string; input: Json }

/** Makes the call, or has a person asked whether it may be made where policies want that. */
export async function callAllowed(inside: Pick<InnerSteps, 'ask' | 'approvals'>, call: Call, { mayAsk, waitMs, key }: Wish): Promise<Answered> {
  const { approvals } = inside
  const find = () => approvals.list().findLast(({ detail }) => isCall(detail, call, key))
  let found = find()
  for (;;) {
    try {
      if (!found) return { body: resultOf(await inside.ask('call', call.tool, call)) }
      const approval = await approvals.decided(found.id, waitMs)
      if (approval.state === 'pending') return pending(approval)
      if (approval.state === 'approved') return { body: resultOf(await approvals.call(approval.id)) }
      throw new StepFailure(refusalOf(approval))
    } catch (error) {
      const { code, message } = toFailure(error)
      if (code !== 'needs_approval') throw error
      if (!mayAsk) throw new StepFailure({ message: `${message} ${howToAsk}`, code, retryable: false }, error)
      const latest = find() // Somebody may have asked at the same time. And what was allowed once may need others' word by now.
      const detail = { ...call, why: message, ...(key !== undefined && { idempotencyKey: key }) }
      found = latest && latest.id !== found?.id ? latest : await approvals.ask({ name: nameOf(call), detail, timeoutMs: null })
    }
  }
}

/** A question of the program's own. */
export async function askPerson(approvals: InnerApprovals, body: Json, { waitMs, key }: Wish): Promise<Answered> {
  const parsed = ProgramQuestion.safeParse(body)
  if (!parsed.success)
    throw new AppError(
      'invalid',
      `This cannot be asked: ${parsed.error.issues.map(({ path, message }) => `${path.map(String).join('.')}: ${message}`).join('; ')}.`,
    )
  const { title, detail: given, fields, rule, timeoutMs = null } = parsed.data
  const keyed = key === undefined ? given : { ...shownOf(given), idempotencyKey: key }
  const detail = fields ? detailWithForm(title, keyed, fields) : (keyed ?? null)
  const found = approvals.list().findLast((one) => one.name === title && isDeepStrictEqual(one.detail, detail))
  const { id } = found ?? (await approvals.ask({ name: title, detail, rule, timeoutMs }))
  return lookAt(approvals, id, { waitMs })
}

/** How an approval stands, once it is decided or the wait is over. */
export async function lookAt(approvals: InnerApprovals, id: string, { waitMs }: Pick<Wish, 'waitMs'>): Promise<Answered> {
  const approval = await approvals.decided(id, waitMs)
  return approval.state === 'pending' ? pending(approval) : { body: { approval: toBody(approval) } }
}

/** What a program answers its invocation with in order to be asked again later: what it was told at its door, as it is. */
export const waitsForOf = (output: Json): string | undefined => (isObject(output) && typeof output['waitsFor'] === 'string' ? output['waitsFor'] : undefined)

const pending = (approval: InnerApproval): Answered => ({ body: { waitsFor: approval.id, approval: toBody(approval) }, waitsFor: approval.id })

const toBody = ({ id, name, state, expiresAt, decision }: InnerApproval): Json => ({
  ...{ id, title: name, state, expiresAt, by: decision?.by ?? null, comment: decision?.comment ?? null },
  ...(decision?.answers && { answers: decision.answers[formKey] ?? {} }),
})

function refusalOf({ name, state, decision }: InnerApproval) {
  if (state === 'expired') return { message: `Nobody decided about ${JSON.stringify(name)} in time, so it is not done.`, code: 'expired', retryable: false }
  const said = decision?.comment ? ` ${decision.by}: ${decision.comment}` : ''
  return { message: `${decision?.by ?? 'Somebody'} has not allowed this.${said}`, code: 'denied', retryable: false }
}

const howToAsk = 'To have a person asked, send the call to LONGHAUL_TOOLS_URL with the header `Prefer: respond-async`.'
const nameOf = ({ tool }: Call): string => `Call ${tool}?`
const isCall = (detail: Json, { tool, input }: Call, key: string | undefined): boolean =>
  isObject(detail) && detail['tool'] === tool && isDeepStrictEqual(detail['input'], input) && detail['idempotencyKey'] === key
const shownOf = (detail: Json | undefined): Record<string, Json> => (detail === undefined ? {} : isObject(detail) ? detail : { detail })
const isObject = (value: Json | undefined): value is Record<string, Json> => typeof value === 'object' && value !== null && !Array.isArray(value)

/** Plain data of ours: undefined properties are left out. */
const resultOf = (output: Json): Json => JSON.parse(JSON.stringify(CallResult.parse(output))) as Json
