/** docs/reference/events.md, from the types of events and live frames. */
import { LiveFrame, eventData, isTerminal, moves, runStates } from '@longhaul/protocol'
import { jsonSchema } from '../../packages/server/src/api/json-schema.ts'
import { fieldsOf, inWords } from '../../packages/server/src/api/schema-words.ts'
import { markdownTable } from './markdown-table.ts'

export function eventsPage(): string {
  const events = Object.entries(eventData).map(([type, data]) => {
    const rows = fieldsOf(jsonSchema(data, 'output')).map(({ name, kind, isRequired }) => [`\`${name}\``, kind, isRequired ? 'always' : 'sometimes'])
    return `## \`${type}\`\n\n${markdownTable(['Field of `data`', 'Value', 'There'], rows)}`
  })
  return `# Events of a run

Made from \`packages/protocol/src/events.ts\` by \`npm run generate\`. A run's history is a list of events, numbered from 0 without gaps,
never changed. \`GET /v1/runs/{runId}/events\` reads or streams them. Each has

- \`seq\`: its number, and the \`id\` in the stream,
- \`type\`: one of the names below,
- \`at\`: the instant of its recording, by the database's clock,
- \`op\`: where in the run it belongs, for steps and waits. \`"3"\` is the fourth thing that the code asked for, \`"3.0"\` the first thing asked for inside it,
- \`data\`: what the type says. Named shapes are in [api.md](api.md#shapes).

States of a run and where each may lead:

${markdownTable(
  ['State', 'May become'],
  runStates.map((state) => [`\`${state}\``, isTerminal(state) ? 'nothing else: the run has ended' : moves[state].map((next) => `\`${next}\``).join(', ')]),
)}

${events.join('\n\n')}

## Live frames

Sent in the stream between events, without a number, and not repeated after a reconnect: the step's event says it all.

${markdownTable(
  ['Frame', 'Fields'],
  (jsonSchema(LiveFrame, 'output').oneOf ?? []).map((frame) => [
    `\`${String(frame.properties?.['type']?.const)}\``,
    Object.entries(frame.properties ?? {})
      .filter(([name]) => name !== 'type')
      .map(([name, field]) => `\`${name}\`: ${inWords(field)}`)
      .join(', '),
  ]),
)}
`
}
