import { ApiError } from '@longhaul/sdk/client'
import { exitCodes } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { printFields, printList } from '../show/records.ts'
import { moment } from '../show/values.ts'
import { unknownAgent } from './ask.ts'

export async function listAgents(invocation: Invocation): Promise<number> {
  const { items, ...rest } = await (await invocation.client()).agents.list()
  if (invocation.isJson) invocation.printJson({ items, ...rest })
  else {
    const rows = items.map(({ name, status, manifest, problem }) => [name, status, manifest?.shape ?? '', problem ?? manifest?.description ?? ''])
    printList(invocation, [{ name: 'agent', isWhole: true }, { name: 'status', isWhole: true }, { name: 'shape' }, { name: 'what it does' }], rows, [
      'No agents. The server deploys folders when it starts: see its log.',
    ])
  }
  return exitCodes.done
}

export async function getAgent(invocation: Invocation, name: string): Promise<number> {
  const client = await invocation.client()
  const agent = await client.agents.get({ name }).catch(async (error: unknown) => {
    throw error instanceof ApiError && error.code === 'not_found' ? await unknownAgent(client, name, error) : error
  })
  if (invocation.isJson) invocation.printJson(agent)
  else {
    const { manifest } = agent
    printFields(invocation, [
      ['agent', agent.name],
      ['status', agent.status],
      ['problem', agent.problem],
      ['version', agent.version],
      ['deployed', moment(agent.deployedAt)],
      ['about', manifest?.description],
      ['model', manifest?.model],
      ['tools', manifest?.tools.map((tool) => tool.name).join(', ')],
      ['skills', manifest?.skills.map((skill) => skill.name).join(', ')],
      ['try', manifest?.examples.map((example) => `npx longhaul ask ${agent.name} "${example}"`).join('\n')],
    ])
  }
  return exitCodes.done
}
