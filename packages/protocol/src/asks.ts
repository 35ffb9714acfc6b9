/** What a tool server asks a person for during a call, read out of an approval's detail, and answers held against it. Needs no schemas. */
import type { Json } from './json.ts'
import type { Ask, AskField, AskAnswers, AskValue } from './tool-calls.ts'

/** At most so many in one approval. */
export const asksMax = 10

/** What an approval asks for beside yes or no. Anything else under `asks` is none of ours. */
export function asksOf(detail: Json): Ask[] {
  const given: unknown = isObject(detail) ? detail['asks'] : undefined
  return Array.isArray(given) && given.length <= asksMax && given.every(isAsk) ? given : []
}

/** A field of an agent's own form. Its `title` is its name, and it must be filled in, unless that is said. */
export type FormField = Omit<AskField, 'title' | 'isRequired'> & { title?: string | undefined; isRequired?: boolean | undefined }
/** What a form of an agent's own is answered under. */
export const formKey = 'form'

/** `detail` of an approval that asks for these fields, beside what is shown. */
export function detailWithForm(message: string, detail: Json | undefined, fields: readonly FormField[]): Json {
  const form = fields.map((field) => ({ ...field, title: field.title ?? field.name, isRequired: field.isRequired ?? true }))
  const shown = detail === undefined ? {} : isObject(detail) ? (detail as Record<string, Json>) : { detail }
  return JSON.parse(JSON.stringify({ ...shown, asks: [{ key: formKey, message, fields: form }] })) as Json
}

/** What is sent: the answers that were given, and the defaults of the others. Or what is wrong with them. */
export function answersTo(asks: readonly Ask[], given: AskAnswers): { answers: AskAnswers } | { problem: string } {
  const answers: AskAnswers = {}
  for (const [key, values] of Object.entries(given)) {
    const fields = asks.find((ask) => ask.key === key)?.fields
    const unknown = Object.keys(values).find((name) => !fields?.some((field) => field.name === name))
    if (!fields || unknown !== undefined) return { problem: `Nothing is asked for under ${JSON.stringify(unknown ?? key)}.` }
  }
  for (const { key, fields } of asks) {
    if (!fields) continue
    const values: Record<string, AskValue> = {}
    for (const field of fields) {
      const value = own(given[key], field.name) ?? field.default
      if (value === undefined) {
        if (field.isRequired) return { problem: `${JSON.stringify(field.name)} must be answered.` }
        continue
      }
      const why = whyNotValue(field, value)
      if (why !== undefined) return { problem: `${JSON.stringify(field.name)} ${why}.` }
      values[field.name] = value
    }
    answers[key] = values
  }
  return { answers }
}

const own = (values: Record<string, AskValue> | undefined, name: string): AskValue | undefined =>
  values && Object.hasOwn(values, name) ? values[name] : undefined

function whyNotValue({ kind, options = [], format, min = -Infinity, max = Infinity }: AskField, value: AskValue): string | undefined {
  const isOption = (one: string) => options.some((option) => option.value === one)
  switch (kind) {
    case 'yes-no':
      return typeof value === 'boolean' ? undefined : 'must be yes or no'
    case 'number':
    case 'integer':
      if (typeof value !== 'number' || !Number.isFinite(value) || (kind === 'integer' && !Number.isInteger(value)))
        return `must be a ${kind === 'integer' ? 'whole ' : ''}number`
      return value < min || value > max ? `must be ${between(min, max)}` : undefined
    case 'choice':
      return typeof value === 'string' && isOption(value) ? undefined : 'must be one of its options'
    case 'choices':
      if (!Array.isArray(value) || !value.every(isOption) || new Set(value).size < value.length) return 'must be some of its options, each once'
      return value.length < min || value.length > max ? `must be ${between(min, max)} of its options` : undefined
    case 'text':
      if (typeof value !== 'string') return 'must be a text'
      if (value.length < min || value.length > max) return `must have ${between(min, max)} characters`
      return format === undefined || isOfFormat[format](value)
        ? undefined
        : `must be ${format === 'email' ? 'a mail address' : format === 'uri' ? 'an address with its scheme' : `a ${format}`}`
  }
}

const between = (min: number, max: number): string => (min === -Infinity ? `at most ${max}` : max === Infinity ? `at least ${min}` : `from ${min} to ${max}`)

const isOfFormat = {
  email: (text: string) => /^[^\s@]+@[^\s@]+$/.test(text),
  uri: (text: string) => URL.canParse(text),
  date: (text: string) => /^\d{4}-\d\d-\d\d$/.test(text) && !Number.isNaN(Date.parse(text)),
  'date-time': (text: string) => /^\d{4}-\d\d-\d\dT/.test(text) && !Number.isNaN(Date.parse(text)),
}

/** Whoever wrote it, only what has this shape is shown as a form. */
function isAsk(value: unknown): value is Ask {
  if (!isObject(value)) return false
  const { key, message, fields, url } = value
  if (typeof key !== 'string' || typeof message !== 'string') return false
  if (url !== undefined) return fields === undefined && typeof url === 'string' && URL.canParse(url) && /^https?:$/.test(new URL(url).protocol)
  return Array.isArray(fields) && fields.every(isField)
}

function isField(value: unknown): value is AskField {
  if (!isObject(value)) return false
  const { name, kind, isRequired, options = [] } = value
  return (
    typeof name === 'string' &&
    kinds.some((known) => known === kind) &&
    typeof isRequired === 'boolean' &&
    Array.isArray(options) &&
    options.every((option) => isObject(option) && typeof option['value'] === 'string' && typeof option['title'] === 'string')
  )
}

const kinds: readonly AskField['kind'][] = ['text', 'number', 'integer', 'yes-no', 'choice', 'choices']
const isObject = (value: unknown): value is Record<string, unknown> => typeof value === 'object' && value !== null && !Array.isArray(value)
