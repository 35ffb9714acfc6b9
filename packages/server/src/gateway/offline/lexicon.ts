// Stage 2b: the semantic layer's names and the planner's own vocabulary, as phrases that can be found in a question.
import type { Atom, ValueChoice } from './atoms.ts'
import type { Dimension, Layer, Metric, Names } from './layer.ts'
import type { NamedPeriod } from './time.ts'
import { isChinese, tokenize } from './tokens.ts'
import { averagePhrases, everPhrases, fillerPhrases, grainPhrases, nowPhrases, opPhrases, type Op } from './words.ts'

export type Phrase = {
  /** Stems of its words, or its characters. */
  words: readonly string[]
  atom: Atom
  /** 1 for a name as given; less for one that was derived. */
  quality: number
  /** Must be written like this: `US` is a country, `us` is not. */
  exactText?: string
}

export type Lexicon = {
  /** By first word. */
  phrases: ReadonlyMap<string, readonly Phrase[]>
  /** Two words that people write as one: midmarket. */
  joined: ReadonlyMap<string, readonly Phrase[]>
  /** Names of metrics in several words, which may stand apart in a question. */
  scattered: readonly {
    words: readonly string[]
    metric: string
    quality: number
    /** Speaks of the metric only beside a word of pace: "resolved fastest". */ isPaced?: boolean
    /** Is no name as it stands, so that nothing else finds it when its words stand together. */ isDerived?: boolean
  }[]
  /** Nouns that head a metric's name. */
  nouns: ReadonlySet<string>
  periods: readonly NamedPeriod[]
  /** Nouns with the metrics that count them. */
  counters: ReadonlyMap<string, string>
  /** Every word that means something here, for the correction of spelling. */
  vocabulary: ReadonlySet<string>
}

/** A value found by looking it up, such as a company's name. */
export type FoundValue = { ref: string; value: string; /** What it was called in the question, if not by its whole name. */ said?: string }

const functionWords = new Set(
  'us in it is as at be by do go he if me my no of on or so to up we an am are can did has her him his its may not our out the was who why how for and'.split(
    ' ',
  ),
)
const stemsKnown = new Map<string, readonly string[]>()
const stemsKnownMax = 20_000

/** Most phrases are the planner's own and always the same. */
function stems(phrase: string): readonly string[] {
  const known = stemsKnown.get(phrase)
  if (known) return known
  const found = stemsOf(phrase)
  if (stemsKnown.size < stemsKnownMax) stemsKnown.set(phrase, found)
  return found
}

const stemsOf = (phrase: string): string[] =>
  tokenize(phrase)
    .filter((token) => !['-', "'", '"', '.'].includes(token.norm))
    .map((token) => token.stem)
const namesOf = ({ label, synonyms }: Names): string[] => [label.en, label.zh, ...synonyms.en, ...synonyms.zh].filter((name) => name !== '')

