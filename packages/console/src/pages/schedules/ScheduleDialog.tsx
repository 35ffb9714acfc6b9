import { overlaps } from '@longhaul/protocol'
import type { Calendar, Json, Schedule } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useState } from 'react'
import { client } from '../../api/client.ts'
import { readerZone } from '../../api/money.ts'
import { agentsQuery } from '../../api/queries.ts'
import { useTexts } from '../../i18n/index.ts'
import { Field, SelectField } from '../../ui/Field.tsx'
import { Segmented, TextArea, TextInput } from '../../ui/Fields.tsx'
import { ActionDialog } from '../ActionDialog.tsx'

type Kind = Calendar['kind']
const kinds = ['cron', 'interval', 'once'] as const satisfies readonly Kind[]

/** Makes a schedule, or changes one. */
export function ScheduleDialog({ agent: ofAgent, schedule, onClose }: { agent?: string | undefined; schedule?: Schedule; onClose: () => void }) {
  const { t } = useTexts()
  const agents = useQuery(agentsQuery())
  const before = schedule?.calendar
  const [name, setName] = useState(schedule?.name ?? '')
  const [chosen, setAgent] = useState(schedule?.agent ?? ofAgent)
  const agent = chosen ?? agents.data?.items[0]?.name ?? ''
  const [kind, setKind] = useState<Kind>(before?.kind ?? 'cron')
  const [cron, setCron] = useState(before?.kind === 'cron' ? before.cron : '0 9 * * 1-5')
  const [timeZone, setTimeZone] = useState(before?.kind === 'cron' ? before.timeZone : readerZone())
  const [minutes, setMinutes] = useState(before?.kind === 'interval' ? String(before.everyMs / 60_000) : '60')
  const [at, setAt] = useState(before?.kind === 'once' ? localInput(before.at) : '')
  const [input, setInput] = useState(schedule ? (typeof schedule.input === 'string' ? schedule.input : JSON.stringify(schedule.input)) : '')
  const [overlap, setOverlap] = useState(schedule?.overlap ?? 'skip')
  const isNameWrong = name !== '' && !/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name)
  const problem =
    name === '' || isNameWrong
      ? t('schedules.nameWrong')
      : agent === ''
        ? t('home.noAgents')
        : kind === 'interval' && !(Number(minutes) * 60_000 >= 1_000)
          ? t('schedules.everyWrong')
          : kind === 'once' && at === ''
            ? t('schedules.atWrong')
            : undefined
  const calendar = (): Calendar =>
    kind === 'cron'
      ? { kind, cron: cron.trim(), timeZone: timeZone.trim() }
      : kind === 'interval'
        ? { kind, everyMs: Math.round(Number(minutes) * 60_000) }
        : { kind, at: new Date(at).toISOString() }
  return (
    <ActionDialog
      title={t(schedule ? 'schedules.editTitle' : 'schedules.add')}
      action={t('schedules.save')}
      size="lg"
      blockedBecause={problem}
      changes={['schedules']}
      edited={{ shown: schedule, load: () => client.schedules.get({ name }) }}
      act={(condition) =>
        client.schedules.set(
          {
            name,
            agent,
            input: jsonOrText(input),
            calendar: calendar(),
            overlap,
            ...(schedule && {
              catchUp: schedule.catchUp,
              jitterMs: schedule.jitterMs,
              priority: schedule.priority,
              ...(schedule.laneKey && { laneKey: schedule.laneKey }),
            }),
          },
          condition,
        )
      }
      onClose={onClose}
    >
      <div className="grid gap-4 sm:grid-cols-2">
        <Field label={t('schedules.name')} hint={t('schedules.nameHint')} error={isNameWrong ? t('schedules.nameWrong') : undefined}>
          {(ids) => (
            <TextInput
              {...ids}
              value={name}
              readOnly={schedule !== undefined}
              maxLength={63}
              autoFocus={!schedule}
              onChange={(event) => setName(event.target.value)}
            />
          )}
        </Field>
        <Field label={t('runs.agent')}>
          {(ids) => (
            <SelectField {...ids} value={agent} onChange={(event) => setAgent(event.target.value)}>
              {[...new Set([...(agents.data?.items.map((one) => one.name) ?? []), ...(agent ? [agent] : [])])].map((one) => (
                <option key={one}>{one}</option>
              ))}
            </SelectField>
          )}
        </Field>
      </div>
      <Segmented
        label={t('schedules.when')}
        value={kind}
        options={kinds.map((value) => ({ value, label: t(`schedules.kinds.${value}`) }))}
        onChange={setKind}
      />
      {kind === 'cron' && (
        <div className="grid gap-4 sm:grid-cols-2">
          <Field label={t('schedules.cron')} hint={t('schedules.cronHint')}>
            {(ids) => (
              <TextInput {...ids} value={cron} maxLength={200} spellCheck={false} className="font-mono" onChange={(event) => setCron(event.target.value)} />
            )}
          </Field>
          <Field label={t('schedules.timeZone')}>
            {(ids) => <TextInput {...ids} value={timeZone} maxLength={64} spellCheck={false} onChange={(event) => setTimeZone(event.target.value)} />}
          </Field>
        </div>
      )}
      {kind === 'interval' && (
        <Field label={t('schedules.everyMinutes')}>
          {(ids) => <TextInput {...ids} inputMode="decimal" value={minutes} onChange={(event) => setMinutes(event.target.value)} className="max-w-32" />}
        </Field>
      )}
      {kind === 'once' && (
        <Field label={t('schedules.at')} hint={t('schedules.atHint', { zone: readerZone() })}>
          {(ids) => <TextInput {...ids} type="datetime-local" value={at} onChange={(event) => setAt(event.target.value)} className="max-w-64" />}
        </Field>
      )}
      <Field label={t('schedules.input')} hint={t('schedules.inputHint')}>
        {(ids) => <TextArea {...ids} rows={2} maxLength={100_000} value={input} onChange={(event) => setInput(event.target.value)} />}
      </Field>
      <Field label={t('schedules.overlap')}>
        {(ids) => (
          <SelectField {...ids} value={overlap} onChange={(event) => setOverlap(overlaps.find((one) => one === event.target.value) ?? 'skip')}>
            {overlaps.map((value) => (
              <option key={value} value={value}>
                {t(`schedules.overlaps.${value}`)}
              </option>
            ))}
          </SelectField>
        )}
      </Field>
    </ActionDialog>
  )
}

/** As the browser's field for a date and a time wants it: the reader's own clock, without a zone. */
function localInput(at: string): string {
  const date = new Date(at)
  return new Date(date.getTime() - date.getTimezoneOffset() * 60_000).toISOString().slice(0, 16)
}

function jsonOrText(text: string): Json {
  try {
    return JSON.parse(text)
  } catch {
    return text || null // Not JSON, so it is meant as text.
  }
}
