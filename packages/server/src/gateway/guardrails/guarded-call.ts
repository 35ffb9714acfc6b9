/** A call over HTTP as its guards let it go on. */
import { type FaceCall, readCall } from '../faces/face-call.ts'
import { parseBody, refuse } from '../faces/request-body.ts'
import type { Guarding } from './guarding.ts'

/** The call itself when nothing in it is masked: then its bytes go on as they came. */
export async function guardedCall(call: FaceCall, guarding: Guarding): Promise<FaceCall> {
  const { fields, bytes } = call.body
  const seen = await guarding.request(fields, bytes.length)
  const text = JSON.stringify(seen)
  if (text === JSON.stringify(fields)) return call
  if (['previous_response_id', 'conversation'].some((name) => fields[name] !== undefined && fields[name] !== null)) {
    // What hides something there was given its meaning by another call.
    throw refuse('unsupported', 'A conversation that the provider keeps cannot be masked. Send all of its messages instead.')
  }
  return remake(call, text)
}

/** The same conversation with the answer that was no good, and what was wrong with it. */
export function repairCall(call: FaceCall, said: string, why: string): FaceCall {
  const field = call.face === 'responses' ? 'input' : 'messages'
  const given = call.body.fields[field]
  const before = typeof given === 'string' ? [{ role: 'user', content: given }] : Array.isArray(given) ? given : []
  const after = [
    ...(said.trim() === '' ? [] : [{ role: 'assistant', content: said }]),
    { role: 'user', content: `That is not of the JSON Schema that is asked for: ${why} Answer again with the JSON and nothing else.` },
  ]
  return remake(call, JSON.stringify({ ...call.body.fields, [field]: [...before, ...after] }))
}

const remake = (call: FaceCall, text: string): FaceCall => ({ ...readCall(call.face, parseBody(Buffer.from(text))), user: call.user })