export function buildLexicon(layer: Layer): Lexicon {
  const phrases = new Map<string, Phrase[]>()
  const taken = new Map<string, Set<Atom['kind']>>()
  const key = (words: readonly string[]) => words.join(' ')
  const add = (text: string, atom: Atom, quality = 1) => {
    const words = stems(text)
    const [first] = words
    if (first === undefined) return
    taken.set(key(words), (taken.get(key(words)) ?? new Set()).add(atom.kind))
    const isRisky = words.length === 1 && functionWords.has(text.toLowerCase()) && text === text.toUpperCase()
    phrases.set(first, [...(phrases.get(first) ?? []), { words, atom, quality, ...(isRisky && { exactText: text }) }])
  }
  const addDerived = (text: string, atom: Atom, quality: number) => {
    // A value may share its word with a metric: "churn" is a kind of movement, and short for churn rate.
    const kinds = [...(taken.get(key(stems(text))) ?? [])]
    if (kinds.every((kind) => atom.kind === 'metric' && kind === 'value')) add(text, atom, quality)
  }

  for (const metric of layer.metrics.values()) for (const name of namesOf(metric)) add(name, { kind: 'metric', metric: metric.name })
  const counters = countNouns(layer)
  for (const [text, refs] of dimensionNames(layer)) add(text, { kind: 'dimension', refs, isPlural: false })
  for (const [text, choices] of valueNames(layer)) add(text, valuePhrase(text, choices, counters).atom)
  for (const entity of layer.entities.values()) for (const name of namesOf(entity)) add(name, { kind: 'entity', table: entity.table })
  for (const [noun, metric] of counters) add(noun, { kind: 'count-noun', metric }, 0.9)
  layer.unavailable.forEach((topic, index) => {
    for (const name of namesOf({ label: topic.topic, synonyms: topic.synonyms })) add(name, { kind: 'unavailable', topic: index })
  })
  for (const [phrase, ops] of grammar()) add(phrase, ops.length > 0 ? { kind: 'op', ops, isIdle: idle.has(phrase) } : { kind: 'filler' })
  for (const { key: unit, phrase, calendar } of grainPhrases)
    add(phrase, { kind: 'grain', unit, isPlural: false, ...(calendar && { system: 'calendar' as const }) })
  for (const { key: unit, phrase } of averagePhrases) add(phrase, { kind: 'average-per', unit })
  const { today, dataFrom, completeUntil } = layer.calendar
  for (const phrase of nowPhrases) add(phrase, { kind: 'time', time: { period: { from: today, to: nextDay(today), unit: 'day' } } }, 0.8)
  for (const phrase of everPhrases) add(phrase, { kind: 'time', time: { period: { from: dataFrom, to: nextDay(completeUntil) }, open: 'since' } })
  addGuesses(layer, addDerived, add)

  const nouns = new Set(
    [
      ...counters.keys(),
      ...[...layer.entities.values()].flatMap(namesOf),
      ...[...layer.metrics.values()].flatMap(namesOf).filter((name) => stems(name).length === 1),
    ].map((name) => key(stems(name))),
  )
  const all = [...phrases.values()].flat()
  const joined = new Map<string, Phrase[]>()
  for (const phrase of all) for (const word of joinedForms(phrase)) joined.set(word, [...(joined.get(word) ?? []), phrase])
  const vocabulary = new Set(all.flatMap((phrase) => phrase.words))
  return { phrases, joined, scattered: scatteredNames(layer, nouns), nouns, periods: periodsOf(layer), vocabulary, counters }
}

/** The same with values that were looked up. Only what they add is made anew. */
export function withValues(lexicon: Lexicon, found: readonly FoundValue[]): Lexicon {
  const phrases = new Map(lexicon.phrases)
  const joined = new Map(lexicon.joined)
  const vocabulary = new Set(lexicon.vocabulary)
  const choices = new Map<string, ValueChoice[]>()
  for (const { ref, value, said = value } of found) choices.set(said, [...(choices.get(said) ?? []), { ref, value }])
  for (const [text, values] of choices) {
    const phrase = valuePhrase(text, values, lexicon.counters)
    const [first] = phrase.words
    if (first === undefined) continue
    phrases.set(first, [...(phrases.get(first) ?? []), phrase])
    for (const word of joinedForms(phrase)) joined.set(word, [...(joined.get(word) ?? []), phrase])
    for (const word of phrase.words) vocabulary.add(word)
  }
  return { ...lexicon, phrases, joined, vocabulary }
}

/** "Enterprise customers" is a value that ends in what some metric counts. */
function valuePhrase(text: string, choices: readonly ValueChoice[], counters: ReadonlyMap<string, string>): Phrase {
  const words = stems(text)
  const counts = [...counters].find(([noun]) => isTail(words, stems(noun)))?.[1]
  return { words, atom: { kind: 'value', choices, ...(counts && { counts }) }, quality: 1 }
}

const joinedForms = ({ words }: Phrase): string[] => {
  const [first = '', second] = words
  return second !== undefined && words.length === 2 && first.length > 2 && !isChinese(first) ? [first + second] : []
}

const idle = new Set(fillerPhrases)

/** Each word of grammar with all that it may do; fillers do nothing. */
function grammar(): Map<string, Op[]> {
  const found = new Map<string, Op[]>(fillerPhrases.map((phrase) => [phrase, []]))
  for (const { key, phrase } of opPhrases) found.set(phrase, [...(found.get(phrase) ?? []), key])
  return found
}

const nextDay = (day: string): string => new Date(Date.parse(day) + 86_400_000).toISOString().slice(0, 10)
const isTail = (words: readonly string[], tail: readonly string[]): boolean =>
  words.length > tail.length && tail.every((word, i) => words[words.length - tail.length + i] === word)
const periodsOf = (layer: Layer): NamedPeriod[] =>
  layer.periods.flatMap((named) => namesOf(named).map((name) => ({ words: stems(name.replace(/^the /i, '')), period: named.period })))

