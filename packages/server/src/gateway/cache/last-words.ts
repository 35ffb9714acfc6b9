/** The last words of a request, apart from all else in it, and whether two of them may mean the same. Pure. */
import type { FaceCall } from '../faces/face-call.ts'

type Fields = Record<string, unknown>
const fieldsOf = (value: unknown): Fields => (typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {}) // An object that is no array.

const lengthMax = 2_000

/** `rest`: the request's fields without the words. Undefined where the last message is not a user's, is more than one text, or is long. */
export function lastWordsOf({ face, body: { fields } }: Pick<FaceCall, 'face' | 'body'>): { text: string; rest: Fields } | undefined {
  if (face === 'embeddings') return undefined
  const name = face === 'responses' ? 'input' : 'messages'
  const content = fields[name]
  if (typeof content === 'string') return withText(content, { ...fields, [name]: null })
  if (!Array.isArray(content)) return undefined
  const last = fieldsOf(content.at(-1))
  if (last['role'] !== 'user') return undefined
  const { content: said, ...message } = last
  const text = typeof said === 'string' ? said : textOfParts(said)
  return text === undefined ? undefined : withText(text, { ...fields, [name]: [...content.slice(0, -1), message] })
}

const withText = (text: string, rest: Fields) => (text.trim() === '' || text.length > lengthMax ? undefined : { text, rest })

function textOfParts(parts: unknown): string | undefined {
  if (!Array.isArray(parts) || parts.length !== 1) return undefined
  const { text } = fieldsOf(parts[0])
  return typeof text === 'string' ? text : undefined
}

/** They say nothing about what is asked. */
const fillers = new Set(
  'a an the is are was were be been am do does did can could would should will shall may might i you he she it we they me my your our their to of for in on at by with and or please tell say show give what which who how when where why that this these those there have has had'.split(
    ' ',
  ),
)
const negations = /^(no|not|never|none|without|cannot|nor|neither|.*n['’]t)$/
const opposites = new Map(
  'enable disable,on off,add remove,add delete,create delete,open close,start stop,increase decrease,raise lower,more less,most least,before after,first last,buy sell,in out,up down,max min,maximum minimum,old new,with without,all none,always never,true false,yes no,accept reject,allow deny,import export,push pull,login logout,send receive,upgrade downgrade,highest lowest,best worst,include exclude,import export,black white,left right,hot cold,male female,debit credit,profit loss,import export'
    .split(',')
    .flatMap((pair) => {
      const [one = '', other = ''] = pair.split(' ')
      return [
        [one, other],
        [other, one],
      ] as [string, string][]
    }),
)
const negating = ['un', 'dis', 'in', 'im', 'ir', 'de', 'non']
const chineseNegation = /[不没無无非未别莫]/g

/**
 * Vectors hold «enable 2FA» and «disable 2FA» for nearly the same. So these must agree: every number and name, every negation, at least half of the words that
 * carry something; and no word of one may be the opposite of a word of the other. It errs on the side of asking a model.
 */
export function mayMeanTheSame(one: string, other: string): boolean {
  const [left, right] = [wordsOf(one), wordsOf(other)]
  if (!isSame(left.marks, right.marks) || left.negations !== right.negations) return false
  const onlyLeft = [...left.words].filter((word) => !right.words.has(word))
  const onlyRight = [...right.words].filter((word) => !left.words.has(word))
  if (onlyLeft.some((word) => onlyRight.some((against) => isOpposite(word, against)))) return false
  const shared = left.words.size - onlyLeft.length
  const all = shared + onlyLeft.length + onlyRight.length
  return all === 0 ? one.trim() === other.trim() : shared / all >= 0.5
}

/** `marks`: numbers, codes and names, which have to be the same. */
function wordsOf(text: string): { words: Set<string>; marks: Set<string>; negations: number } {
  const words = new Set<string>()
  const marks = new Set<string>()
  let negated = text.match(chineseNegation)?.length ?? 0
  for (const [at, raw] of (text.normalize('NFKC').match(/[\p{Script=Han}]|[\p{L}\p{N}][\p{L}\p{N}'’._%-]*/gu) ?? []).entries()) {
    const bare = raw.replace(/[.'’_%-]+$/, '')
    const word = bare.toLowerCase()
    if (negations.test(word)) negated++
    else if (/\p{N}/u.test(word) || /[._]/.test(word)) marks.add(word)
    else if (at > 0 && /^\p{Lu}/u.test(bare) && !fillers.has(word)) marks.add(word)
    else if (!fillers.has(word)) words.add(stemOf(word))
    if (opposites.has(word) && fillers.has(word)) words.add(word) // «on», «in»: nothing by themselves, everything beside «off».
  }
  return { words, marks, negations: negated }
}

const stemOf = (word: string): string => (word.length > 4 ? word.replace(/(ies|es|s|ing|ed)$/, '') : word)

function isOpposite(one: string, other: string): boolean {
  if (opposites.get(one) === other || [...opposites].some(([word, against]) => stemOf(word) === one && stemOf(against) === other)) return true
  return negating.some((prefix) => one === prefix + other || other === prefix + one)
}

const isSame = (one: ReadonlySet<string>, other: ReadonlySet<string>): boolean => one.size === other.size && [...one].every((each) => other.has(each))
