import { exitCodes } from '../exit-codes.ts'
import type { Invocation } from '../invocation.ts'
import { printList } from '../show/records.ts'
import { ago } from '../show/values.ts'

type Options = { limit: number; cursor?: string; suite?: string; agentVersion?: string }

export async function listEvaluations(invocation: Invocation, agent: string, { limit, cursor, suite, agentVersion }: Options): Promise<number> {
  const client = await invocation.client()
  const page = await client.evaluations.list({
    agent,
    limit,
    ...(cursor !== undefined && { cursor }),
    ...(suite !== undefined && { suite }),
    ...(agentVersion !== undefined && { version: agentVersion }),
  })
  if (invocation.isJson) invocation.printJson(page)
  else {
    printList(
      invocation,
      [
        { name: 'suite', isWhole: true },
        { name: 'version', isWhole: true },
        { name: 'passed', isNumber: true },
        { name: 'of', isNumber: true },
        { name: 'model' },
        { name: 'made' },
        { name: 'failed' },
      ],
      page.items.map(({ suite: name, version, passedCount, caseCount, model, createdAt, failedCases }) => [
        name,
        version,
        String(passedCount),
        String(caseCount),
        model ?? '',
        ago(createdAt),
        failedCases.join(', '),
      ]),
      ['No evaluations are kept.', `npx longhaul eval <folder> --record`],
    )
    if (page.next) invocation.terminal.print(`  more: npx longhaul evaluations list ${agent} --cursor ${page.next}`, '')
  }
  return exitCodes.done
}
