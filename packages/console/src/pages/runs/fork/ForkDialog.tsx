import { Prompt } from '@longhaul/protocol'
import type { ForkChanges, Run } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useRouter } from '@tanstack/react-router'
import { useState } from 'react'
import { versionsQuery } from '../../../api/agents.ts'
import { client } from '../../../api/client.ts'
import { useMay, usePermission } from '../../../api/permissions.ts'
import { acceptRun, stepQuery } from '../../../api/queries.ts'
import { useTexts } from '../../../i18n/index.ts'
import { paths } from '../../../paths.ts'
import type { Timeline } from '../../../timeline/index.ts'
import { Field, RadioList, SelectField } from '../../../ui/Field.tsx'
import { TextArea, TextInput } from '../../../ui/Fields.tsx'
import { ActionDialog } from '../../ActionDialog.tsx'
import { parseJson } from '../../parse-json.ts'
import { wordsOf } from '../entry-facts.ts'
import { forkable, modelCallAt } from './fork-facts.ts'
import { ModelField } from './ModelField.tsx'

type Props = { run: Run; timeline: Timeline; op?: string | undefined; onClose: () => void }

/** Goes on from a step of a run as another run, with something changed. What is not touched stays as it was recorded. */
export function ForkDialog({ run, timeline, op: chosen, onClose }: Props) {
  const { t } = useTexts()
  const router = useRouter()
  const mayOperate = usePermission('runs:operate')
  const [op, setOp] = useState(chosen ?? '')
  const [model, setModel] = useState('')
  const [instructions, setInstructions] = useState<string>()
  const [tokens, setTokens] = useState('')
  const [version, setVersion] = useState('')
  const [input, setInput] = useState<string>()
  const [isLive, setLive] = useState(false)
  const call = modelCallAt(timeline, op || undefined)
  const step = useQuery({ ...stepQuery(run.id, call?.key ?? '', call?.events.length ?? 0), enabled: call !== undefined })
  const prompt = Prompt.safeParse(step.data?.input)
  const recorded = prompt.success ? prompt.data : undefined
  const parsed = input === undefined ? undefined : parseJson(input)
  const outputTokensMax = tokens.trim() === '' ? undefined : Number(tokens)
  const isTokensWrong = outputTokensMax !== undefined && !(Number.isInteger(outputTokensMax) && outputTokensMax >= 1 && outputTokensMax <= 1_000_000)
  const changes: ForkChanges = {
    ...(parsed && 'value' in parsed && { input: parsed.value }),
    ...(version && { version }),
    ...(model.trim() && { model: model.trim() }),
    ...(instructions !== undefined && instructions !== recorded?.instructions && { instructions }),
    ...(outputTokensMax !== undefined && { outputTokensMax }),
  }
  const problem = parsed && 'message' in parsed ? t('wait.badJson', { message: parsed.message }) : isTokensWrong ? t('fork.tokensWrong') : undefined
  return (
    <ActionDialog
      size="lg"
      title={t('fork.title')}
      action={t('fork.action')}
      changes={['runs']}
      blockedBecause={problem}
      act={async () => {
        const fork = await client.runs.fork({ runId: run.id, ...(op && { op }), changes, isLive })
        acceptRun(fork)
        await router.navigate({ href: paths.run(fork.id) })
      }}
      onClose={onClose}
    >
      <p className="text-sm text-ink-2">{t('fork.text')}</p>
      <Field label={t('fork.from')}>
        {(ids) => (
          <SelectField {...ids} value={op} onChange={(event) => setOp(event.target.value)}>
            <option value="">{t('fork.beginning')}</option>
            {forkable(timeline).map((entry) => {
              const { title, summary } = wordsOf(entry, t)
              return <option key={entry.key} value={entry.key}>{`${entry.key} · ${title}${summary ? ` · ${summary.slice(0, 80)}` : ''}`}</option>
            })}
          </SelectField>
        )}
      </Field>
      {call && (
        <>
          <Field label={t('detail.instructions')} hint={t('fork.instructionsHint')}>
            {(ids) => (
              <TextArea
                {...ids}
                rows={7}
                maxLength={200_000}
                value={instructions ?? recorded?.instructions ?? ''}
                onChange={(event) => setInstructions(event.target.value)}
                className="text-sm"
              />
            )}
          </Field>
          <div className="grid gap-4 sm:grid-cols-2">
            <ModelField label={t('run.model')} value={model} placeholder={recorded?.model ?? t('fork.asItWas')} onChange={setModel} />
            <Field label={t('fork.tokens')} error={isTokensWrong ? t('fork.tokensWrong') : undefined}>
              {(ids) => (
                <TextInput
                  {...ids}
                  inputMode="numeric"
                  value={tokens}
                  placeholder={recorded?.outputTokensMax === undefined ? t('fork.asItWas') : String(recorded.outputTokensMax)}
                  onChange={(event) => setTokens(event.target.value)}
                />
              )}
            </Field>
          </div>
        </>
      )}
      <VersionField run={run} value={version} onChange={setVersion} />
      <Field label={t('detail.input')} hint={t('fork.inputHint')} error={parsed && 'message' in parsed ? problem : undefined}>
        {(ids) => (
          <TextArea
            {...ids}
            rows={3}
            spellCheck={false}
            value={input ?? JSON.stringify(run.input, null, 2)}
            onChange={(event) => setInput(event.target.value)}
            className="font-mono text-xs"
          />
        )}
      </Field>
      <RadioList
        name="writes"
        value={isLive ? 'live' : 'withheld'}
        choices={[
          { value: 'withheld', label: t('fork.withheld'), text: t('fork.withheldText') },
          {
            value: 'live',
            label: t('fork.live'),
            text: t('fork.liveText'),
            blockedBecause: run.imported ? t('fork.importedText') : mayOperate ? undefined : t('common.noPermission', { permission: 'runs:operate' }),
          },
        ]}
        onChange={(value) => setLive(value === 'live')}
      />
    </ActionDialog>
  )
}

function VersionField({ run, value, onChange }: { run: Run; value: string; onChange: (version: string) => void }) {
  const { t } = useTexts()
  const may = useMay()
  const versions = useQuery({ ...versionsQuery(run.agent), enabled: may('agents:read') === true })
  const others = versions.data?.items.filter((one) => one.version !== run.version && one.status !== 'broken') ?? []
  return (
    <Field label={t('agents.version')}>
      {(ids) => (
        <SelectField {...ids} value={value} onChange={(event) => onChange(event.target.value)}>
          <option value="">{t('fork.sameVersion', { version: run.version })}</option>
          {others.map(({ version, deployment }) => (
            <option key={version} value={version}>
              {deployment ? `${version} (${t(`agents.states.${deployment}`)})` : version}
            </option>
          ))}
        </SelectField>
      )}
    </Field>
  )
}
