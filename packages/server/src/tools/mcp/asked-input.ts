/**
 * What MCP servers ask people for during a call (elicitation): forms without secrets, and pages to visit. Servers of 2026-07-28 end the call with what they ask, and are called again with
 * the answer and their own state. Older ones ask while the call lasts: they are told `cancel`, and when they ask the same in the call that is made again, the answer is there.
 */
import {
  type Client,
  type ElicitRequestFormParams,
  type ElicitRequestParams,
  type ElicitResult,
  SdkError,
  SdkErrorCode,
  UrlElicitationRequiredError,
} from '@modelcontextprotocol/client'
import { type Ask, type AskField, type CallAnswered, type InputNeeded, type Json, asksMax, shorten, visibleText } from '@longhaul/protocol'
import { StepFailure, sleep } from '../../kernel/index.ts'
import { failed, messageLengthMax } from '../failures.ts'
import { digestOf } from './definition.ts'

type Responses = CallAnswered['responses']
/** What a request is sent with when it is made again. */
export type Again = { inputResponses?: Responses; requestState?: string }
export type Asking = {
  /** `send` until the server gives a result. Throws a `StepFailure` `needs_input` with what a person is to be asked first. */
  request<Result>(client: Client, send: (again: Again) => Promise<Result>, textOf: (result: Result) => string): Promise<Result>
  /** What is answered to a server that asks while the call lasts. */
  answer(params: ElicitRequestParams): ElicitResult
}

const fieldsMax = 50
const optionsMax = 200
const nameLengthMax = 200
const textLengthMax = 2_000
const stateLengthMax = 100_000
/** Of answers with a state alone, by which a server asks to be called again in a moment. */
const roundsMax = 10
const pauseMs = 250

/** Of one call to `who`, as it is named in failures. */
export function openAsking(who: string, answered: CallAnswered | undefined): Asking {
  const { responses = {}, state = null } = answered ?? {}
  const asked = new Map<string, Ask>()
  let refusal: StepFailure | undefined

  async function request<Result>(client: Client, send: (again: Again) => Promise<Result>, textOf: (result: Result) => string): Promise<Result> {
    const isModern = client.getProtocolEra() === 'modern'
    let again: Again = isModern && answered ? { inputResponses: responses, ...(state !== null && { requestState: state }) } : {}
    for (let round = 1; ; round++) {
      const outcome = await send(again).then(
        (result) => ({ result }),
        (error: unknown) => ({ error }),
      )
      if (refusal) throw refusal
      // It was put off meanwhile: what it said then is not its answer.
      if (asked.size > 0) throw needsInput(who, [...asked.values()], { state: null, kept: responses, said: saidBy(outcome, textOf) })
      if ('result' in outcome) return outcome.result
      const { error } = outcome
      if (error instanceof UrlElicitationRequiredError) {
        const asks = error.elicitations.map((params) => toAsk(keyOf(params), params, who))
        throw needsInput(who, asks, { state: null, kept: responses, said: null })
      }
      const required = requiredBy(error)
      if (!required) throw error
      const asks = Object.entries(required.inputRequests).map(([key, one]) => {
        if (one.method !== 'elicitation/create')
          throw failed('refused', `${who} asks for ${shorten(visibleText(String(one.method)), 100)}, which it does not get.`)
        return toAsk(key, one.params as ElicitRequestParams, who) // Looked at field by field there.
      })
      const { requestState } = required
      if ((requestState?.length ?? 0) > stateLengthMax) throw failed('too_large', `${who} has a state of more than ${stateLengthMax} characters.`)
      if (asks.length > 0) throw needsInput(who, asks, { state: requestState ?? null, kept: {}, said: null })
      if (round >= roundsMax) throw failed('away', `${who} has asked ${round} times to be called again.`)
      await sleep(pauseMs)
      again = { ...(requestState !== undefined && { requestState }) }
    }
  }

  function answer(params: ElicitRequestParams): ElicitResult {
    const key = keyOf(params)
    const known = responses[key]
    if (known) return known
    try {
      asked.set(key, toAsk(key, params, who))
      return { action: 'cancel' }
    } catch (error) {
      if (!(error instanceof StepFailure)) throw error
      refusal ??= error
      return { action: 'decline' }
    }
  }

  return { request, answer }
}

function needsInput(who: string, asks: Ask[], more: Omit<InputNeeded, 'asks'>): StepFailure {
  if (asks.length > asksMax) return failed('bad_answer', `${who} asks a person for ${asks.length} things at once; at most ${asksMax} are asked.`)
  const message = `${who} asks a person: ${asks.map((ask) => ask.message).join(' · ')}`.slice(0, messageLengthMax)
  return new StepFailure({
    code: 'needs_input',
    message,
    retryable: false,
    detail: JSON.parse(JSON.stringify({ asks, ...more } satisfies InputNeeded)) as Json,
  })
}

function saidBy<Result>(outcome: { result: Result } | { error: unknown }, textOf: (result: Result) => string): string {
  const text = 'result' in outcome ? textOf(outcome.result) : outcome.error instanceof Error ? outcome.error.message : String(outcome.error)
  return shorten(visibleText(text), textLengthMax)
}

