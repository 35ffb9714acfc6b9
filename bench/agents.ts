/** The agent loop: what it costs around a model that takes no time, with a real worker, a real PostgreSQL and full durability. */
import type { Json, ModelReply } from '@longhaul/protocol'
import type { Executors } from '../packages/server/src/engine/index.ts'
import { close, open, quantile, withDatabase } from './bed.ts'
import type { Line } from './line.ts'

const turnsPerRun = 100
const runCount = 10

export async function agentsBench(emit: (line: Line) => void): Promise<void> {
  await withDatabase(async ({ db, dataDir }) => {
    const model = scriptedModel()
    const bed = await open(db, dataDir, { executors: model.executors })
    const measure = async (tool: string) => {
      for (let i = 0; i <= runCount; i++) {
        if (i === 1) model.gaps.length = 0 // The first run warms up.
        await bed.run('loop', { message: tool })
      }
      return model.gaps.splice(0)
    }
    const bare = await measure('nothing')
    const withTool = await measure('note')
    for (const [name, share] of [
      ['p50', 0.5],
      ['p99', 0.99],
    ] as const) {
      emit({ figure: `model_call_overhead_ms_${name}`, value: quantile(bare, share), unit: 'ms', n: bare.length })
      emit({ figure: `model_and_tool_call_overhead_ms_${name}`, value: quantile(withTool, share), unit: 'ms', n: withTool.length })
    }
    await close(bed)
  })
}

/** Answers at once: calls the tool that the run's input names, `turnsPerRun` times. `gaps` are the times from one answer to the next question. */
function scriptedModel(): { gaps: number[]; executors: Executors } {
  const gaps: number[] = []
  let tool = ''
  let turn = 0
  let answeredAt: number | undefined
  const usage = { input: 100, cachedInput: 0, output: 20, costUsd: 0 }
  return {
    gaps,
    executors: {
      model: {
        async execute(input) {
          if (answeredAt !== undefined) gaps.push(performance.now() - answeredAt)
          const { prefix, append } = input as { prefix?: string; append: { content: { text: string }[] }[] }
          if (prefix === undefined) {
            tool = append[0]?.content[0]?.text ?? ''
            turn = 0
          }
          const isLast = ++turn > turnsPerRun
          const reply: ModelReply = {
            model: 'scripted/model',
            content: isLast ? [{ type: 'text', text: 'Done.' }] : [{ type: 'tool-call', toolCallId: `call-${turn}`, toolName: tool, input: { n: turn } }],
            finishReason: isLast ? 'stop' : 'tool-calls',
            usage,
          }
          answeredAt = isLast ? undefined : performance.now()
          return { output: JSON.parse(JSON.stringify(reply)) as Json, usage }
        },
      },
    },
  }
}
