import type { Run } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useRouter } from '@tanstack/react-router'
import { useState } from 'react'
import { runsQuery } from '../../../api/queries.ts'
import { useTexts } from '../../../i18n/index.ts'
import { paths } from '../../../paths.ts'
import { Field, SelectField } from '../../../ui/Field.tsx'
import { TextInput } from '../../../ui/Fields.tsx'
import { formatInstant } from '../../../ui/format.ts'
import { FormDialog } from '../../FormDialog.tsx'
import { questionOf } from '../run-facts.ts'

const runId = /[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}/i

/** Which run to hold against this one: one of the agent's last, or any other by its id or link. */
export function CompareDialog({ run, onClose }: { run: Run; onClose: () => void }) {
  const { t, locale } = useTexts()
  const router = useRouter()
  const runs = useQuery(runsQuery({ agent: run.agent }))
  const others = runs.data?.items.filter(({ id }) => id !== run.id) ?? []
  const [chosen, setChosen] = useState('')
  const [written, setWritten] = useState('')
  const other = written.trim() === '' ? chosen || others[0]?.id : runId.exec(written)?.[0].toLowerCase()
  return (
    <FormDialog
      title={t('compare.title')}
      action={t('compare.button')}
      isBusy={false}
      error={null}
      blockedBecause={other === undefined ? t('compare.none') : other === run.id ? t('compare.same') : undefined}
      onSubmit={() => other !== undefined && void router.navigate({ href: paths.compare(run.id, other) })}
      onClose={onClose}
    >
      <p className="text-sm text-ink-2">{t('compare.text')}</p>
      {others.length > 0 && (
        <Field label={t('compare.last', { agent: run.agent })}>
          {(ids) => (
            <SelectField {...ids} value={chosen} onChange={(event) => setChosen(event.target.value)}>
              {others.map(({ id, input, createdAt, state }) => (
                <option key={id} value={id}>
                  {`${formatInstant(Date.parse(createdAt), locale)} · ${t(`state.${state}`)} · ${questionOf(input).slice(0, 60) || t('runs.noInput')}`}
                </option>
              ))}
            </SelectField>
          )}
        </Field>
      )}
      <Field label={t('compare.other')} hint={t('compare.otherHint')}>
        {(ids) => (
          <TextInput
            {...ids}
            spellCheck={false}
            maxLength={500}
            value={written}
            onChange={(event) => setWritten(event.target.value)}
            className="font-mono text-sm"
          />
        )}
      </Field>
    </FormDialog>
  )
}
