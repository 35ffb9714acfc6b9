/** What turns the graph into a custom agent: two addresses. Words are passed on as the model says them. */
import { createServer } from 'node:http'
import { graph } from './graph.ts'

createServer(async (request, response) => {
  if (request.url === '/ping') return void response.writeHead(200, { 'content-type': 'application/json' }).end('{"status":"Healthy"}')
  const pieces: Buffer[] = []
  for await (const piece of request) pieces.push(piece)
  const { prompt } = JSON.parse(Buffer.concat(pieces).toString()) as { prompt: string }
  response.writeHead(200, { 'content-type': 'text/event-stream' })
  const stream = await graph.stream(
    { messages: [{ role: 'user', content: prompt }] },
    { streamMode: 'messages', configurable: { thread_id: request.headers['x-amzn-bedrock-agentcore-runtime-session-id'] } },
  )
  for await (const [message, { langgraph_node: node }] of stream) {
    if (node === 'model' && typeof message.content === 'string' && message.content !== '')
      response.write(`data: ${JSON.stringify({ text: message.content })}\n\n`)
  }
  response.end()
}).listen(Number(process.env['PORT']), '127.0.0.1')
