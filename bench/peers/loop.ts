/** An agent's loop in a process of its own, around a scripted model that calls a tool in every turn but the last. */

export type LoopOrder = { kind: 'gaps'; sessions: number; turns: number } | { kind: 'sessions'; sessions: number; turns: number; modelMs: number }
/** Of each turn: from the model's answer, which calls a tool, until it is asked again. */
export type Gaps = { gapMs: number[] }
/** Of each session: how long it took, less what the model took. */
export type Shares = { shareMs: number[]; memoryMbBefore: number; memoryMbMost: number }

/** What the model says: a call of the tool `note`, or its last words. */
export type Said = { callId: string; n: number } | 'Done.'

export class Script {
  readonly #turns: number
  readonly #modelMs: number
  readonly #gapMs: number[]
  #turn = 0
  #answeredAt: number | undefined

  constructor(turns: number, modelMs: number, gapMs: number[]) {
    this.#turns = turns
    this.#modelMs = modelMs
    this.#gapMs = gapMs
  }

  async ask(): Promise<Said> {
    if (this.#answeredAt !== undefined) this.#gapMs.push(performance.now() - this.#answeredAt)
    if (this.#modelMs > 0) await new Promise((resolve) => setTimeout(resolve, this.#modelMs))
    this.#turn++
    this.#answeredAt = performance.now()
    return this.#turn < this.#turns ? { callId: `call-${this.#turn}`, n: this.#turn } : 'Done.'
  }
}

/** Runs as many sessions as it is told, spread over the time of one answer, and measures what is not the model. */
export async function follow(
  { sessions, turns, ...order }: LoopOrder,
  run: (id: string, script: Script) => Promise<unknown>,
  memoryMb: () => number,
): Promise<Gaps & Shares> {
  const gapMs: number[] = []
  const shareMs: number[] = []
  const modelMs = order.kind === 'sessions' ? order.modelMs : 0
  const memoryMbBefore = memoryMb()
  let memoryMbMost = memoryMbBefore
  const looking = setInterval(() => (memoryMbMost = Math.max(memoryMbMost, memoryMb())), 200)
  const one = async (at: number) => {
    await new Promise((resolve) => setTimeout(resolve, (at * modelMs) / sessions))
    const from = performance.now()
    await run(`${order.kind}-${process.pid}-${Date.now()}-${at}`, new Script(turns, modelMs, gapMs))
    shareMs.push(performance.now() - from - turns * modelMs)
  }
  if (order.kind === 'sessions') await Promise.all(Array.from({ length: sessions }, (_, at) => one(at)))
  else for (let at = 0; at < sessions; at++) await one(at)
  clearInterval(looking)
  return { gapMs, shareMs, memoryMbBefore, memoryMbMost }
}

/** For a peer's program: does what its parent's messages say. */
export function serveLoop(run: (id: string, script: Script) => Promise<unknown>): void {
  process.on('disconnect', () => process.exit(0))
  process.on('message', async (order: LoopOrder) => process.send?.(await follow(order, run, () => process.memoryUsage.rss() / 1e6)))
  process.send?.('ready')
}

/** The same as a model of the AI SDK, for sessions whose prompt begins with their id. */
export function languageModel(scripts: ReadonlyMap<string, Script>) {
  const usage = {
    inputTokens: { total: 100, noCache: 100, cacheRead: 0, cacheWrite: 0 },
    outputTokens: { total: 20, text: 20, reasoning: 0 },
  }
  return {
    specificationVersion: 'v4' as const,
    provider: 'scripted',
    modelId: 'scripted',
    supportedUrls: {},
    async doGenerate({ prompt }: { prompt: { role: string; content: unknown }[] }) {
      const asked = prompt.find(({ role }) => role === 'user')?.content as { text: string }[] // As `generateText` makes it.
      const said = await scripts.get(asked[0]?.text ?? '')!.ask()
      const isLast = said === 'Done.'
      return {
        content: isLast
          ? [{ type: 'text' as const, text: said }]
          : [{ type: 'tool-call' as const, toolCallId: said.callId, toolName: 'note', input: JSON.stringify({ n: said.n }) }],
        finishReason: { unified: isLast ? ('stop' as const) : ('tool-calls' as const), raw: undefined },
        usage,
        warnings: [],
      }
    },
    doStream: () => Promise.reject(new Error('Nobody streams here.')),
  }
}
