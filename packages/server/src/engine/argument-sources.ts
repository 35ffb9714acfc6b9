/**
 * Where the arguments of what a person is asked to approve were first said. Pure. It finds words, not thoughts: a model that writes an address differently than the page it has
 * read it on has written it itself, which is why the run's labels are told beside it.
 */
import { type ArgumentSource, type Json, asksOf } from '@longhaul/protocol'
import { Trust } from './trust.ts'

export type SourceEvent = { seq: number; type: string; op: string | null; data: Json }

/** One run's events before the question, oldest first. `isAsked`: its input is the asker's own, not another run's. */
export type JournalBefore = { runId: string; askerName: string; isAsked: boolean; events: readonly SourceEvent[] }

/** At most so many arguments, and parts of them, are sought. */
const soughtMax = 40
const textLengthMax = 200
/** What is shorter is found by chance. */
const lengthMin = 4
const hanLengthMin = 2
const leavesMax = 200

/** `journals`: the run's own last, before it those that it follows. */
export function findSources(detail: Json, journals: readonly JournalBefore[]): { sources: ArgumentSource[]; isCut: boolean } {
  const places = journals.flatMap(placesOf)
  const sources: ArgumentSource[] = []
  let soughtCount = 0
  const find = (wanted: Wanted) => (++soughtCount > soughtMax ? undefined : firstOf(places, wanted))
  for (const { path, value } of argumentsOf(detail)) {
    const whole = wantedOf(value)
    if (!whole) continue
    const found = find(whole)
    sources.push(toSource(path, whole.text, found))
    if (found || typeof value !== 'string') continue
    for (const part of partsOf(value)) {
      const from = find(part)
      if (from) sources.push(toSource(path, part.text, from))
    }
  }
  return { sources, isCut: soughtCount > soughtMax }
}

type Origin = Omit<ArgumentSource, 'path' | 'text'>
/** `given`: what it may only repeat. */
type Place = { origin: Origin; said: string; given: string; isAsker: boolean }

const nowhere: Origin = { kind: 'agent', name: null, runId: null, op: null, labels: [] }

const toSource = (path: string[], text: string, place: Place | undefined): ArgumentSource => ({
  path,
  text: text.slice(0, textLengthMax),
  ...(place?.origin ?? nowhere),
})

/** What the asker says is the asker's, whoever has said it before; otherwise the earliest counts. */
function firstOf(places: readonly Place[], { isIn }: Wanted): Place | undefined {
  return places.find(({ isAsker, said }) => isAsker && isIn(said)) ?? places.find(({ said, given }) => isIn(said) && !isIn(given))
}

type Leaf = { path: string[]; value: string | number }

/** Of a tool call its input, of anything else all of it but the form that whoever decides fills in. */
function argumentsOf(detail: Json): Leaf[] {
  const leaves: Leaf[] = []
  const walk = (value: Json, path: string[]): void => {
    if (leaves.length >= leavesMax) return
    if (typeof value === 'string' || typeof value === 'number') leaves.push({ path, value })
    else if (typeof value === 'object' && value !== null) for (const [name, inner] of Object.entries(value)) walk(inner as Json, [...path, name]) // As JSON has it.
  }
  if (isObject(detail) && typeof detail['tool'] === 'string' && 'input' in detail) walk(detail['input'] ?? null, ['input'])
  else if (isObject(detail) && asksOf(detail).length > 0) walk({ ...detail, asks: null }, [])
  else walk(detail, [])
  return leaves
}

type Wanted = { text: string; isIn(said: string): boolean }

function wantedOf(value: string | number): Wanted | undefined {
  const text = String(value).trim()
  if (/^-?\d+(\.\d+)?$/.test(text)) return text.replace(/\D/g, '').length < 2 ? undefined : { text, isIn: numberIn(text) }
  return text.length < (/\p{Script=Han}/u.test(text) ? hanLengthMin : lengthMin) ? undefined : { text, isIn: textIn(plain(text)) }
}