/** What a server of 2026-07-28 ends a call with instead of a result, as the library tells it when it answers nothing by itself. */
function requiredBy(error: unknown): { inputRequests: Record<string, { method?: unknown; params?: unknown }>; requestState?: string } | undefined {
  if (!(error instanceof SdkError) || error.code !== SdkErrorCode.InputRequiredRoundsExceeded) return undefined
  return (error.data as { lastResult: NonNullable<ReturnType<typeof requiredBy>> }).lastResult // Its documented shape.
}

/** The same question is the same key, in whatever call it is asked. */
function keyOf(params: ElicitRequestParams): string {
  const { message } = params
  const of = params.mode === 'url' ? { message, url: params.url } : { message, schema: params.requestedSchema }
  return digestOf(JSON.parse(JSON.stringify(of)) as Json).slice(0, 32)
}

/** Throws a `StepFailure` for what nobody is asked. */
function toAsk(key: string, params: ElicitRequestParams, who: string): Ask {
  if (key.length > nameLengthMax) throw failed('bad_answer', `${who} asks under a name of more than ${nameLengthMax} characters.`)
  const message = shorten(visibleText(params.message), textLengthMax)
  if (params.mode !== 'url') return { key, message, fields: toFields(params.requestedSchema, who) }
  const url = URL.canParse(params.url) ? new URL(params.url) : undefined
  if (!url || !/^https?:$/.test(url.protocol) || url.username !== '' || url.password !== '' || url.href.length > textLengthMax)
    throw failed('refused', `${who} wants a person to visit an address that nobody is sent to: ${shorten(visibleText(params.url), 200)}`)
  return { key, message, url: url.href }
}

/** Where a person would write a secret into a form. Such things are for pages of the server's own. */
const secretWords =
  /pass[\s_-]?(word|code|phrase)|secret|credential|(api|access|private|secret)[\s_-]?(key|token)|\btokens?\b|\b(pin|otp|cvv|cvc|iban)\b|(credit|debit)[\s_-]?card|social[\s_-]?security/i

function toFields({ properties, required = [] }: ElicitRequestFormParams['requestedSchema'], who: string): AskField[] {
  const names = Object.keys(properties)
  if (names.length > fieldsMax) throw failed('bad_answer', `${who} asks for ${names.length} fields; at most ${fieldsMax} are asked.`)
  return names.map((name) => {
    const field = toField(name, properties[name] as Property, required.includes(name)) // One of its own keys.
    const texts = [name.replaceAll(/([a-z])([A-Z])/g, '$1 $2'), field.title, field.description ?? '']
    if (field.kind === 'text' && texts.some((text) => secretWords.test(text.replaceAll('_', ' '))))
      throw failed(
        'refused',
        `${who} asks a person for what looks like a secret (${JSON.stringify(shorten(visibleText(name), 100))}). Forms of tool servers take no secrets.`,
      )
    const isPlain = [name, ...(field.options ?? []).map(({ value }) => value)].every((text) => text.length <= nameLengthMax && visibleText(text) === text)
    if (!isPlain || (field.options?.length ?? 0) > optionsMax) throw failed('bad_answer', `${who} asks for a field that cannot be shown.`)
    return field
  })
}

/** All that a property of a form can say, whichever of its kinds it is. */
type Property = {
  type: string
  title?: string
  description?: string
  enum?: string[]
  enumNames?: string[]
  oneOf?: { const: string; title: string }[]
  items?: { enum?: string[]; anyOf?: { const: string; title: string }[] }
  format?: string
  default?: string | number | boolean | string[]
} & { [Limit in 'minLength' | 'maxLength' | 'minimum' | 'maximum' | 'minItems' | 'maxItems']?: number }

const formats: readonly AskField['format'][] = ['email', 'uri', 'date', 'date-time']

function toField(name: string, property: Property, isRequired: boolean): AskField {
  const { type, title, description, enum: values, enumNames, oneOf, items, default: given } = property
  const shown = (text: string) => shorten(visibleText(text), textLengthMax)
  const options =
    (values ?? items?.enum)?.map((value, at) => ({ value, title: shown(enumNames?.[at] ?? value) })) ??
    (oneOf ?? items?.anyOf)?.map((one) => ({ value: one.const, title: shown(one.title) }))
  const kind = type === 'boolean' ? 'yes-no' : type === 'array' ? 'choices' : type === 'number' || type === 'integer' ? type : options ? 'choice' : 'text'
  const min = property.minLength ?? property.minimum ?? property.minItems
  const max = property.maxLength ?? property.maximum ?? property.maxItems
  const format = formats.find((known) => known === property.format)
  return {
    name,
    kind,
    title: shown(title ?? name),
    isRequired,
    ...(description !== undefined && { description: shown(description) }),
    ...(options && { options }),
    ...(format && { format }),
    ...(min !== undefined && { min }),
    ...(max !== undefined && { max }),
    ...(given !== undefined && { default: given }),
  }
}
