/** One engine in a process of its own, told by messages what to do. A run is ten steps one after the other, each with a result of 1 KB, durable before the next begins. */

export type Order = { kind: 'throughput'; atOnce: number; runs: number } | { kind: 'latency'; runs: number }
export type Throughput = { stepsPerSecond: number }
/** From the beginning of each step to that of the next in the same run. */
export type Latency = { stepMs: number[] }

export const stepsPerRun = 10
const result = 'x'.repeat(1_000)
let begun: number[] = []

/** What every step does. */
export function work(): string {
  begun.push(performance.now())
  return result
}

/** `run` resolves when its run has ended. */
export async function serve(run: (id: string) => Promise<unknown>): Promise<void> {
  let count = 0
  const one = () => run(`run-${process.pid}-${count++}`)
  for (let i = 0; i < 20; i++) await one() // Compiled, connected.
  process.on('disconnect', () => process.exit(0))
  process.on('message', async (order: Order) => {
    begun = []
    process.send?.(order.kind === 'latency' ? await latency(one, order.runs) : await throughput(one, order.atOnce, order.runs))
  })
  process.send?.('ready')
}

async function throughput(one: () => Promise<unknown>, atOnce: number, runs: number): Promise<Throughput> {
  let left = runs
  const from = performance.now()
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      while (left-- > 0) await one()
    }),
  )
  const seconds = (performance.now() - from) / 1_000
  if (begun.length < runs * stepsPerRun) throw new Error(`${begun.length} steps were taken, of ${runs * stepsPerRun}.`)
  return { stepsPerSecond: (runs * stepsPerRun) / seconds }
}

async function latency(one: () => Promise<unknown>, runs: number): Promise<Latency> {
  const stepMs: number[] = []
  for (let i = 0; i < runs; i++) {
    begun = []
    await one()
    stepMs.push(...begun.slice(1).map((at, before) => at - (begun[before] ?? at)))
  }
  return { stepMs }
}
