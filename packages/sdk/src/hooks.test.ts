import type { Json } from '@longhaul/protocol'
import { expect, test } from 'vitest'
import { z } from 'zod'
import { makeAgent } from '../test/support/loop-agent.ts'
import { tool } from './agent.ts'
import { type AgentHook, hook } from './hooks.ts'
import { calls, runAgent, runWithCrashes, says } from './testing.ts'

const mail = tool({
  description: 'mails',
  effect: 'none',
  input: z.strictObject({ to: z.string(), text: z.string() }),
  run: ({ to, text }) => `sent ${text} to ${to}`,
})
const withHooks = (...hooks: Omit<AgentHook, 'kind'>[]) =>
  makeAgent({ tools: { mail }, hooks: hooks.map((points, n) => ({ name: `h${n}`, hook: hook(points) })) })
const texts = (messages: readonly { content: readonly object[] }[]) =>
  messages.flatMap(({ content }) => content.map((part) => ('text' in part ? part.text : part)))

test('hooks see and change the request, what goes to the model, its reply, calls and their results, and the answer', async () => {
  const seen: string[] = []
  const agent = withHooks({
    onStart: ({ text }) => ({ text: text.replace('4111 1111', '[card]') }),
    beforeModel: ({ messages }) => {
      seen.push(`model gets ${messages.length}`)
      return { messages: [...messages, { role: 'user', content: [{ type: 'text', text: 'Be brief.' }] }] }
    },
    afterModel: ({ content }) => ({
      content: content.map((part) => (part.type === 'tool-call' ? { ...part, input: { to: 'eve', text: 'hi' } } : { ...part, text: part.text.toUpperCase() })),
    }),
    beforeTool: ({ tool: name, input }) => ({ input: { ...(input as object), text: `${name}: ${(input as { text: string }).text}` } }),
    afterTool: ({ output, isError }) => ({ output: `${isError} <${String(output)}>` }),
    onEnd: ({ text }) => ({ text: `${text}!` }),
  })
  const run = await runAgent(agent, { input: 'Pay with 4111 1111', model: [calls(['mail', { to: 'bob', text: 'hi' }]), says('done')] })
  expect(run.output).toMatchObject({ text: 'DONE!' })
  expect(seen).toEqual(['model gets 1', 'model gets 1'])
  expect(texts(run.prompts[0]?.messages ?? [])).toEqual(['Pay with [card]', 'Be brief.'])
  // The model is shown its reply as the hook has made it, the call's arguments among it.
  expect(run.prompts[1]?.messages.slice(2)).toEqual([
    { role: 'assistant', content: [{ type: 'tool-call', toolCallId: 'call-0', toolName: 'mail', input: { to: 'eve', text: 'hi' } }] },
    { role: 'tool', content: [{ type: 'tool-result', toolCallId: 'call-0', toolName: 'mail', output: 'false <sent mail: hi to eve>', isError: false }] },
    { role: 'user', content: [{ type: 'text', text: 'Be brief.' }] },
  ])
  expect(run.history.flatMap(({ kind, name }) => (kind === 'step' ? name : []))).toEqual([
    'onStart h0',
    'beforeModel h0',
    'afterModel h0',
    'beforeTool h0',
    'afterTool h0',
    'beforeModel h0',
    'afterModel h0',
    'onEnd h0',
  ])
})

test('a hook refuses a call, the hooks after it are not asked, and the tool is not executed', async () => {
  const asked: string[] = []
  const agent = withHooks(
    { beforeTool: ({ input }) => ((input as { to: string }).to === 'eve' ? { refuse: 'Eve gets no mail.' } : undefined) },
    { beforeTool: ({ input }) => void asked.push((input as { to: string }).to) },
  )
  const run = await runAgent(agent, { input: 'x', model: [calls(['mail', { to: 'eve', text: 'a' }], ['mail', { to: 'bob', text: 'b' }]), says('ok')] })
  const results = run.prompts[1]?.messages.at(-1)
  expect(results?.role === 'tool' && results.content.map(({ output, isError }) => [output, isError])).toEqual([
    ['Eve gets no mail.', true],
    ['sent b to bob', false],
  ])
  expect(asked).toEqual(['bob'])
})

test('what a hook has returned is recorded, and a crash anywhere changes nothing of it', async () => {
  let count = 0
  // It would say something else if it were asked again after what it said was recorded.
  const agent = () =>
    withHooks({
      beforeTool: ({ input }) => ({ input: { ...(input as { to: string }), text: `${count++}` } }),
      onEnd: ({ text }) => ({ text: `${text} ${count++}` }),
    })
  const { undisturbed, crashed } = await runWithCrashes(agent(), () => {
    count = 0
    return { input: 'x', model: [calls(['mail', { to: 'bob', text: '' }]), says('sent')] }
  })
  expect(undisturbed.output).toMatchObject({ text: 'sent 1' })
  expect(crashed.length).toBeGreaterThan(10)
  for (const run of crashed) {
    expect(run.state).toBe('completed')
    // The arguments of the tool as it was executed are those that its hook is recorded with.
    const recorded = run.history.flatMap((entry) =>
      entry.name === 'beforeTool h0' && entry.type === 'completed' ? [(entry.output as { input: { text: string } }).input.text] : [],
    )
    const made = run.history.flatMap((entry) => (entry.kind === 'tool' && entry.type === 'completed' ? [(entry.output as { output: string }).output] : []))
    expect(made).toHaveLength(1)
    expect(made).toEqual(recorded.map((text) => `sent ${text} to bob`))
  }
})

test('a hook that changes what it is given in place, or nothing, changes nothing; one that throws or returns what it may not fails the run', async () => {
  const quiet = withHooks({
    beforeTool: (given) => {
      ;(given.input as { to: string }).to = 'eve'
    },
    afterTool: ({ output }) => ({ output }),
  })
  const run = await runAgent(quiet, { input: 'x', model: [calls(['mail', { to: 'bob', text: 'a' }]), says('ok')] })
  const results = run.prompts[1]?.messages.at(-1)
  expect(results?.role === 'tool' && results.content[0]?.output).toBe('sent a to bob')
  const failing = await runAgent(withHooks({ onEnd: () => Promise.reject(new TypeError('no')) }), { input: 'x', model: [says('secret')] })
  expect([failing.state, failing.failure?.message, failing.output]).toEqual(['failed', 'no', undefined])
  const wrong = await runAgent(withHooks({ onEnd: () => ({ txt: 'x' }) as never }), { input: 'x', model: [says('secret')] })
  expect(wrong.failure?.message).toMatch(/The hook h0 returned from onEnd what it may not: text/)
})

test('without hooks nothing is recorded of them', async () => {
  const run = await runAgent(makeAgent({ tools: { mail } }), { input: 'x' as Json, model: [says('ok')] })
  expect(run.history.map(({ kind }) => kind)).toEqual(['model'])
})