/** "number of customers" and 客户数 say that customers, 客户, are what the metric counts. */
function countNouns(layer: Layer): Map<string, string> {
  const found = new Map<string, string>()
  for (const metric of layer.metrics.values()) {
    if (metric.unit !== 'count' || metric.kind === 'ratio') continue
    for (const name of namesOf(metric)) {
      const noun =
        /^(?:number of|how many) (.+)$/i.exec(name)?.[1] ??
        /^(.+) count$/i.exec(name)?.[1] ??
        /^(?:有?多少[个家位张条]?)(.{2,})$/u.exec(name)?.[1] ??
        /^(.*?)(?:总数|数量|数)$/u.exec(name)?.[1]
      if (noun && noun.length > 1 && !found.has(noun)) found.set(noun, metric.name)
    }
  }
  return found
}

/** Names of columns, each with all columns that bear it. */
function dimensionNames(layer: Layer): Map<string, string[]> {
  const found = new Map<string, string[]>()
  for (const dimension of layer.dimensions.values()) {
    for (const name of dimension.phrases.flatMap(namesOf)) found.set(name, [...new Set([...(found.get(name) ?? []), dimension.ref])])
  }
  return found
}

function valueNames(layer: Layer): Map<string, ValueChoice[]> {
  const found = new Map<string, ValueChoice[]>()
  const add = (text: string, choice: ValueChoice) => {
    const known = found.get(text) ?? []
    if (!known.some((other) => other.ref === choice.ref && other.value === choice.value)) found.set(text, [...known, choice])
  }
  for (const dimension of layer.dimensions.values()) {
    for (const value of dimension.values) {
      for (const name of [...namesOf(value), ...codeNames(value.value)]) add(name, { ref: dimension.ref, value: value.value, label: value.label })
    }
  }
  return found
}

/** A code is a name as well when it reads like words: `missing_feature`. */
const codeNames = (value: string): string[] => (/^[a-z][a-z_ -]{2,}$/i.test(value) ? [value.replaceAll('_', ' ')] : [])

/** What people leave out: "churn" for churn rate, "reason" for reason for leaving. Only where nothing else has that name. */
function addGuesses(layer: Layer, add: (text: string, atom: Atom, quality: number) => void, addAlways: typeof add): void {
  // Only words that are short for some rate: others ("resolve") stand for too much.
  const heard = new Set(
    [...layer.metrics.values()]
      .filter((metric) => metric.unit === 'percent')
      .flatMap(namesOf)
      .map((name) => name.replace(/ rate$|率$/iu, '').toLowerCase()),
  )
  for (const metric of layer.metrics.values()) {
    for (const name of namesOf(metric)) {
      const short = metric.unit === 'percent' ? (/^(.+) rate$/i.exec(name)?.[1] ?? /^(.{2,})率$/u.exec(name)?.[1]) : undefined
      if (short) add(short, { kind: 'metric', metric: metric.name, isGuess: true }, 0.6)
    }
  }
  for (const metric of layer.metrics.values()) {
    for (const name of namesOf(metric)) {
      // "Reasons for churn": where the rate cannot be meant, the count may be.
      const verb = metric.unit === 'count' ? (/^(\w+ed) \w+$/i.exec(name)?.[1]?.slice(0, -2) ?? /^(.{2}).{2}数?$/u.exec(name)?.[1]) : undefined
      if (verb && heard.has(verb.toLowerCase())) addAlways(verb, { kind: 'metric', metric: metric.name, isGuess: true }, 0.4)
    }
  }
  for (const metric of layer.metrics.values()) {
    for (const [rest, ref] of metricsOfValues(metric, layer)) addAlways(rest, { kind: 'metric', metric: metric.name, requires: ref }, 0.9)
  }
  const heads = new Map<string, Set<string>>()
  for (const dimension of layer.dimensions.values()) {
    for (const head of dimension.phrases.flatMap((names) => headWords(names, dimension))) heads.set(head, (heads.get(head) ?? new Set()).add(dimension.ref))
  }
  for (const [head, refs] of heads) add(head, { kind: 'dimension', refs: [...refs], isPlural: false, isGuess: true }, 0.6)
}

/** In "feature usage" a feature's name may take the column's place: "usage of dashboards". */
function metricsOfValues(metric: Metric, layer: Layer): [string, string][] {
  return metric.dimensions.flatMap((ref) => {
    const dimension = layer.dimensions.get(ref)
    if (!dimension || dimension.values.length === 0) return []
    return dimension.phrases.flatMap(namesOf).flatMap((column) =>
      namesOf(metric).flatMap((name): [string, string][] => {
        const rest = name.toLowerCase().startsWith(column.toLowerCase()) ? name.slice(column.length).trim() : ''
        if (rest === 'use')
          return [
            ['use', ref],
            ['used', ref],
          ]
        return rest.length > 1 && !/^(rate|count|数|率)$/.test(rest) ? [[rest, ref]] : []
      }),
    )
  })
}

