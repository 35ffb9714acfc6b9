/** Channels of an agent's folder: messages come in signed, answers go back, against a Slack that speaks its own protocol. */
import type { Channel, Json, Run } from '@longhaul/protocol'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openDeliveries } from '../src/outcomes/index.ts'
import { channelReplies, syncChannels } from '../src/hooks/index.ts'
import { sql } from '../src/db/index.ts'
import { newId, silentLog } from '../src/kernel/index.ts'
import { openToolSecrets } from '../src/tools/index.ts'
import { type Bed, type BedCaller, openBed, until } from './support/api-bed.ts'
import { type Fate, openFakeSlack, slackEvent } from './support/fake-slack.ts'
import { openReceiver, secret as webhookSecret } from './support/receiver.ts'

let bed: Bed
let acme: BedCaller
const answers: Record<string, Json> = {}

beforeAll(async () => {
  bed = await openBed({
    helper: ({ run, input }) => {
      const said = (input as { message: string }).message
      if (said === 'ask')
        return [
          { type: 'op.wait', run, op: '0', kind: 'approval', name: 'Refund <!channel> 9 EUR?', detail: { secret: 1234 }, timeoutMs: null },
          { type: 'run.idle', run, ops: ['0'] },
        ]
      return said === 'fail'
        ? [{ type: 'run.failed', run, failure: { message: 'the password is 1234', retryable: false } }]
        : [{ type: 'run.completed', run, output: answers[said] ?? { text: `You said: ${said}` } }]
    },
  })
  acme = await bed.caller('acme-boss', { personalData: true })
  await acme.ask('POST', '/v1/secrets/signing', { value: 'slack signs with this' })
  await acme.ask('POST', '/v1/secrets/token', { value: 'the token' })
})
afterAll(() => bed[Symbol.asyncDispose]())

async function openChannel(fate?: (call: number) => Fate, declared?: Partial<Channel>) {
  const slack = await openFakeSlack({ token: 'xoxb-1', signingSecret: 'slack signs with this', ...(fate && { fate }) })
  await acme.ask('POST', '/v1/secrets/bot', { value: 'xoxb-1', hosts: ['127.0.0.1'] })
  const channel = { type: 'slack', signingSecret: 'signing', token: 'bot', apiUrl: slack.apiUrl, ...declared } as Channel
  const name = `c${newId().slice(-12)}`
  const asker = { id: acme.id, name: 'deployer', access: { personalData: true } }
  const sync = (channels: { name: string; channel: Channel }[], version = 'v1') =>
    bed.db.forTenant('acme').transaction((tx) => syncChannels(tx, { tenantId: 'acme', agent: 'helper', version, asker, channels }))
  await sync([{ name, channel }])
  const reply = channelReplies({ db: bed.db, readSecret: openToolSecrets(bed.secrets).read, reach: 'loopback' })
  const deliveries = openDeliveries({
    ...{ db: bed.db, log: silentLog, pollMs: 20, backoff: { attemptsMax: 3, delayMsMin: 10, delayMsMax: 20 } },
    engine: { startRun: () => Promise.reject(new Error('none here')), signal: () => Promise.reject(new Error('none here')) },
    findVersion: async () => ({ version: 'v1' }),
    queues: { put: () => Promise.reject(new Error('none here')) },
    webhooks: { secret: webhookSecret, reach: 'loopback' },
    replyInChannel: reply,
    publicUrl: 'https://longhaul.example.com',
  })
  await deliveries.start()
  const post = async (body: string, headers = slack.sign(body)) => {
    const response = await bed.app.request(`/hooks/acme/helper.${name}`, { method: 'POST', body, headers })
    return { status: response.status, ...((await response.json()) as { outcome?: string; runId?: string }) }
  }
  /** Posts, waits until the run has ended, and has its end told. */
  const say = async (event: Record<string, unknown>, eventId?: string) => {
    const { outcome, runId = '' } = await post(slackEvent(event, eventId))
    if (outcome !== 'started') return { outcome, run: undefined }
    const run = await until(
      () => acme.read<Run>(`/v1/runs/${runId}`),
      ({ state }) => ['completed', 'failed'].includes(state),
    )
    await deliveries.announce([runId])
    const [told] = await until(
      () =>
        bed.db.rows<{ state: string; attempt: number; failure: string | null }>(sql`select state, attempt, failure from deliveries where run_id = ${runId}`),
      (rows) => rows.every(({ state }) => state !== 'pending'),
    )
    return { outcome, run, told }
  }
  return {
    ...{ slack, hook: `helper.${name}`, post, say, sync, tell: (runId: string) => deliveries.announce([runId]) },
    async [Symbol.asyncDispose]() {
      await deliveries.stop()
      await slack[Symbol.asyncDispose]()
    },
  }
}

