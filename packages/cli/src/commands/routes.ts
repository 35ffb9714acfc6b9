import { readFile } from 'node:fs/promises'
import type { Route } from '@longhaul/protocol'
import { exitCodes } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { Problem } from '../problem.ts'
import { printFields, printList } from '../show/records.ts'
import { ago } from '../show/values.ts'

type SetOptions = {
  target?: string[]
  cache?: string
  cacheTools?: boolean
  cacheSimilar?: string
  holdStreams?: boolean
  cacheEmbedding?: string
  file?: string
  pick?: 'order' | 'weight' | 'learned'
  tolerance?: number
  explore?: number
  escalate: boolean
  sticky: boolean
  description?: string
}
type Target = { model: string; weight?: number; when?: string }

export async function listRoutes(invocation: Invocation): Promise<number> {
  const list = await (await invocation.client()).routes.list()
  if (invocation.isJson) invocation.printJson(list)
  else {
    const rows = list.items.map((route) => [
      route.name,
      route.pick,
      route.targets.map(({ model }) => (problemOf(route, model) === undefined ? model : `${model} (cannot be asked)`)).join(', '),
      ago(route.updatedAt),
      route.description,
    ])
    printList(invocation, [{ name: 'route', isWhole: true }, { name: 'pick' }, { name: 'targets' }, { name: 'changed' }, { name: 'description' }], rows, [
      'No routes. Make one: npx longhaul routes set smart --target anthropic/claude-sonnet-5-5 --target openai/gpt-6.1-terra',
    ])
  }
  return exitCodes.done
}

export async function showRoute(invocation: Invocation, name: string): Promise<number> {
  return show(invocation, await (await invocation.client()).routes.get({ name }))
}

export async function setRoute(invocation: Invocation, name: string, options: SetOptions): Promise<number> {
  const targets = options.file === undefined ? (options.target ?? []).map(parseTarget) : await readTargets(options.file)
  if (targets.length === 0) throw new Problem('invalid', 'A route needs a target.', 'Name one with --target provider/model, or give a file with --file.')
  const { pick, escalate, holdStreams = false, sticky, description, tolerance, explore } = options
  if (pick !== 'learned' && (tolerance !== undefined || explore !== undefined))
    throw new Problem('invalid', '--tolerance and --explore are for routes that learn.', 'Add --pick learned.')
  const cache = parseCache(options)
  const client = await invocation.client()
  return show(
    invocation,
    await client.routes.set({
      name,
      targets,
      escalate,
      ...(holdStreams ? { holdStreams } : {}),
      sticky,
      ...(pick ? { pick } : {}),
      ...(cache ? { cache } : {}),
      ...(tolerance === undefined && explore === undefined
        ? {}
        : { learning: { ...(tolerance === undefined ? {} : { tolerance }), ...(explore === undefined ? {} : { explore }) } }),
      ...(description === undefined ? {} : { description }),
    }),
  )
}

export async function deleteRoute(invocation: Invocation, name: string): Promise<number> {
  const route = await (await invocation.client()).routes.delete({ name })
  if (invocation.isJson) invocation.printJson(route)
  else invocation.terminal.print(`  Route ${route.name} is deleted.`)
  return exitCodes.done
}

export async function clearCache(invocation: Invocation): Promise<number> {
  const cleared = await (await invocation.client()).routes.clearCache()
  if (invocation.isJson) invocation.printJson(cleared)
  else invocation.terminal.print(`  ${cleared.deleted} kept answer${cleared.deleted === 1 ? ' is' : 's are'} forgotten.`)
  return exitCodes.done
}

export async function tryRoute(invocation: Invocation, name: string, text: string, { session, agent }: { session?: string; agent?: string }): Promise<number> {
  const judged = await (
    await invocation.client()
  ).routes.try({ name, text, ...(session === undefined ? {} : { session }), ...(agent === undefined ? {} : { agent }) })
  if (invocation.isJson) invocation.printJson(judged)
  else {
    const asked = judged.targets.filter(({ isAsked }) => isAsked)
    const rows = judged.targets.map((target) => [target.isAsked ? String(asked.indexOf(target) + 1) : '–', target.model, target.why])
    printList(invocation, [{ name: 'asked' }, { name: 'model', isWhole: true }, { name: 'why' }], rows, ['No targets.'])
    invocation.terminal.print(`  difficulty ${judged.difficulty}`, '')
  }
  return exitCodes.done
}

