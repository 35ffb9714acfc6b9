/** A model call in the log, without a model. */
import type { CallLog } from '../../src/gateway/index.ts'
import type { Client } from '../../src/gateway/faces/client.ts'
import type { FaceName } from '../../src/gateway/faces/face.ts'
import { readCall } from '../../src/gateway/faces/face-call.ts'
import { parseBody } from '../../src/gateway/faces/request-body.ts'
import { newId, openCancellation } from '../../src/kernel/index.ts'

const nowhere: Client = { signal: openCancellation().signal, hasBegun: () => false, begin() {}, write: () => true, drained: async () => {}, end() {} }

type Asked = {
  tenantId: string
  keyId: string
  namespace?: string
  session?: string
  face?: FaceName
  body?: object
  answer?: string
  costUsd?: number
  code?: string
  status?: number
}

/** Returns its id. It is written when the log is stopped, or within a moment where it was started. */
export function logCall(callLog: Pick<CallLog, 'begin'>, asked: Asked): string {
  const { tenantId, keyId, namespace = 'default', session, face = 'chat', body = {}, answer = '', costUsd = 0.25, code, status = 200 } = asked
  const id = newId()
  const call = readCall(face, parseBody(Buffer.from(JSON.stringify({ model: 'openai/m', messages: [{ role: 'user', content: 'canary prompt' }], ...body }))))
  const recording = callLog.begin({ id, tenantId, keyId, namespace, session, tags: { team: 'search' }, call }, nowhere)
  recording.client.begin(status, {})
  recording.client.end(answer === '' ? JSON.stringify({ choices: [{ message: { content: 'canary answer' }, finish_reason: 'stop' }] }) : answer)
  recording.settled({ type: 'unknown', outputBytes: 1 }, costUsd)
  recording.ended({ answeredBy: 'openai/m', outcome: code === undefined ? 'answered' : 'failed', status, code, isKeptAnswer: false, durationMs: 12 })
  return id
}
