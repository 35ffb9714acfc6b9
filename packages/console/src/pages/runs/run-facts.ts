import { attachmentsOf } from '@longhaul/protocol/plain'
import type { Asker, Json, Run, RunState } from '@longhaul/protocol'
import type { Translate } from '../../i18n/index.ts'
import type { Tone } from '../../ui/State.tsx'

export const runTones: Record<RunState, Tone> = { pending: 'idle', running: 'active', waiting: 'waiting', completed: 'good', failed: 'bad', cancelled: 'off' }

/** What was asked, as text. A durable function's input is whatever its author chose. */
export function questionOf(input: Json): string {
  const attachments = attachmentsOf(input)
  // Beside files, and with a prompt of a tool server, its words are under `message`; without words it is about the files.
  if (
    typeof input === 'object' &&
    input !== null &&
    !Array.isArray(input) &&
    typeof input['message'] === 'string' &&
    (attachments.length > 0 || typeof input['prompt'] === 'object')
  )
    return input['message'] || attachments.map(({ name }) => name).join(', ')
  if (input !== null && typeof input === 'object' && !Array.isArray(input) && typeof input['question'] === 'string') return input['question']
  return input === null ? '' : briefJson(input)
}

/** `{"order": "A-1", "amountUsd": 120}` as `order: A-1 · amountUsd: 120`: what a reader looks for first. A text is itself, also when it is the only field. */
export function briefJson(value: Json): string {
  if (typeof value === 'string') return value
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return JSON.stringify(value).slice(0, 400)
  const fields = Object.entries(value)
  const [only] = fields
  if (fields.length === 1 && typeof only?.[1] === 'string') return only[1].slice(0, 400)
  return fields.map(([name, inner]) => `${name}: ${typeof inner === 'string' ? inner.slice(0, 200) : JSON.stringify(inner).slice(0, 200)}`).join(' · ')
}

export const isOffline = (model: string): boolean => model.startsWith('offline/')

/** From when a worker took it up to its end, or to now. */
export function durationMsOf(run: Run, now: number): number {
  const from = Date.parse(run.startedAt ?? run.createdAt)
  return Math.max(0, (run.endedAt === null ? now : Date.parse(run.endedAt)) - from)
}

/** What the asker may see of the agent's data, in words. */
export function accessInWords({ access }: Pick<Asker, 'access'>, t: Translate): string {
  const limits = [access.regions && t('run.accessRegions', { regions: access.regions.join(', ') }), !access.personalData && t('run.accessNoPersonal')].filter(
    Boolean,
  )
  return limits.length > 0 ? limits.join(' · ') : t('run.accessAll')
}
export const isLimited = ({ access }: Pick<Asker, 'access'>): boolean => access.regions !== undefined || !access.personalData