/** Addresses, hosts and long numbers: what matters most in a text that was written anew. */
function partsOf(text: string): Wanted[] {
  const words = text.split(/[\s"'`<>()[\]{}|,;，。；：、（）《》“”]+/u).map((word) => word.replace(/[.:!?]+$/, ''))
  const parts = words.filter((word) => /@.*\.|:\/\//.test(word) || (word.match(/\d/g)?.length ?? 0) >= lengthMin)
  const hosts = parts.flatMap((part) => (/^https?:\/\//.test(part) && URL.canParse(part) ? [new URL(part).host] : []))
  return [...new Set([...parts, ...hosts])].flatMap((part) => (part === text ? [] : (wantedOf(part) ?? [])))
}

/** As a word of its own: no piece of a longer address, name or number. */
function textIn(text: string): (said: string) => boolean {
  const isAddress = /[@/.]/.test(text)
  const before = isAddress ? /[\p{L}\p{N}_.+@-]/u : /[a-z0-9_]/
  const after = isAddress ? /^(?:[a-z0-9_@]|[.-][a-z0-9])/ : /^[a-z0-9_]/
  const [isBegun, isEnded] = [/^[a-z0-9]/.test(text), /[a-z0-9]$/.test(text)]
  return (said) => {
    for (let at = said.indexOf(text); at >= 0; at = said.indexOf(text, at + 1)) {
      const end = at + text.length
      if (!(isBegun && at > 0 && before.test(said.charAt(at - 1))) && !(isEnded && after.test(said.slice(end, end + 2)))) return true
    }
    return false
  }
}

/** By its value: `4200` is in `4,200.00` and in `4.200,00`, and not in `14200` or in `4200.5`. */
function numberIn(text: string): (said: string) => boolean {
  const [whole = '', decimals = ''] = text.replace('-', '').split('.')
  const groups = whole.replace(/\B(?=(\d{3})+$)/g, "[,.'’ \u00a0\u202f_]?")
  const rest = decimals.replace(/0+$/, '')
  const pattern = new RegExp(`(?<![\\d.,])${groups}${rest === '' ? '(?:[.,]0+)?' : `[.,]${rest}0*`}(?![.,]?\\d)`)
  const last = whole.slice(-3)
  return (said) => said.includes(last) && pattern.test(said)
}

function placesOf({ runId, askerName, isAsked, events }: JournalBefore): Place[] {
  const places: Place[] = []
  const inputs = new Map<string, string>()
  for (const event of events) {
    const { type, op, data } = event
    // The journal was written by this engine: data of a type has the shape that the protocol gives it.
    const { kind = '', name = null, input = null, output = null, failure, end, payload = null, labels } = data as Fields
    const add = (as: ArgumentSource['kind'], by: string | null, said: Json, given = '') => {
      const outside = labels ?? labelsOf(event)
      places.push({ origin: { kind: as, name: by, runId, op, labels: outside }, said: textOf(said), given, isAsker: as === 'asker' && outside.length === 0 })
    }
    if (type === 'run.started' && isAsked) add('asker', askerName, input)
    if (type === 'signal.received') add('signal', name, payload)
    if (type === 'step.started' && op !== null) {
      inputs.set(op, textOf(input))
      if (kind === 'model' && isObject(input) && input['instructions'] !== undefined) add('instructions', null, input['instructions'])
    }
    const given = op === null ? '' : inputs.get(op)
    if (type === 'step.completed' && saying.includes(kind)) add('step', name, output, given)
    if (type === 'step.failed' && saying.includes(kind) && failure) add('step', name, failure, given)
    if (type === 'step.completed' && kind === 'model' && isObject(output) && output['steeredBy'] !== undefined) add('asker', askerName, output['steeredBy'])
    if (type === 'wait.completed' && kind === 'run') add('run', name, output)
    if (type === 'child.ended') add('run', null, end ?? null)
    if (type === 'wait.completed' && kind === 'approval' && isObject(output)) {
      const { by, comment = null, answers = null } = output
      add('person', typeof by === 'string' ? by : null, [comment, answers])
    }
  }
  return places
}

/** Kinds of steps whose results are not the agent's own words. */
const saying = ['step', 'tool', 'call', 'exec', 'files', 'connect']

/** What of the events' data is looked at here. */
type Fields = {
  kind?: string
  name?: string
  input?: Json
  output?: Json
  failure?: Json
  end?: Json
  payload?: Json
  labels?: string[]
}

/** What the event has the run labelled with. */
function labelsOf({ type, op, data }: SourceEvent): string[] {
  const trust = new Trust()
  trust.apply({ type: type as Parameters<Trust['apply']>[0]['type'], op: op ?? undefined, data: data as object }) // As the journal has it.
  return [...trust.labels]
}

/** All texts, numbers and names in it. */
function textOf(value: Json): string {
  const texts: string[] = []
  const walk = (inner: Json): void => {
    if (typeof inner === 'string') texts.push(inner)
    else if (typeof inner === 'number') texts.push(String(inner))
    else if (Array.isArray(inner)) inner.forEach(walk)
    else if (typeof inner === 'object' && inner !== null)
      for (const [name, each] of Object.entries(inner)) {
        texts.push(name)
        walk(each as Json) // As JSON has it.
      }
  }
  walk(value)
  return plain(texts.join('\n'))
}

const plain = (text: string): string => text.normalize('NFKC').toLowerCase().replace(/\s+/g, ' ').trim()
const isObject = (value: Json): value is { [key: string]: Json } => typeof value === 'object' && value !== null && !Array.isArray(value)
