import { mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { layOut, modulesAbove, readCode } from './code.ts'

/** A workspace with one agent: `packages` by where they are installed. */
async function workspace(packages: string[]) {
  const root = await mkdtemp(join(tmpdir(), 'workspace-'))
  const agent = join(root, 'agents', 'helper')
  await mkdir(join(agent, 'agent'), { recursive: true })
  await writeFile(join(agent, 'agent', 'agent.ts'), '')
  for (const folder of packages) {
    await mkdir(join(root, folder), { recursive: true })
    await writeFile(join(root, folder, 'index.js'), `module.exports = ${JSON.stringify(folder)}`)
  }
  return { root, agent, [Symbol.asyncDispose]: () => rm(root, { recursive: true }) }
}

test('a version finds the packages that its folder would find, those of the workspace too, the nearest first', async () => {
  await using made = await workspace([
    'node_modules/far',
    'node_modules/@scope/far',
    'node_modules/both',
    'agents/helper/node_modules/near',
    'agents/helper/node_modules/@scope/near',
    'agents/helper/node_modules/both',
  ])
  await mkdir(join(made.root, 'agents', 'node_modules', '.cache'), { recursive: true })
  const laid = join(made.root, 'laid')
  await layOut(await readCode(made.agent), laid, await modulesAbove(made.agent))
  const find = createRequire(join(laid, 'agent', 'agent.ts'))
  expect(['far', '@scope/far', 'near', '@scope/near', 'both'].map((name) => find(name))).toEqual([
    'node_modules/far',
    'node_modules/@scope/far',
    'agents/helper/node_modules/near',
    'agents/helper/node_modules/@scope/near',
    'agents/helper/node_modules/both',
  ])
  expect(() => find('nowhere')).toThrow('Cannot find')
})