const mention = (text: string, more: Record<string, unknown> = {}) => ({
  type: 'app_mention',
  user: 'U7',
  text,
  ts: '1700000000.000100',
  channel: 'C1',
  event_ts: '1700000000.000100',
  ...more,
})

test('a mention becomes a run of the session of its thread, and the answer stands in that thread', async () => {
  await using c = await openChannel()
  const { run, told } = await c.say(mention('<@UBOT> how are &lt;things&gt;?'))
  expect(run).toMatchObject({
    agent: 'helper',
    state: 'completed',
    input: { message: 'how are <things>?', from: { channel: c.hook, team: 'T1', user: 'U7' } },
    session: `${c.hook}:T1:C1:1700000000.000100`,
    asker: { name: 'deployer' },
    labels: [`channel:${c.hook}`],
  })
  expect(told).toMatchObject({ state: 'delivered', attempt: 1 })
  expect(c.slack.posted).toMatchObject([{ channel: 'C1', thread_ts: '1700000000.000100', text: 'You said: how are &lt;things&gt;?' }])
  // What is said next in the thread knows what was said; another thread does not.
  await c.say(mention('and now?', { ts: '1700000000.000300', thread_ts: '1700000000.000100' }))
  expect(bed.starts.at(-1)?.messages.map(({ content }) => (content[0] as { text: string }).text)).toEqual(['how are <things>?', 'You said: how are <things>?'])
  await c.say(mention('elsewhere', { ts: '1700000000.000900' }))
  expect(bed.starts.at(-1)?.messages).toEqual([])
  // A direct message is one conversation, without a thread.
  await c.say({ type: 'message', channel_type: 'im', channel: 'D1', user: 'U7', text: 'psst', ts: '1700000001.000100' })
  expect(c.slack.posted.at(-1)).toMatchObject({ channel: 'D1', text: 'You said: psst' })
  expect(c.slack.posted.at(-1)).not.toHaveProperty('thread_ts')
})

test('an answer that hands the conversation over says with the next message who has it, in that conversation alone', async () => {
  answers['refund please'] = { text: 'Billing here.', handedTo: 'billing' }
  await using c = await openChannel()
  await c.say(mention('refund please'))
  await c.say(mention('when?', { ts: '1700000000.000300', thread_ts: '1700000000.000100' }))
  expect(bed.starts.at(-1)).toMatchObject({ handedTo: 'billing', messages: [{}, { content: [{ text: 'Billing here.' }] }] })
  // That answer came from the agent itself, so it has the conversation again.
  await c.say(mention('and now?', { ts: '1700000000.000400', thread_ts: '1700000000.000100' }))
  expect(bed.starts.at(-1)).not.toHaveProperty('handedTo')
  await c.say(mention('elsewhere', { ts: '1700000000.000900' }))
  expect(bed.starts.at(-1)).not.toHaveProperty('handedTo')
})

test('an event counts once, signed, and as a message of a person', async () => {
  await using c = await openChannel()
  const body = slackEvent(mention('hello'), 'Ev1')
  const first = await c.post(body)
  expect(first).toMatchObject({ status: 200, outcome: 'started' })
  // Slack sends it again with another time and signature, and the number of the try.
  expect(await c.post(body, { ...c.slack.sign(body, undefined, Math.floor(Date.now() / 1_000) - 5), 'x-slack-retry-num': '1' })).toMatchObject({
    outcome: 'repeated',
    runId: first.runId,
  })
  expect((await c.post(body, c.slack.sign(body, 'a guess'))).status).toBe(401)
  expect((await c.post(body, c.slack.sign(body, undefined, Math.floor(Date.now() / 1_000) - 400))).status).toBe(401)
  for (const event of [
    mention('hello', { bot_id: 'B1' }),
    mention('hello', { subtype: 'message_changed' }),
    mention('<@UBOT>  '),
    { type: 'message', channel_type: 'channel', channel: 'C1', user: 'U7', text: 'talk between people', ts: '1' },
    { type: 'reaction_added', user: 'U7', reaction: 'eyes' },
  ])
    expect(await c.post(slackEvent(event))).toMatchObject({ status: 200, outcome: 'left' })
  const runs = (await acme.read<{ items: Run[] }>('/v1/runs?limit=200')).items.filter(({ session }) => session?.startsWith(c.hook))
  expect(runs).toHaveLength(1)
})

