/**
 * What routes that learn come to in quality and cost. **The outcomes are made up**, by the rules below, since no model is asked here: they show what the
 * learner makes of differences between tasks where there are some, and that it finds none where there are none. On real calls: `longhaul routes evaluate`.
 */
import { type Case, diceOf, evaluate } from '../packages/server/src/gateway/routes/evaluate.ts'
import type { Line } from './line.ts'

const models = ['made-up/small', 'made-up/strong']
const dollars = [0.001, 0.01]
const caseCount = 4_000
const taskCount = 30
const seeds = [1, 2, 3, 4, 5]

type World = {
  name: string
  /** How often the small model does well in a task, and in a request of it that looks so hard. */ small(task: number, difficulty: number): number
}

/** A strong model does well in 92 of 100. The small one differs by task, by how hard the request looks, by both, or by nothing that can be seen. */
const worlds: World[] = [
  { name: 'tasks', small: (task) => 0.3 + 0.65 * (task / (taskCount - 1)) },
  { name: 'difficulty', small: (_, difficulty) => 0.95 - 0.6 * difficulty },
  { name: 'both', small: (task, difficulty) => 0.5 + 0.45 * (task / (taskCount - 1)) - 0.3 * difficulty },
  { name: 'nothing', small: () => 0.65 },
]

function casesOf({ small }: World, seed: number): Case[] {
  const dice = diceOf(seed)
  return Array.from({ length: caseCount }, () => {
    const task = Math.floor(dice() * taskCount)
    const difficulty = dice()
    const tried = [small(task, difficulty), 0.92].map((rate, place) => {
      const good = dice() < rate ? 1 : 0
      return { good, cost: dollars[place], lesson: good }
    })
    return { task: { task: `task-${task}`, kind: `kind-${task % 5}`, difficulty }, tried }
  })
}

export async function routesBench(emit: (line: Line) => void): Promise<void> {
  for (const world of worlds) {
    const results = seeds.map((seed) => evaluate(casesOf(world, seed), models, { tolerance: 0.1, explore: 0.05 }))
    const mean = (of: (result: (typeof results)[number]) => number) => results.reduce((sum, result) => sum + of(result), 0) / results.length
    const note = (figure: string, value: number, unit: string) =>
      emit({ figure: `synthetic_${world.name}_${figure}`, value, unit, n: caseCount * seeds.length })
    const policyOf = (result: (typeof results)[number], name: string) => result.policies.find(({ policy }) => policy === name)
    for (const [short, name] of [
      ['learned', 'learned'],
      ['keywords', 'keywords'],
      ['small', `always ${models[0]}`],
      ['strong', `always ${models[1]}`],
      ['random', 'random'],
    ] as const) {
      note(
        `${short}_quality`,
        mean((result) => policyOf(result, name)?.quality.mean ?? NaN),
        '',
      )
      note(
        `${short}_cost`,
        mean((result) => (policyOf(result, name)?.cost?.mean ?? NaN) * 1_000),
        '$/1000',
      )
    }
    note(
      'learned_recovered',
      mean((result) => policyOf(result, 'learned')?.recovered ?? NaN),
      '',
    )
    note(
      'gain_over_lot',
      mean(({ gain }) => gain.mean),
      '',
    )
    note('gain_low', Math.min(...results.map(({ gain }) => gain.low)), '')
    note('gain_high', Math.max(...results.map(({ gain }) => gain.high)), '')
  }
}
