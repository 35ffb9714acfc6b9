/** In which order the targets of a route are asked. Pure: the caller brings the facts and the dice. */
import { createHash } from 'node:crypto'
import type { Route, RouteTarget } from '@longhaul/protocol'
import { type Facts, holds } from './conditions.ts'

export type Judged = { model: string; isAsked: boolean; why: string }

/** Every target with what is to become of it, those that are asked first in the order of asking. */
export function judgeTargets(route: Route, facts: Facts, random: () => number): Judged[] {
  const judged = route.targets.map((target) => ({ target, ...judge(target, facts) }))
  const asked = judged.filter(({ isAsked }) => isAsked)
  const left = judged.filter(({ isAsked }) => !isAsked)
  const dice = route.sticky && facts.caller.session !== '' ? diceOf(`${route.name} ${facts.caller.session}`) : random
  const ordered = route.pick === 'weight' ? byWeight(asked, dice) : asked
  return [...ordered, ...left].map(({ target, isAsked, why }) => ({ model: target.model, isAsked, why }))
}

function judge({ when }: RouteTarget, facts: Facts): { isAsked: boolean; why: string } {
  if (when === undefined) return { isAsked: true, why: 'always' }
  const result = holds(when, facts)
  return { isAsked: result === true, why: result === undefined ? `${when}: cannot be told of this request` : `${when}: ${result ? 'holds' : 'does not hold'}` }
}

/** Drawn without putting back: each target is next with the chance that its weight gives it. */
function byWeight<Each extends { target: RouteTarget }>(targets: readonly Each[], random: () => number): Each[] {
  const left = [...targets]
  const drawn: Each[] = []
  while (left.length > 0) {
    let at = random() * left.reduce((sum, { target }) => sum + target.weight, 0)
    const found = left.findIndex(({ target }) => (at -= target.weight) < 0)
    drawn.push(...left.splice(found === -1 ? left.length - 1 : found, 1))
  }
  return drawn
}

/** The same dice for the same name: a session is drawn its target once and for all, on every server, as long as the route stays. */
function diceOf(name: string): () => number {
  let throws = 0
  return () => createHash('sha256').update(`${name} ${throws++}`).digest().readUInt32BE() / 2 ** 32
}
