/** What turns the agents into a custom agent: two addresses. */
import { createServer } from 'node:http'
import { type AgentInputItem, run } from '@openai/agents'
import { triage } from './agents.ts'

let history: AgentInputItem[] = [] // One instance answers one conversation.

createServer(async (request, response) => {
  const answer = (status: number, body: object) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body))
  if (request.url === '/ping') return void answer(200, { status: 'Healthy' })
  try {
    const pieces: Buffer[] = []
    for await (const piece of request) pieces.push(piece)
    const { prompt } = JSON.parse(Buffer.concat(pieces).toString()) as { prompt: string }
    const result = await run(triage, [...history, { role: 'user', content: prompt }])
    history = result.history
    answer(200, { response: result.finalOutput, agent: result.lastAgent?.name })
  } catch (error) {
    answer(500, { error: String(error) })
  }
}).listen(Number(process.env['PORT']), '127.0.0.1')
