import { calls, runAgent, says } from '@longhaul/sdk/testing'
import { expect, test } from 'vitest'

test('the model asks the tool for the time, and answers with it', async () => {
  const run = await runAgent(import.meta.dirname, {
    input: 'What time is it in Tokyo?',
    model: [calls(['time', { timeZone: 'Asia/Tokyo' }]), says('It is noon.')],
  })
  expect(run).toMatchObject({ state: 'completed', output: { text: 'It is noon.' } })
  expect(JSON.stringify(run.prompts[1]?.messages)).toMatch(/"timeZone":"Asia\/Tokyo","now":"\w+day, \d+ \w+ 2\d{3} at \d\d:\d\d"/)
})

test('a place that is no time zone is told to the model, which tries again', async () => {
  const run = await runAgent(import.meta.dirname, {
    input: 'And on Mars?',
    model: [calls(['time', { timeZone: 'Mars/Olympus' }]), says('Nobody keeps time there.')],
  })
  expect(JSON.stringify(run.prompts[1]?.messages)).toContain('IANA name')
})