test('an answer whose posting was not heard of is not posted twice, one that is refused for good needs attention, and nothing mentions everybody', async () => {
  answers['shout'] = { text: '<!channel> & <@U1>' }
  await using lost = await openChannel((call) => (call === 1 ? 'lost' : 'ok'))
  expect((await lost.say(mention('shout'))).told).toMatchObject({ state: 'delivered', attempt: 2 })
  expect(lost.slack.posted.map(({ text }) => text)).toEqual(['&lt;!channel&gt; &amp; &lt;@U1&gt;'])
  expect(lost.slack.asked).toEqual(['chat.postMessage', 'conversations.replies'])

  await using busy = await openChannel((call) => (call === 1 ? { status: 429, retryAfter: 0 } : 'ok'))
  expect((await busy.say(mention('hi'))).told).toMatchObject({ state: 'delivered', attempt: 2 })
  expect(busy.slack.posted).toHaveLength(1)

  await using refused = await openChannel(() => ({ error: 'not_in_channel' }))
  const { run, told } = await refused.say(mention('hi'))
  expect(told).toMatchObject({ state: 'failed', attempt: 1, failure: 'Slack refused the answer: not_in_channel' })
  const { items } = await acme.read<{ items: { runId: string }[] }>('/v1/attention')
  expect(items.map(({ runId }) => runId)).toContain(run?.id)
})

test('a failed run says so without its reasons, and a token goes to its hosts and for its agents alone', async () => {
  await using c = await openChannel()
  const { run } = await c.say(mention('fail'))
  expect(c.slack.posted.map(({ text }) => text)).toEqual([`This could not be answered. Those who run this agent can look it up: run ${run?.id}.`])
  for (const limits of [{ hosts: ['slack.com'] }, { hosts: ['127.0.0.1'], agents: ['another'] }]) {
    await acme.ask('POST', '/v1/secrets/bot', { value: 'xoxb-1', ...limits })
    const { told } = await c.say(mention('hi'))
    expect(told?.state).toBe('failed')
    expect(told?.failure).toMatch(/may not be sent to 127\.0\.0\.1|is not for the agent helper/)
  }
  expect(c.slack.posted).toHaveLength(1)
})

test('a channel is a hook that is listed and paused, and neither set nor deleted; it closes with its declaration', async () => {
  await using c = await openChannel()
  expect(await acme.read(`/v1/hooks/${c.hook}`)).toMatchObject({
    fromVersion: 'v1',
    channel: { type: 'slack', token: 'bot' },
    path: `/hooks/acme/${c.hook}`,
    secret: 'signing',
  })
  expect((await acme.ask('DELETE', `/v1/hooks/${c.hook}`)).status).toBe(409)
  expect((await acme.ask('POST', '/v1/hooks', { name: c.hook, agent: 'helper', scheme: 'github', secret: 'token' })).status).toBe(400)
  await acme.ask('POST', `/v1/hooks/${c.hook}/pause`)
  expect((await c.post(slackEvent(mention('hello')))).status).toBe(409)
  await acme.ask('POST', `/v1/hooks/${c.hook}/resume`)
  expect(await c.post(slackEvent(mention('hello')))).toMatchObject({ outcome: 'started' })
  await c.sync([], 'v2')
  expect((await c.post(slackEvent(mention('hello')))).status).toBe(401)
})

test('a channel of webhooks takes the message where it says, and answers with a signed webhook that names the conversation', async () => {
  await using receiver = await openReceiver()
  await using c = await openChannel(undefined, {
    type: 'webhook',
    scheme: 'slack',
    secret: 'signing',
    message: '/body/text',
    conversation: '/thread',
    from: '/author',
    replyUrl: receiver.url,
  } as Partial<Channel>)
  const body = JSON.stringify({ id: newId(), thread: 't-1', author: 'ann', body: { text: 'hi there' } })
  const { runId = '' } = await c.post(body)
  const run = await until(
    () => acme.read<Run>(`/v1/runs/${runId}`),
    ({ state }) => state === 'completed',
  )
  expect(run).toMatchObject({ session: `${c.hook}:t-1`, input: { message: 'hi there', from: { channel: c.hook, user: 'ann' } } })
  await c.tell(runId)
  const [told] = await until(
    async () => receiver.received,
    (received) => received.length > 0,
  )
  expect(told).toMatchObject({
    isSigned: true,
    body: { type: 'run.completed', data: { runId, session: `${c.hook}:t-1`, output: { text: 'You said: hi there' } } },
  })
})

test('what a run asks of people is told in its thread with a link, without what the detail says; the link decides nothing', async () => {
  await using c = await openChannel()
  await acme.ask('POST', '/v1/secrets/bot', { value: 'xoxb-1', hosts: ['127.0.0.1'], agents: null }) // Whatever a test before has said.
  const { runId = '' } = await c.post(slackEvent(mention('<@UBOT> ask', { ts: '1700000009.000100' })))
  await until(
    async () => c.slack.posted,
    (posted) => posted.length > 0,
  )
  expect(c.slack.posted).toMatchObject([
    {
      channel: 'C1',
      thread_ts: '1700000009.000100',
      text: `This waits for somebody’s yes or no: Refund &lt;!channel&gt; 9 EUR?\nhttps://longhaul.example.com/runs/${runId}`,
    },
  ])
  const { items } = await acme.read<{ items: { state: string }[] }>(`/v1/approvals?runId=${runId}`)
  expect(items).toMatchObject([{ state: 'pending' }])
})
