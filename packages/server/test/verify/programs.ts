/** Programs for the agent `crash`, and what they must come to. */
import type { Json } from '@longhaul/protocol'
import type { Command } from '../fixtures/agents/crash/agent/agent.ts'

export type { Command }

/** One of everything that a run can do. */
export const everything: Command[] = [
  { do: 'step', name: 'first' },
  { do: 'sleep', name: 'nap', ms: 30 },
  {
    do: 'all',
    branches: [
      [{ do: 'step', name: 'left' }],
      [
        { do: 'sleep', name: 'pause', ms: 20 },
        { do: 'step', name: 'right', failures: 1 },
      ],
    ],
  },
  { do: 'write', name: 'charge', isChecked: true },
  { do: 'signal', name: 'word' },
  { do: 'write', name: 'mail', isChecked: false },
  { do: 'call', commands: [{ do: 'step', name: 'of the child' }] },
  { do: 'exec', word: 'inside' },
  { do: 'approval', name: 'Go on?' },
  { do: 'step', name: 'last' },
]

/** The same in two halves, and without what costs commits and adds no kind of them: in the matrix of the server each commit costs two starts. */
const isEffect = ({ do: what }: Command) => what === 'write' || what === 'call'
export const oneOfEach: Record<'waits' | 'effects and children', Command[]> = {
  waits: everything
    .filter((command) => !isEffect(command))
    .map((command): Command => (command.do === 'all' ? { do: 'all', branches: [[{ do: 'step', name: 'left' }], [{ do: 'step', name: 'right' }]] } : command)),
  'effects and children': everything.filter(isEffect),
}

/** What the person answers. */
export const wordFor = (name: string): string => `the word for ${name}`

/** The output, by what the commands mean and not by executing them. */
export function outputOf(commands: readonly Command[]): Json {
  const outputOfOne = (command: Command): Json => {
    switch (command.do) {
      case 'step':
      case 'write':
        return `${command.name} done`
      case 'sleep':
        return null
      case 'signal':
        return wordFor(command.name)
      case 'approval':
        return true
      case 'exec':
        return command.word
      case 'all':
        return command.branches.map(outputOf)
      case 'map':
        return command.items.map(outputOf)
      case 'call':
        return outputOf(command.commands)
      case 'any':
        return command.name
    }
  }
  return commands.map(outputOfOne)
}

const branchesOf = (command: Command): Command[][] => (command.do === 'all' ? command.branches : command.do === 'map' ? command.items : [])

/** How many children it starts itself. */
export const childCountOf = (commands: readonly Command[]): number =>
  commands.reduce((sum, command) => sum + Number(command.do === 'call') + branchesOf(command).reduce((inner, branch) => inner + childCountOf(branch), 0), 0)

/** How often each step must have been executed if nothing was ever in the way. */
export function stepsOf(commands: readonly Command[]): Map<string, number> {
  const steps = new Map<string, number>()
  for (const command of commands) {
    if (command.do === 'step') steps.set(command.name, 1 + (command.failures ?? 0))
    for (const branch of branchesOf(command)) for (const [name, count] of stepsOf(branch)) steps.set(name, count)
  }
  return steps
}

/** What must take effect once at most, and whether it must exactly once: it has a check. */
export function writesOf(commands: readonly Command[]): Map<string, boolean> {
  const writes = new Map<string, boolean>()
  for (const command of commands) {
    if (command.do === 'write') writes.set(command.name, command.isChecked)
    for (const branch of branchesOf(command)) for (const [name, isChecked] of writesOf(branch)) writes.set(name, isChecked)
  }
  return writes
}

/** A program that nobody thought of. `random` returns numbers from 0 up to 1. */
export function randomProgram(random: () => number, depth = 0, names = { count: 0 }): Command[] {
  const name = (kind: string) => `${kind} ${names.count++}`
  const below = (limit: number) => Math.floor(random() * limit)
  return Array.from({ length: 1 + below(depth === 0 ? 10 : 3) }, (): Command => {
    const choice = random()
    if (choice < 0.1) return { do: 'write', name: name('write'), isChecked: random() < 0.5 }
    if (choice < 0.45) return { do: 'step', name: name('step'), failures: random() < 0.15 ? 1 + below(2) : 0 }
    if (choice < 0.6) return { do: 'sleep', name: name('sleep'), ms: random() < 0.2 ? 1_100 + below(500) : below(80) }
    if (choice < 0.7) return { do: 'signal', name: name('signal') }
    if (choice < 0.78) return { do: 'approval', name: name('approval') }
    if (choice < 0.785) return { do: 'exec', word: name('word') } // Rare: a sandbox is a process of its own, which costs as much as a hundred steps.
    if (choice < 0.82) return { do: 'any', name: name('any') }
    if (choice < 0.86 && depth < 2)
      return {
        do: 'call',
        commands: [
          { do: 'sleep', name: name('sleep'), ms: below(50) },
          { do: 'step', name: name('step') },
        ],
      }
    if (depth > 1) return { do: 'step', name: name('step') }
    if (choice < 0.93) return { do: 'map', concurrency: 2, items: Array.from({ length: 1 + below(4) }, () => randomProgram(random, 2, names)) }
    return { do: 'all', branches: Array.from({ length: 2 + below(2) }, () => randomProgram(random, depth + 1, names)) }
  })
}
