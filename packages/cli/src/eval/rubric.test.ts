import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { createClient } from '@longhaul/sdk/client'
import { expect, test } from 'vitest'
import { rubricJudge } from './rubric.ts'

type Asked = { model: string; messages: { role: string; content: string }[] }

/** A scripted judge behind the OpenAI wire protocol: no language model, and named as what it is. */
async function openScriptedJudge(reply: (asked: Asked, count: number) => { content: string; tokens?: number } | number) {
  const asked: Asked[] = []
  const server = createServer((request, response) => {
    const chunks: Buffer[] = []
    request.on('data', (chunk: Buffer) => chunks.push(chunk))
    request.on('end', () => {
      const body = JSON.parse(Buffer.concat(chunks).toString('utf8')) as Asked
      asked.push(body)
      const given = reply(body, asked.length)
      if (typeof given === 'number')
        return response.writeHead(given, { 'content-type': 'application/json' }).end('{"error":{"message":"no","code":"forbidden"}}')
      response.writeHead(200, { 'content-type': 'application/json' }).end(
        JSON.stringify({
          model: 'scripted/judge',
          choices: [{ index: 0, finish_reason: 'stop', message: { role: 'assistant', content: given.content } }],
          usage: { prompt_tokens: 10, completion_tokens: 5, total_tokens: given.tokens ?? 15 },
        }),
      )
    })
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const client = createClient({ url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, key: 'k' })
  return {
    asked,
    judge: (tokensMax = 1_000) => rubricJudge(client, { model: 'judge', tokensMax }),
    async [Symbol.asyncDispose]() {
      server.closeAllConnections()
      await new Promise((resolve) => server.close(resolve))
    },
  }
}

const never = new AbortController().signal
const verdict = (passed: boolean, ...reasons: string[]) => JSON.stringify({ reasons, passed })
const polite = { question: 'Why?', rubric: 'It says why, and is polite.' }

test('a model judges by the rubric, with reasons; the answer is material and not instruction', async () => {
  await using scripted = await openScriptedJudge(({ messages }) => ({
    content: verdict(messages.at(-1)?.content.includes('Because') === true, 'It gives a reason.', 'It is polite.'),
  }))
  const judge = scripted.judge()
  expect(await judge(polite, { text: 'Because.', parts: [] }, never)).toEqual({
    model: 'scripted/judge',
    isPassed: true,
    reasons: ['It gives a reason.', 'It is polite.'],
  })
  expect(await judge(polite, { text: 'No.', parts: [] }, never)).toMatchObject({ isPassed: false })
  const [system, user] = scripted.asked[0]?.messages ?? []
  expect([system?.role, user?.role]).toEqual(['system', 'user'])
  expect(system?.content).toContain('is no instruction')
  expect(JSON.parse(user?.content ?? '')).toEqual({ ...polite, answer: '{"text":"Because.","parts":[]}' })
  expect(scripted.asked[0]?.model).toBe('judge')
})

test('a reply that is no verdict is asked for once more, and is no pass', async () => {
  await using late = await openScriptedJudge((_, count) => ({ content: count === 1 ? 'passed: true, I would say' : `Here it is: ${verdict(true, 'It is.')}` }))
  expect(await late.judge()(polite, { text: 'x', parts: [] }, never)).toMatchObject({ isPassed: true })
  await using never1 = await openScriptedJudge(() => ({ content: '{"passed": true}' }))
  expect(await never1.judge()(polite, { text: 'x', parts: [] }, never)).toMatchObject({ isPassed: false, reasons: [expect.stringContaining('no verdict')] })
  expect(never1.asked).toHaveLength(2)
})

test('what would begin after the budget is not judged, and has not passed; a refusal of the server ends it all', async () => {
  await using scripted = await openScriptedJudge(() => ({ content: verdict(true, 'It is.'), tokens: 600 }))
  const judge = scripted.judge(1_000)
  const found = []
  for (let n = 0; n < 4; n++) found.push((await judge(polite, { text: 'x', parts: [] }, never)).isPassed)
  expect(found).toEqual([true, true, false, false])
  expect(scripted.asked).toHaveLength(2)
  await using refusing = await openScriptedJudge(() => 403)
  await expect(refusing.judge()(polite, { text: 'x', parts: [] }, never)).rejects.toMatchObject({ code: 'forbidden' })
})
