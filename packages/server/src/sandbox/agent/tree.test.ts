import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { PassThrough } from 'node:stream'
import { expect, test } from 'vitest'
import { defaultLimits } from '../limits.ts'
import { identityOf } from '../processes.ts'
import type { AgentHost } from './host.ts'
import { packTree } from './tree.ts'

/** What is started ends with this code, without having packed anything. */
function hostThatEndsWith(code: number): AgentHost {
  return {
    createCgroup: () => undefined,
    launch: async () => ({
      input: new PassThrough(),
      output: new PassThrough().end(),
      complaints: () => 'bwrap: Can’t read --args data',
      exited: Promise.resolve(code),
      outer: identityOf(process.pid),
      kill() {},
    }),
  } as Partial<AgentHost> as AgentHost // All that packing asks of it.
}

test('what could not be started is a failure and no empty archive, also where it ends as tar does when a file has changed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'tree-'))
  try {
    const pack = async (code: number) => {
      const { stream, done } = await packTree({ host: hostThatEndsWith(code), folder, user: undefined, limits: defaultLimits, outer: undefined }, '/workspace')
      stream.resume()
      return done
    }
    await expect(pack(1)).rejects.toThrow('The archive could not be made: bwrap')
    await expect(pack(0)).resolves.toBeUndefined()
  } finally {
    rmSync(folder, { recursive: true })
  }
})
