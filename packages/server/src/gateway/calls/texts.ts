/** What a reader of a logged call is shown of it. Pure. */
import type { Json } from '@longhaul/protocol'
import { personalKinds } from '@longhaul/protocol'
import type { FaceName } from '../faces/face.ts'
import { readReply } from '../faces/read-reply.ts'
import { parseData } from '../faces/scanner.ts'
import type { Found } from '../guardrails/found.ts'
import { openMask } from '../guardrails/mask.ts'
import { findPersonal } from '../guardrails/personal.ts'
import { findSecrets } from '../guardrails/secrets.ts'
import { isMedia } from '../guardrails/texts.ts'

export type Texts = { request: Json | null; answer: Json | null }

/** From the bytes as they were sent and received. What is no JSON is left out. */
export function readTexts(call: { face: string; isStream: boolean }, request: Buffer | undefined, answer: Buffer | undefined): Texts {
  const asked = request && parseData(request.toString('utf8'))
  return {
    request: (asked as Json | undefined) ?? null, // Parsed JSON.
    answer: answer ? (readReply(call.face as FaceName, call.isStream, answer) as Json) : null, // `face` was written by us; the reply is plain data.
  }
}

/** Personal data and secrets hidden wherever they stand, in names and keys too: nobody has to send this on. The same for the same in both texts. Media are left out. */
export function maskTexts({ request, answer }: Texts): Texts {
  const mask = openMask('')
  const hide = (text: string): string => {
    const withoutSecrets = hideFound(text, findSecrets(text), mask.hide)
    return hideFound(withoutSecrets, findPersonal(withoutSecrets, personalKinds), mask.hide)
  }
  return { request: maskJson(request, hide), answer: maskJson(answer, hide) }
}

function maskJson(value: Json, hide: (text: string) => string): Json {
  if (typeof value === 'string') return maskText(value, hide)
  if (typeof value === 'number') {
    const text = hide(String(value))
    return text === String(value) ? value : text
  }
  if (Array.isArray(value)) return value.map((item) => maskJson(item, hide))
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [hide(key), maskJson(item, hide)]))
}

/** Arguments of tools are JSON within a text: escapes there must not hide anything. */
function maskText(text: string, hide: (text: string) => string): string {
  if (isMedia(text)) return `[${text.length} CHARACTERS OF MEDIA]`
  const inner = /^\s*[{[]/.test(text) ? parseInner(text) : undefined
  if (inner === undefined) return hide(text)
  const masked = JSON.stringify(maskJson(inner, hide))
  return masked === JSON.stringify(inner) ? text : masked
}

function parseInner(text: string): Json | undefined {
  try {
    return JSON.parse(text) as Json // It is JSON then.
  } catch {
    return undefined // Only looks like it.
  }
}

function hideFound(text: string, found: readonly Found[], hide: (kind: string, original: string) => string): string {
  let out = ''
  let at = 0
  for (const { kind, start, end } of found) {
    out += text.slice(at, start) + hide(kind, text.slice(start, end))
    at = end
  }
  return out + text.slice(at)
}
