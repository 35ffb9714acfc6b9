/** Anything that survives a round trip through JSON unchanged. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json }

/** No value may nest deeper: `JSON.stringify` and PostgreSQL both overflow somewhere past this. */
export const jsonDepthMax = 200

const badText = /\u0000|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]/

/**
 * Says why `value` would not come back from the journal as it went in, with the path to the culprit; undefined when it would.
 * Refused: functions, symbols, bigint, NaN and infinities, class instances (Date, Map, Error, Uint8Array, …), cycles,
 * nesting deeper than `jsonDepthMax`, U+0000 and lone surrogates (PostgreSQL stores neither), `undefined` inside arrays.
 * An object property that is `undefined` is allowed: it is absent afterwards, which is what it means in this code base.
 */
export function whyNotJson(value: unknown, path = '$', depth = 0): string | undefined {
  if (value === null) return undefined
  switch (typeof value) {
    case 'boolean':
      return undefined
    case 'number':
      return Number.isFinite(value) ? undefined : `${path} is ${value}, which JSON cannot hold`
    case 'string':
      return badText.test(value) ? `${path} holds U+0000 or half of a surrogate pair, which cannot be stored` : undefined
    case 'object':
      return whyNotJsonObject(value, path, depth)
    default:
      return `${path} is ${typeof value === 'undefined' ? 'undefined' : `a ${typeof value}`}, which JSON cannot hold`
  }
}

function whyNotJsonObject(value: object, path: string, depth: number): string | undefined {
  if (depth >= jsonDepthMax) return `${path.slice(0, 80)}… is nested deeper than ${jsonDepthMax} levels, or refers to itself`
  if (Array.isArray(value)) {
    for (let i = 0; i < value.length; i++) {
      const why = whyNotJson(value[i], `${path}[${i}]`, depth + 1)
      if (why) return why
    }
    return undefined
  }
  const prototype = Object.getPrototypeOf(value)
  if (prototype !== Object.prototype && prototype !== null) {
    return `${path} is a ${value.constructor?.name ?? 'class instance'}, which JSON would change; turn it into plain data first`
  }
  for (const [key, inner] of Object.entries(value)) {
    if (inner === undefined) continue
    const why = (badText.test(key) ? `${path} has a key that cannot be stored` : undefined) ?? whyNotJson(inner, `${path}.${key}`, depth + 1)
    if (why) return why
  }
  return undefined
}

/** Makes any text storable: U+0000 and lone surrogates become U+FFFD. For output of commands and other bytes of unknown origin. */
export function storableText(text: string): string {
  return text.toWellFormed().replaceAll('\u0000', '\ufffd')
}

/**
 * Without what a person would not see and a model would read: control characters, marks of direction, zero-width and tag characters,
 * variation selectors, private use.
 */
export function visibleText(text: string): string {
  return text.toWellFormed().replaceAll(/(?![\t\n])[\p{Cc}\p{Cf}\p{Co}\p{Default_Ignorable_Code_Point}]/gu, '')
}

export const shorten = (text: string, max: number): string => (text.length <= max ? text : `${text.slice(0, max - 1)}…`.toWellFormed())
