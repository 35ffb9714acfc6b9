/** `npm run bench -- <name> [--json]`: measures a part on this machine and prints its figures. */
import { cpus, totalmem } from 'node:os'
import { agentsBench } from './agents.ts'
import { apiBench } from './api.ts'
import { budgetsBench } from './budgets.ts'
import { consoleBench } from './console.ts'
import { engineBench } from './engine.ts'
import { fairnessBench } from './fairness.ts'
import { keysBench } from './keys.ts'
import { gatewayBench } from './gateway.ts'
import type { Line } from './line.ts'
import { longBench } from './long.ts'
import { parkedBench } from './parked.ts'
import { peersBench } from './peers.ts'
import { recoveryBench } from './recovery.ts'
import { routesBench } from './routes.ts'
import { sandboxBench } from './sandbox.ts'
import { usageBench } from './usage.ts'

type Bench = (emit: (line: Line) => void) => Promise<void>

const benches: Record<string, Bench> = {
  agents: agentsBench,
  api: apiBench,
  budgets: budgetsBench,
  console: consoleBench,
  engine: engineBench,
  fairness: fairnessBench,
  gateway: gatewayBench,
  keys: keysBench,
  long: longBench,
  parked: parkedBench,
  peers: peersBench,
  recovery: recoveryBench,
  routes: routesBench,
  sandbox: sandboxBench,
  usage: usageBench,
}

const args = process.argv.slice(2)
const isJson = args.includes('--json')
const name = args.find((arg) => !arg.startsWith('-'))
const bench = name === undefined ? undefined : benches[name]
if (!bench) {
  process.stderr.write(`Usage: npm run bench -- <name> [--json]\nNames: ${Object.keys(benches).join(', ')}. What each figure means: bench/README.md\n`)
  process.exit(2)
}
if (!isJson)
  process.stdout.write(
    `${name} on ${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}, ${Math.round(totalmem() / 2 ** 30)} GiB, Node ${process.version}\n`,
  )
await bench(({ figure, value, unit, n }) => {
  const rounded = Number(value.toPrecision(4))
  if (isJson) process.stdout.write(`${JSON.stringify({ bench: name, figure, value: rounded, unit, n })}\n`)
  else process.stdout.write(`  ${figure.padEnd(36)} ${String(rounded).padStart(12)} ${unit.padEnd(10)} n=${n}\n`)
})
process.exit(0)
