import type { client } from '../../api/client.ts'
import { useQuery } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { useState } from 'react'
import { spanOf, trialQuery } from '../../api/money.ts'
import { useTexts } from '../../i18n/index.ts'
import { patterns } from '../../paths.ts'
import { Button } from '../../ui/Button.tsx'
import { Field } from '../../ui/Field.tsx'
import { TextInput } from '../../ui/Fields.tsx'
import { formatCount, formatInstant, formatUsd } from '../../ui/format.ts'
import { Skeleton } from '../../ui/Notes.tsx'
import { Section } from '../../ui/Page.tsx'
import { Table } from '../../ui/Table.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { ModelField } from '../runs/fork/ModelField.tsx'

type Tried = Awaited<ReturnType<typeof client.usage.try>>

/** The calls of the time that the page shows, with another model or against another limit for each month. What is asked stands in the address. */
export function WhatIf() {
  const { t } = useTexts()
  const search = useSearch({ from: '/shell/budgets' })
  const navigate = useNavigate()
  const span = spanOf(search.span)
  const [model, setModel] = useState(search.asModel ?? '')
  const [limit, setLimit] = useState(search.asLimit ?? '')
  const asLimit = search.asLimit === undefined ? undefined : Number(search.asLimit)
  const isAsked = search.asModel !== undefined || asLimit !== undefined
  const tried = useQuery({ ...trialQuery(span, { asModel: search.asModel, asLimit }), enabled: isAsked })
  const isLimitWrong = limit.trim() !== '' && !(Number(limit) >= 0 && Number(limit) <= 9_000_000)
  return (
    <Section id="what-if" title={t('money.whatIf')}>
      <form
        className="flex flex-wrap items-end gap-3"
        onSubmit={(event) => {
          event.preventDefault()
          const asked = { asModel: model.trim() || undefined, asLimit: limit.trim() || undefined }
          void navigate({ to: patterns.budgets, search: { ...search, ...asked }, replace: true, resetScroll: false })
        }}
      >
        <div className="w-full sm:w-72">
          <ModelField label={t('money.asModel')} value={model} placeholder={t('money.asItWas')} onChange={setModel} />
        </div>
        <div className="w-full sm:w-56">
          <Field label={t('money.asLimit')} error={isLimitWrong ? t('money.limitWrong') : undefined}>
            {(ids) => (
              <TextInput {...ids} inputMode="decimal" placeholder={t('money.asItWas')} value={limit} onChange={(event) => setLimit(event.target.value)} />
            )}
          </Field>
        </div>
        <Button type="submit" disabledBecause={isLimitWrong ? t('money.limitWrong') : undefined}>
          {t('money.compare')}
        </Button>
      </form>
      {isAsked && (
        <div className="mt-4 space-y-4">
          {tried.isError ? (
            <RequestError error={tried.error} />
          ) : tried.data ? (
            <Answer tried={tried.data} model={search.asModel ?? ''} />
          ) : (
            <Skeleton className="h-20" />
          )}
        </div>
      )}
    </Section>
  )
}

function Answer({ tried: { asModel, asLimit }, model }: { tried: Tried; model: string }) {
  const { t, locale } = useTexts()
  const usd = (value: number) => formatUsd(value, locale)
  const met = asLimit?.windows.filter(({ reachedAt }) => reachedAt !== null) ?? []
  return (
    <>
      {asModel && (
        <>
          <p className="text-sm">
            {t('money.asModelSum', { was: usd(asModel.costUsd), would: usd(asModel.asCostUsd), model })}{' '}
            <span className="text-ink-3">{t('money.asModelText')}</span>
            {asModel.unpricedCalls + asModel.asUnpricedCalls > 0 && (
              <span className="ml-1 text-warn">{t('money.asUnpriced', { was: asModel.unpricedCalls, would: asModel.asUnpricedCalls })}</span>
            )}
          </p>
          {asModel.models.length > 0 && (
            <Table
              label={t('money.whatIf')}
              rows={asModel.models}
              idOf={(row) => row.model}
              columns={[
                { id: 'model', head: t('money.dimensions.model'), cell: (row) => <span className="block truncate">{row.model}</span> },
                { id: 'calls', head: t('money.calls'), isRight: true, className: 'w-18 max-sm:hidden', cell: ({ calls }) => formatCount(calls, locale) },
                { id: 'was', head: t('runs.cost'), isRight: true, className: 'w-24', cell: ({ costUsd }) => usd(costUsd) },
                { id: 'would', head: t('money.would'), isRight: true, className: 'w-28', cell: ({ asCostUsd }) => usd(asCostUsd) },
              ]}
            />
          )}
        </>
      )}
      {asLimit && (
        <>
          <p className="text-sm">
            {met.length === 0
              ? t('money.limitHolds', { count: asLimit.calls })
              : t('money.limitMet', { refused: asLimit.refusedCalls, count: asLimit.calls, amount: usd(asLimit.refused) })}{' '}
            <span className="text-ink-3">{t('money.asLimitText')}</span>
          </p>
          {met.length > 0 && (
            <ul className="text-sm text-ink-2">
              {met.map(({ at, reachedAt, refusedCalls }) => (
                <li key={at}>{t('money.limitMetAt', { at: formatInstant(Date.parse(reachedAt ?? at), locale), count: refusedCalls })}</li>
              ))}
            </ul>
          )}
        </>
      )}
    </>
  )
}
