/** A piece of code and what it is. Enough grammar to read SQL and JSON by, and no more. */
export type Token = { text: string; role: 'plain' | 'keyword' | 'string' | 'number' | 'comment' }

const sqlWords = new Set(
  `select from where group by order having limit offset as and or not in is null like ilike between case when then else end join left right full inner outer cross on using union all
   intersect except with recursive distinct over partition rows range preceding following current row asc desc nulls first last exists any filter interval date timestamp cast true false
   qualify lateral values grouping sets rollup cube window at time zone`.split(/\s+/),
)
const sqlPattern = /(--[^\n]*|\/\*[\s\S]*?(?:\*\/|$))|('(?:[^']|'')*'?)|("(?:[^"]|"")*"?)|(\b\d[\d_]*(?:\.\d+)?(?:e[+-]?\d+)?\b)|([A-Za-z_][A-Za-z_0-9]*)/gi

export function sqlTokens(sql: string): Token[] {
  return tokens(sql, sqlPattern, ([, comment, text, , number, word]) => {
    if (comment) return 'comment'
    if (text) return 'string'
    if (number) return 'number'
    return word && sqlWords.has(word.toLowerCase()) ? 'keyword' : 'plain'
  })
}

const jsonPattern = /("(?:[^"\\]|\\.)*")(\s*:)?|(-?\b\d+(?:\.\d+)?(?:[eE][+-]?\d+)?\b)|\b(true|false|null)\b/g

export function jsonTokens(json: string): Token[] {
  return tokens(json, jsonPattern, ([, text, colon, number]) => (text ? (colon ? 'keyword' : 'string') : number ? 'number' : 'number'))
}

function tokens(source: string, pattern: RegExp, roleOf: (match: RegExpMatchArray) => Token['role']): Token[] {
  const found: Token[] = []
  let at = 0
  for (const match of source.matchAll(pattern)) {
    if (match.index > at) found.push({ text: source.slice(at, match.index), role: 'plain' })
    found.push({ text: match[0], role: roleOf(match) })
    at = match.index + match[0].length
  }
  if (at < source.length) found.push({ text: source.slice(at), role: 'plain' })
  return found
}
