import type { CatalogueChange } from '@longhaul/protocol'
import { useState } from 'react'
import { client } from '../../api/client.ts'
import { useTexts } from '../../i18n/index.ts'
import { Button } from '../../ui/Button.tsx'
import { formatCount, formatNumber } from '../../ui/format.ts'
import { EmptyState, Note } from '../../ui/Notes.tsx'
import { Section } from '../../ui/Page.tsx'
import { StateIcon } from '../../ui/State.tsx'
import { ActionDialog } from '../ActionDialog.tsx'
import { Listing } from '../Listing.tsx'
import type { ReadCatalogue } from './ReadCatalogueDialog.tsx'

/** What a catalogue that was read would change, those to look at first, and the two ways from here. */
export function CatalogueChanges({ read, onDone }: { read: ReadCatalogue; onDone: () => void }) {
  const { t, locale } = useTexts()
  const [isApplying, setApplying] = useState(false)
  const suspicious = read.changes.filter(({ isSuspicious }) => isSuspicious).length
  const price = (value: CatalogueChange['was']) =>
    value === null ? <span className="text-ink-3">–</span> : `$${formatNumber(value.input, locale)} / $${formatNumber(value.output, locale)}`
  return (
    <Section
      id="changes"
      title={t('catalogue.wouldChange')}
      aside={
        <>
          <Button size="sm" onClick={onDone}>
            {t('catalogue.discard')}
          </Button>
          <Button size="sm" look="primary" onClick={() => setApplying(true)}>
            {t('catalogue.apply')}
          </Button>
        </>
      }
    >
      <p role="status" className="mb-2 text-sm break-words text-ink-2">
        {t('catalogue.summary', {
          source: read.source,
          day: read.readOn,
          models: formatCount(read.modelCount, locale),
          changes: formatCount(read.changeCount, locale),
        })}
        {read.changes.length < read.changeCount && ` ${t('catalogue.firstOnly', { count: read.changes.length })}`}
      </p>
      {suspicious > 0 && (
        <div className="mb-3">
          <Note tone="warn" title={t('catalogue.suspicious', { count: suspicious })} />
        </div>
      )}
      <Listing<CatalogueChange>
        query={{ isError: false, error: null, data: read, refetch: () => undefined }}
        label={t('catalogue.wouldChange')}
        rows={read.changes}
        idOf={({ model, kind }) => `${model} ${kind}`}
        empty={<EmptyState title={t('catalogue.same')}>{t('catalogue.sameText')}</EmptyState>}
        columns={[
          {
            id: 'model',
            head: t('models.model'),
            cell: ({ model, isSuspicious }) => (
              <span className="flex min-w-0 items-center gap-2">
                {isSuspicious && (
                  <>
                    <StateIcon tone="warn" />
                    <span className="sr-only">{t('catalogue.look')}</span>
                  </>
                )}
                <code className="truncate text-xs">{model}</code>
              </span>
            ),
          },
          { id: 'kind', head: t('catalogue.kind'), className: 'w-20', cell: ({ kind }) => t(`catalogue.kinds.${kind}`) },
          {
            id: 'was',
            head: t('catalogue.was'),
            isRight: true,
            className: 'w-36 max-sm:hidden',
            cell: ({ was }) => <span className="text-ink-2">{price(was)}</span>,
          },
          { id: 'now', head: t('catalogue.now'), isRight: true, className: 'w-32 sm:w-36', cell: ({ now }) => price(now) },
        ]}
      />
      {isApplying && (
        <ActionDialog
          title={t('catalogue.applyTitle')}
          action={t('catalogue.apply')}
          changes={['catalogue', 'models']}
          act={async () => {
            await client.models.apply({ versionId: read.id })
            onDone()
          }}
          onClose={() => setApplying(false)}
        >
          <p className="text-sm text-ink-2">{t('catalogue.applyText')}</p>
          {suspicious > 0 && <Note tone="warn" title={t('catalogue.suspicious', { count: suspicious })} />}
        </ActionDialog>
      )}
    </Section>
  )
}