const problemOf = ({ problems = [] }: Route, model: string): string | undefined => problems.find((one) => one.model === model)?.problem

function show(invocation: Invocation, route: Route): number {
  if (invocation.isJson) invocation.printJson(route)
  else {
    printFields(invocation, [
      ['route', route.name],
      ['about', route.description],
      ['first', firstOf(route)],
      [
        'escalates',
        route.escalate && `an answer that is not what was asked for goes to the next target${route.holdStreams ? '; streams are held for that' : ''}`,
      ],
      [
        'cache',
        route.cache &&
          `answers are kept for ${route.cache.ttlSeconds} s${route.cache.withTools ? ', those to requests with tools as well' : ''}${similarOf(route.cache)}`,
      ],
      ...route.targets.map(({ model, weight, when }, i): [string, string] => [
        `target ${i + 1}`,
        `${model}${route.pick === 'weight' ? ` × ${weight}` : ''}${when === undefined ? '' : ` when ${when}`}`,
      ]),
      ['changed', ago(route.updatedAt)],
    ])
    const { problems = [] } = route
    for (const { model, problem } of problems) invocation.terminal.print(`  ${model} cannot be asked, so calls pass over it. ${problem}`)
    if (problems.length > 0) invocation.terminal.print('')
  }
  return exitCodes.done
}

function firstOf({ pick, sticky, learning }: Route): string {
  if (pick === 'order') return 'the first target that fits'
  if (pick === 'weight') return `drawn by weight${sticky ? ', the same for a session' : ''}`
  const { tolerance = 0.05, explore = 0.05 } = learning ?? {}
  return `the smallest that does about as well as the best (within ${tolerance * 100} points; ${explore * 100} % are drawn)${sticky ? ', never a smaller one in a session' : ''}`
}

const similarOf = ({ similar }: NonNullable<Route['cache']>): string =>
  similar ? `, also for other words that are alike by ${similar.threshold} (${similar.embedding})` : ''

function parseCache({ cache, cacheTools = false, cacheSimilar, cacheEmbedding }: SetOptions): Route['cache'] {
  if (cache === undefined && !cacheTools && cacheSimilar === undefined) return undefined
  const ttlSeconds = Number(cache)
  if (cache === undefined || !Number.isInteger(ttlSeconds) || ttlSeconds < 1)
    throw new Problem('invalid', `--cache ${cache ?? ''} is no number of seconds.`, 'Say how long answers are kept: --cache 3600.')
  if ((cacheSimilar === undefined) !== (cacheEmbedding === undefined))
    throw new Problem('invalid', 'Vectors need a model, and a threshold.', 'Give both: --cache-similar 0.95 --cache-embedding openai/text-embedding-3-small.')
  const similar = cacheEmbedding === undefined ? undefined : { embedding: cacheEmbedding, threshold: Number(cacheSimilar) }
  return { ttlSeconds, withTools: cacheTools, ...(similar && { similar }) }
}

/** `openai/gpt-5`, `openai/gpt-5*3` for a weight, `openai/gpt-5 when request.tools > 0` for a condition. */
function parseTarget(text: string): Target {
  const [, model = '', weight, when] = /^(\S+?)(?:\*(\d{1,4}))?(?:\s+when\s+(.+))?$/s.exec(text.trim()) ?? []
  if (!model.includes('/'))
    throw new Problem('invalid', `"${text}" is not a target.`, 'A target looks like openai/gpt-5, openai/gpt-5*3, or "openai/gpt-5 when request.tools > 0".')
  return { model, ...(weight === undefined ? {} : { weight: Number(weight) }), ...(when === undefined ? {} : { when }) }
}

async function readTargets(file: string): Promise<Target[]> {
  try {
    return JSON.parse(await readFile(file, 'utf8')) as Target[] // The server checks each field.
  } catch (error) {
    throw new Problem(
      'invalid',
      `${file} cannot be read: ${error instanceof Error ? error.message : error}`,
      'It holds a list such as [{"model": "openai/gpt-5", "weight": 3}].',
    )
  }
}
