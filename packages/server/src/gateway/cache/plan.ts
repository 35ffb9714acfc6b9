/** Whether a request may be answered from the cache, and what is the same request. Pure. */
import { createHash } from 'node:crypto'
import type { CacheRule } from '@longhaul/protocol'
import type { FaceCall } from '../faces/face-call.ts'
import { refuse } from '../faces/request-body.ts'
import { writeCanonical } from './canonical.ts'
import { lastWordsOf } from './last-words.ts'

export type CachePlan = { key: Buffer; ttlMs: number; mayRead: boolean; similar?: SimilarPlan | undefined }

/** What was asked in other words may do. `scope`: all of the request but the last words. */
export type SimilarPlan = { scope: Buffer; text: string; embedding: string; threshold: number }

type Planning = {
  call: FaceCall
  /** Of the route. */
  rule: CacheRule | undefined
  /** `x-longhaul-cache`: the caller's own word on it, which counts more. */
  wish: string | undefined
  /** `provider/model` of all that could answer. */
  targets: readonly string[]
  /** Of the caller's, those that the provider sees. */
  headers: Readonly<Record<string, string>>
}

/** Undefined when it may not. */
export function planCache({ call, rule, wish, targets, headers }: Planning): CachePlan | undefined {
  const wished = wish === undefined ? undefined : readWish(wish)
  if (wished?.isOff || (!wished && !rule)) return undefined
  const { fields } = call.body
  if (hasMemory(fields)) return undefined
  if (hasTools(fields) && !(wished?.withTools || rule?.withTools)) return undefined
  const digest = (asked: Record<string, unknown>): Buffer => {
    const hash = createHash('sha256')
    hash.update(JSON.stringify([call.face, targets.toSorted(), call.isStream]))
    writeCanonical([headers, asked], (text) => hash.update(text))
    return hash.digest()
  }
  // What a model may call is decided by the very words, so there no others do.
  const words = rule?.similar && !hasTools(fields) ? lastWordsOf(call) : undefined
  return {
    key: digest(relevant(call.face, fields)),
    ttlMs: (wished?.ttlSeconds ?? rule?.ttlSeconds ?? ttlSecondsUsual) * 1_000,
    mayRead: !wished?.isRefresh,
    similar: rule?.similar && words && { ...rule.similar, scope: digest(relevant(call.face, words.rest)), text: words.text },
  }
}

const ttlSecondsUsual = 3_600
export const ttlSecondsMax = 30 * 86_400

type Wish = { isOff: boolean; isRefresh: boolean; withTools: boolean; ttlSeconds: number | undefined }

function readWish(text: string): Wish {
  const wish: Wish = { isOff: false, isRefresh: false, withTools: false, ttlSeconds: undefined }
  for (const word of text.split(',').map((each) => each.trim())) {
    const seconds = /^ttl=(\d{1,7})$/.exec(word)?.[1]
    if (word === 'off') wish.isOff = true
    else if (word === 'refresh') wish.isRefresh = true
    else if (word === 'tools') wish.withTools = true
    else if (seconds !== undefined && Number(seconds) >= 1 && Number(seconds) <= ttlSecondsMax) wish.ttlSeconds = Number(seconds)
    else if (word !== 'on')
      throw refuse('bad_request', `x-longhaul-cache: must be on, off, refresh, tools or ttl=<seconds up to ${ttlSecondsMax}>, or several with commas.`)
  }
  return wish
}

const isGiven = (value: unknown): boolean => value !== undefined && value !== null && value !== false && !(Array.isArray(value) && value.length === 0)

/** It goes on from, or leaves, something at the provider: the same words are not the same request. */
const hasMemory = (fields: Record<string, unknown>): boolean =>
  ['previous_response_id', 'conversation', 'prompt', 'background', 'container'].some((name) => isGiven(fields[name]))

/** The answer may be a call of a tool, and whoever gets it again does again what it says; or the provider executes something itself. */
const hasTools = (fields: Record<string, unknown>): boolean => ['tools', 'functions', 'web_search_options', 'mcp_servers'].some((name) => isGiven(fields[name]))

/** Who asks makes no difference, except where the answer repeats it: responses do. The model is in the targets. */
const labels = ['user', 'safety_identifier', 'metadata', 'prompt_cache_key']

function relevant(face: FaceCall['face'], fields: Record<string, unknown>): Record<string, unknown> {
  const left = face === 'responses' ? ['model'] : ['model', ...labels]
  return Object.fromEntries(Object.entries(fields).filter(([name]) => !left.includes(name)))
}