function headWords(names: Names, dimension: Dimension): string[] {
  return namesOf(names)
    .flatMap((name) => {
      if (isChinese(name)) return name.length >= 4 ? [name.slice(-2)] : []
      const words = name.split(/[ -]/)
      if (words.length < 2 || dimension.column === words.at(-1)) return []
      const last = words.at(-1) ?? ''
      return words.includes('for') ? [words[0] ?? ''] : last === 'type' ? ['type', 'kind', 'sort'] : [last]
    })
    .filter((word) => word.length > 1)
}

/** Names of two or more words without words of grammar, to be found even when they stand apart. */
function scatteredNames(layer: Layer, nouns: ReadonlySet<string>): Lexicon['scattered'] {
  return [...layer.metrics.values()].flatMap((metric) =>
    namesOf(metric).flatMap((name) => {
      const durations = metric.unit === 'hours' || metric.unit === 'days' ? durationQuestions(name) : []
      if (durations.length > 0) {
        const paced = pacedVerbs(name).map((words) => ({ words, metric: metric.name, quality: 0.9, isDerived: true, isPaced: true }))
        return [...durations.map((words) => ({ words, metric: metric.name, quality: 0.9, isDerived: true })), ...paced]
      }
      const words = stems(name)
      if (!isChinese(name)) {
        const isPlain =
          (words.length >= 2 || /(?:ed|ings)$/.test(name)) &&
          words.length <= 3 &&
          words.every((word) => !functionWords.has(word) && !['per', 'from', 'time', 'average', 'number', 'rate', 'total'].includes(word))
        return isPlain ? [{ words, metric: metric.name, quality: 0.95 }] : []
      }
      return chinesePieces(words, nouns).map((pieces) => ({ words: pieces, metric: metric.name, quality: 0.9 }))
    }),
  )
}

/** "Time to resolve" is asked for by "how long do tickets take to resolve", 解决时间 by 多久解决. */
function durationQuestions(name: string): string[][] {
  const [, rest = ''] = /^(?:(?:average|mean) )?(?:time|days|hours) to (.+)$/i.exec(name) ?? []
  const verbs = stems(rest)
  const last = verbs.at(-1)
  if (last !== undefined) {
    const taking = [['take', ...verbs]]
    const forms = [verbs, pastOf(verbs, last)]
    return [...taking, ...['long', 'fast', 'quickly', 'soon'].flatMap((adverb) => forms.map((form) => ['how', adverb, ...form]))]
  }
  const [, chinese = ''] = /^(?:平均)?(.{2,})(?:时间|时长|天数)$/u.exec(name) ?? []
  return chinese === '' ? [] : ['多久', '多长时间', '几天', '多少天', '多少小时'].map((asked) => [asked, chinese])
}

const pastOf = (verbs: readonly string[], last: string): string[] => [...verbs.slice(0, -1), last.endsWith('e') ? `${last}d` : `${last}ed`]

/** "Took longest to resolve", "resolved slowest", "fastest first response", 解决得最慢: what was done, with how fast. */
function pacedVerbs(name: string): (readonly string[])[] {
  const [, rest = ''] = /^(?:(?:average|mean) )?(?:time|days|hours) to (.+)$/i.exec(name) ?? []
  const verbs = stems(rest)
  const last = verbs.at(-1)
  if (last !== undefined) return [['took', ...verbs], verbs, pastOf(verbs, last)]
  const [, chinese = ''] = /^(?:平均)?(.{2,})(?:时间|时长|天数)$/u.exec(name) ?? []
  return chinese === '' ? [] : [[chinese], [`${chinese}得`]]
}

/** 流失客户 → 流失 + 客户, since 客户 is a noun by itself. Pieces keep their characters together. */
function chinesePieces(words: readonly string[], nouns: ReadonlySet<string>): string[][] {
  const bare = ['数', '量'].includes(words.at(-1) ?? '') ? words.slice(0, -1) : words
  const pieces: string[][] = []
  for (let cut = 1; cut < bare.length; cut++) {
    const [left, right] = [bare.slice(0, cut), bare.slice(cut)]
    if (nouns.has(right.join(' ')) && left.length >= 2) pieces.push([left.join(''), right.join('')])
    if (nouns.has(left.join(' ')) && right.length >= 2) pieces.push([left.join(''), right.join('')])
  }
  return pieces
}
