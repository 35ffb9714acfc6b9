import { getCall, listCallPrivacy, listCalls, revealCall, setCallPrivacy } from '@longhaul/protocol'
import type { CallLog } from '../gateway/index.ts'
import { type Implementation, audited, implement } from './implement.ts'

export const callImplementations = (calls: CallLog): Implementation[] => [
  implement(listCalls, (caller, input) => calls.list(caller, input)),
  implement(getCall, (caller, input) => calls.get(caller, input)),
  audited(implement(revealCall, (caller, input) => calls.reveal(caller, input))),
  implement(listCallPrivacy, ({ tenantId }, input) => calls.listPrivacy(tenantId, input)),
  audited(implement(setCallPrivacy, (caller, input) => calls.setPrivacy(caller, input))),
]
