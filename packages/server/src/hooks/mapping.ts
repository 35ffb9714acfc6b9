/** From a signed payload to what a run gets. Pure; throws `invalid` with the place where something is missing. */
import { type HookAction, type HookMapping, type Json, whyNotJson } from '@longhaul/protocol'
import { AppError } from '../kernel/index.ts'

/** JSON, or a form as Slack's commands and GitHub send it; a form's field `payload` that is JSON is what is meant. */
export function readPayload(body: Uint8Array, contentType: string | null): Json {
  let payload: unknown
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(body)
    if (contentType?.toLowerCase().startsWith('application/x-www-form-urlencoded')) {
      const form = Object.fromEntries(new URLSearchParams(text))
      payload = form['payload'] === undefined ? form : JSON.parse(form['payload'])
    } else payload = text === '' ? null : JSON.parse(text)
  } catch (cause) {
    throw new AppError('invalid', 'The body is neither JSON nor a form.', cause)
  }
  const why = whyNotJson(payload)
  if (why) throw new AppError('invalid', `The payload holds what cannot be stored: ${why}.`)
  return payload as Json // Parsed from JSON, or an object of texts.
}

export type Mapped = { type: 'start'; input: Json; session: string | undefined } | { type: 'signal'; run: string; signal: string; payload: Json }

export function mapPayload(action: HookAction, payload: Json): Mapped {
  if (action.type === 'start') {
    const { input, session } = action
    return { type: 'start', input: mapped(input, payload), session: session === undefined ? undefined : textAt(session, payload, 128) }
  }
  const run = textAt(action.run, payload, 36)
  if (!/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(run)) throw new AppError('invalid', `${action.run}: must be the id of a run.`)
  return { type: 'signal', run, signal: textAt(action.signal, payload, 128), payload: mapped(action.payload, payload) }
}

const mapped = (mapping: HookMapping, payload: Json): Json =>
  typeof mapping === 'string'
    ? valueAt(mapping, payload)
    : Object.fromEntries(Object.entries(mapping).map(([name, pointer]) => [name, valueAt(pointer, payload)]))

function textAt(given: string, payload: Json, lengthMax: number): string {
  const value = given.startsWith('/') ? valueAt(given, payload) : given
  const text = typeof value === 'number' ? String(value) : value
  if (typeof text !== 'string' || text === '' || text.length > lengthMax)
    throw new AppError('invalid', `${given}: must be a text of 1 to ${lengthMax} characters.`)
  return text
}

/** RFC 6901. Own fields alone: a payload has no `constructor`. */
export function valueAt(pointer: string, payload: Json): Json {
  let at: Json = payload
  for (const part of pointer.split('/').slice(1)) {
    const name = part.replaceAll('~1', '/').replaceAll('~0', '~')
    const isThere = Array.isArray(at)
      ? /^(0|[1-9]\d{0,8})$/.test(name) && Number(name) < at.length
      : at !== null && typeof at === 'object' && Object.hasOwn(at, name)
    if (!isThere) throw new AppError('invalid', `${pointer}: the payload has nothing there.`)
    at = (at as Record<string, Json>)[name]! // Just found there.
  }
  return at
}
