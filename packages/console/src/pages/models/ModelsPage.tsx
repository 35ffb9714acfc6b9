import type { Model } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { useNavigate, useSearch } from '@tanstack/react-router'
import { useEffect, useState } from 'react'
import { modelsQuery } from '../../api/models.ts'
import { useMay, usePermission } from '../../api/permissions.ts'
import { useTexts } from '../../i18n/index.ts'
import { patterns } from '../../paths.ts'
import { Button } from '../../ui/Button.tsx'
import { TextInput } from '../../ui/Fields.tsx'
import { formatCount, formatNumber } from '../../ui/format.ts'
import { EmptyState } from '../../ui/Notes.tsx'
import { Section } from '../../ui/Page.tsx'
import { Tag } from '../../ui/State.tsx'
import { Listing } from '../Listing.tsx'
import { PageHead } from '../PageHead.tsx'
import { Answering } from './Answering.tsx'
import { ModelTabs } from './ModelTabs.tsx'
import { PriceDialog } from './PriceDialog.tsx'
import { RoutesList } from './RoutesList.tsx'

/** Who answers, by what rules, and what each model costs. */
export function ModelsPage() {
  const { t } = useTexts()
  const may = useMay()
  return (
    <div className="space-y-8">
      <div>
        <PageHead title={t('models.title')} lead={t('models.lead')} />
        <ModelTabs />
      </div>
      {may('models:call') && <RoutesList />}
      {may('money:read') && <Answering />}
      <Catalogue />
    </div>
  )
}

function Catalogue() {
  const { t, locale } = useTexts()
  const { search } = useSearch({ from: '/shell/models' })
  const navigate = useNavigate()
  const [limit, setLimit] = useState(50)
  const models = useQuery(modelsQuery(search, limit))
  const mayManage = usePermission('money:manage')
  const [text, setText] = useState(search ?? '')
  const [chosen, setChosen] = useState<Model>()
  useEffect(() => {
    if (text.trim() === (search ?? '')) return
    const timer = setTimeout(() => void navigate({ to: patterns.models, search: { search: text.trim() || undefined }, replace: true, resetScroll: false }), 300)
    return () => clearTimeout(timer)
  }, [text, search, navigate])
  const rate = (value: number | undefined) =>
    value === undefined ? <span className="text-ink-3">–</span> : `$${formatNumber(value, locale, Number.isInteger(Math.round(value * 1e6) / 1e4) ? 2 : 4)}`
  return (
    <Section
      id="catalogue"
      title={t('models.catalogue')}
      aside={
        <TextInput
          type="search"
          aria-label={t('models.search')}
          placeholder={t('models.search')}
          maxLength={200}
          isSmall
          value={text}
          onChange={(event) => setText(event.target.value)}
          className="w-52"
        />
      }
    >
      <p className="mb-2 text-sm text-ink-3">{t('models.unit', { day: models.data?.readOn ?? '…' })}</p>
      <Listing<Model>
        label={t('models.catalogue')}
        query={models}
        rows={models.data?.items}
        skeletonRows={12}
        idOf={({ model }) => model}
        empty={<EmptyState title={t('models.none')}>{t('models.noneText')}</EmptyState>}
        columns={[
          {
            id: 'model',
            head: t('models.model'),
            cell: ({ model, isOverridden }) => (
              <span className="flex min-w-0 items-center gap-2">
                <code className="truncate text-xs">{model}</code>
                {isOverridden && <Tag>{t('models.own')}</Tag>}
              </span>
            ),
          },
          { id: 'input', head: t('money.input'), isRight: true, className: 'w-16 sm:w-20', cell: ({ price }) => rate(price?.input) },
          { id: 'cached', head: t('money.cached'), isRight: true, className: 'w-24 max-md:hidden', cell: ({ price }) => rate(price?.cacheRead) },
          { id: 'output', head: t('money.output'), isRight: true, className: 'w-18 sm:w-20', cell: ({ price }) => rate(price?.output) },
          {
            id: 'context',
            head: t('models.context'),
            isRight: true,
            className: 'w-24 max-md:hidden',
            cell: ({ contextMax }) => <span className="text-ink-2">{contextMax === undefined ? '–' : formatCount(contextMax, locale)}</span>,
          },
          {
            id: 'can',
            head: t('models.can'),
            className: 'w-72 max-xl:hidden',
            cell: ({ capabilities }) => (
              <span className="block truncate text-xs text-ink-3">{capabilities?.map((one) => t(`models.capabilities.${one}`)).join(', ')}</span>
            ),
          },
          {
            id: 'set',
            head: t('agents.actions'),
            isHeadHidden: true,
            isRight: true,
            className: 'w-28 max-sm:hidden',
            cell: (model) => (
              <Button
                size="sm"
                look="quiet"
                disabledBecause={mayManage ? undefined : t('common.noPermission', { permission: 'money:manage' })}
                onClick={() => setChosen(model)}
              >
                {t('models.setPrice')}
              </Button>
            ),
          },
        ]}
      />
      {models.data?.isCut && (
        <div className="mt-3 flex items-center justify-between gap-3 text-sm text-ink-3">
          {t('models.cut', { count: models.data.items.length })}
          <Button size="sm" onClick={() => setLimit(1_000)}>
            {t('models.more')}
          </Button>
        </div>
      )}
      {chosen && <PriceDialog model={chosen} onClose={() => setChosen(undefined)} />}
    </Section>
  )
}
