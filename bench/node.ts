/** A node in a process of its own, to be killed: `node bench/node.ts <database> <data folder> <lease in ms>`. Starts as many runs as each line of its input says. */
import { createInterface } from 'node:readline'
import { engineRole, openDb } from '../packages/server/src/db/index.ts'
import { silentLog } from '../packages/server/src/kernel/index.ts'
import { open } from './bed.ts'

const [url = '', dataDir = '', leaseMs = ''] = process.argv.slice(2)
const bed = await open(openDb({ url, role: engineRole, log: silentLog }), dataDir, { leaseMs: Number(leaseMs), activeMax: 5_000 })
process.stdout.write('ready\n')
for await (const line of createInterface({ input: process.stdin })) {
  for (let left = Number(line); left > 0; left -= 50) await Promise.all(Array.from({ length: Math.min(left, 50) }, () => bed.start('steady', null)))
  process.stdout.write('started\n')
}
