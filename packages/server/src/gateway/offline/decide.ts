// The next move, from nothing but the transcript: read the layer, look a name up, query, chart, answer.
import { answer, subjectOf, type About } from './answer.ts'
import { chartOf } from './chart.ts'
import { define } from './define.ts'
import { explore } from './explore.ts'
import { fallback } from './fallback.ts'
import type { Language } from './format.ts'
import type { Frame, Parsed } from './frame.ts'
import type { FoundValue } from './lexicon.ts'
import { asIf, lookupCall, nameRuns, readLookup, type NameRun } from './lookup.ts'
import type { Question } from './parse.ts'
import { planOf } from './plan.ts'
import { refuse, refuseHidden, refuseText } from './refuse.ts'
import { readResult } from './result.ts'
import { speech, standIn } from './speech.ts'
import { queryOf } from './sql.ts'
import { isChinese } from './tokens.ts'
import { readAs, understandFiles, type Understanding } from './understanding.ts'
import { resultOf, takes, type Transcript } from './transcript.ts'
import { lookForValues } from './visible.ts'

export type Call = { tool: string; input: Record<string, unknown> }
export type Move = { kind: 'call'; calls: Call[] } | { kind: 'say'; text: string }

const triesMax = 2

export function decide(transcript: Transcript): Move {
  const offered = new Set(transcript.tools.map((tool) => tool.name))
  const question = transcript.questions.at(-1) ?? ''
  if (!offered.has('query') || !offered.has('bash')) return fallback(transcript)
  const explored = explore(transcript)
  if (explored.kind === 'reading') return { kind: 'call', calls: explored.calls }
  if (explored.kind === 'absent') return fallback(transcript, explored.why)
  const language: Language = isChinese(question) ? 'zh' : 'en'
  let understanding: Understanding
  try {
    understanding = understandFiles(explored.files)
  } catch (error) {
    return { kind: 'say', text: refuseText(`The semantic layer cannot be read: ${error instanceof Error ? error.message : String(error)}`, language) }
  }
  return respond(transcript, understanding, question, language)
}

function respond(transcript: Transcript, understanding: Understanding, asked: string, language: Language): Move {
  const { layer } = understanding
  const understood = understand(transcript, understanding, asked)
  if ('move' in understood) return understood.move
  const { parsed } = understood
  const say = (text: string): Move => ({ kind: 'say', text })
  if ('names' in understood && understood.names)
    return say(
      refuseText(
        language === 'zh'
          ? `“${understood.names.said}”可能指：${understood.names.names.join('、')}。请写出全名。`
          : `“${understood.names.said}” may be any of: ${understood.names.names.join('; ')}. Please give the whole name.`,
        language,
      ),
    )
  if ('problem' in parsed) return say(refuse(parsed.problem, layer, language))
  if (parsed.frame.isDefinition) return say(define(parsed.frame, layer, language))
  const planned = planOf(parsed.frame, layer)
  if ('problem' in planned) return say(refuse(planned.problem, layer, language))
  const query = queryOf(planned.plan, layer)
  const about: About = { plan: planned.plan, query, layer, language }
  const visible = lookForValues(transcript, [...planned.plan.filters, ...(planned.plan.share?.part ?? [])], layer)
  if (visible.kind === 'look') return { kind: 'call', calls: [visible.call] }
  if (visible.hidden?.isAll) return say(refuseHidden(visible.hidden, language))
  return carryOut(transcript, { ...about, ...(visible.hidden && { hidden: visible.hidden }) })
}

/** Runs the query, draws it where that helps, and answers. A query that ran out of time is tried once more. */
function carryOut(transcript: Transcript, about: About): Move {
  const { plan, query, layer, language } = about
  const together = plan.isListedBesideTotal ? queryOf({ ...plan, groups: [] }, layer).sql : undefined
  const title = subjectOf(about, speech[language]).full.slice(0, 200)
  const input = { sql: query.sql, title }
  const total = together === undefined ? undefined : resultOf(transcript, 'query', { sql: together, title })
  // The total comes first, since the last table is the one that is shown.
  if (together !== undefined && !total) return { kind: 'call', calls: [{ tool: 'query', input: { sql: together, title } }] }
  const ran = resultOf(transcript, 'query', input)
  if (!ran) return { kind: 'call', calls: [{ tool: 'query', input }] }
  const result = readResult(ran.output)
  if ('error' in result) {
    if (result.error.kind === 'timeout' && ran.times < triesMax) return { kind: 'call', calls: [{ tool: 'query', input }] }
    const text =
      result.error.kind === 'withheld' ? speech[language].withheld(result.error.message) : speech[language].failed(result.error.kind, result.error.message)
    return { kind: 'say', text: `${[text, result.access?.note ?? ''].filter((part) => part !== '').join(' ')}\n\n${standIn[language]}` }
  }
  const chart = transcript.tools.some((tool) => tool.name === 'chart') ? chartOf(about, result, title) : undefined
  // A drawing that fails is no reason to keep the answer back.
  if (chart && !resultOf(transcript, 'chart', chart)) return { kind: 'call', calls: [{ tool: 'chart', input: chart }] }
  return { kind: 'say', text: answer(about, result, total && readResult(total.output)) }
}

type Understood = { move: Move } | { parsed: Parsed; names?: { said: string; names: string[] } }

/** Parses the question; where a name is in the way, looks it up and parses again. */
function understand(transcript: Transcript, understanding: Understanding, asked: string): Understood {
  const { layer } = understanding
  const context = earlierFrame(transcript, understanding)
  const { question, parsed } = readAs(understanding, asked, context)
  const runs = suspects(question, parsed)
  const known: FoundValue[] = []
  for (const run of runs) {
    const { parsed: attempt } = readAs(understanding, asked, context, [...known, ...runs.flatMap((other) => asIf(other, layer))])
    // With a name in its place the question may still lack something else, which is then what there is to say.
    if ('problem' in attempt) return { parsed: run.isCertain && attempt.problem.kind === 'no-metric' ? attempt : parsed }
    const call = lookupCall(run, layer, takes(transcript, 'query', 'show'))
    const result = resultOf(transcript, call.tool, call.input)
    if (!result) return { move: { kind: 'call', calls: [call] } }
    const looked = readLookup(run, layer, asked, result.output)
    if (looked.kind === 'several') return { parsed, names: looked }
    // Half a name read as something else would give the wrong figure, so a name that nobody has is not read at all.
    if (looked.kind === 'none') return { parsed: { problem: { kind: 'unknown-words', words: [run.said], spans: [run] } } }
    if (looked.kind === 'found')
      known.push(
        ...looked.values,
        ...looked.values.filter((value) => !asked.toLowerCase().includes(value.value.toLowerCase())).map((value) => ({ ...value, said: run.said })),
      )
  }
  return { parsed: known.length > 0 ? readAs(understanding, asked, context, known).parsed : parsed }
}

/** Stretches to look up: unknown words, and capitals that could be read otherwise only by breaking a name apart. */
function suspects(question: Question, parsed: Parsed): NameRun[] {
  if ('problem' in parsed) return parsed.problem.kind === 'unknown-words' ? nameRuns(question, parsed.problem.spans) : []
  return nameRuns(question, parsed.suspects ?? [])
}

/** What was asked before in this conversation, for a question that leans on it. */
function earlierFrame(transcript: Transcript, understanding: Understanding): Frame | undefined {
  let frame: Frame | undefined
  for (const text of transcript.questions.slice(-4, -1)) {
    const { parsed } = readAs(understanding, text, frame)
    if ('frame' in parsed) frame = parsed.frame
  }
  return frame
}
