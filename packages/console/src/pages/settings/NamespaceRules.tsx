import { useQuery } from '@tanstack/react-query'
import type { UseQueryResult } from '@tanstack/react-query'
import { Pencil } from 'lucide-react'
import { useState } from 'react'
import type { ReactNode } from 'react'
import { usePermission } from '../../api/permissions.ts'
import { namespacesQuery } from '../../api/settings.ts'
import { useTexts } from '../../i18n/index.ts'
import { IconButton } from '../../ui/Button.tsx'
import { EmptyState } from '../../ui/Notes.tsx'
import { Listing } from '../Listing.tsx'
import { Ago } from '../Moment.tsx'

/** A namespace and its rule, if it has one. `namespace` is null for all that have none. */
export type RuleRow<Rule> = { namespace: string | null; rule: Rule | undefined }

type Props<Rule> = {
  /** What the rules are of. */
  words: { title: string; namespace: string; others: string; kept: string; empty: string; changeOne: (namespace: string) => string }
  query: UseQueryResult<{ items: Rule[] }>
  keptClass: string
  /** What a rule says, or what counts without one. */
  kept: (row: RuleRow<Rule>) => ReactNode
  dialog: (row: RuleRow<Rule>, onClose: () => void) => ReactNode
}

/** How long something is kept in each namespace, and in all others. */
export function NamespaceRules<Rule extends { namespace: string | null; setBy: string; setAt: string }>({
  words,
  query,
  keptClass,
  kept,
  dialog,
}: Props<Rule>) {
  const { t } = useTexts()
  const mayManage = usePermission('namespaces:manage')
  const namespaces = useQuery(namespacesQuery())
  const [changing, setChanging] = useState<RuleRow<Rule>>()
  const rules = query.data?.items
  const names = [...new Set([...(namespaces.data?.items ?? []).map(({ name }) => name), ...(rules ?? []).flatMap(({ namespace }) => namespace ?? [])])].sort()
  const rows =
    rules && namespaces.data
      ? [...names, null].map((namespace): RuleRow<Rule> => ({ namespace, rule: rules.find((rule) => rule.namespace === namespace) }))
      : undefined
  const nameOf = ({ namespace }: RuleRow<Rule>) => namespace ?? words.others
  return (
    <>
      <Listing<RuleRow<Rule>>
        query={query}
        label={words.title}
        rows={rows}
        skeletonRows={2}
        idOf={({ namespace }) => namespace ?? ''}
        empty={<EmptyState title={words.empty} />}
        columns={[
          {
            id: 'namespace',
            head: words.namespace,
            cell: (row) => <span className={row.namespace ? 'block truncate font-medium' : 'text-ink-2'}>{nameOf(row)}</span>,
          },
          { id: 'kept', head: words.kept, className: keptClass, cell: kept },
          {
            id: 'by',
            head: t('limits.setBy'),
            className: 'w-52 max-md:hidden',
            cell: ({ rule }) =>
              rule && (
                <span className="block truncate text-ink-2">
                  {rule.setBy} · <Ago at={rule.setAt} />
                </span>
              ),
          },
          ...(mayManage
            ? [
                {
                  id: 'actions',
                  head: t('admin.actions'),
                  isHeadHidden: true as const,
                  className: 'w-12',
                  isRight: true,
                  cell: (row: RuleRow<Rule>) => (
                    <IconButton size="sm" label={words.changeOne(nameOf(row))} onClick={() => setChanging(row)}>
                      <Pencil size={14} aria-hidden />
                    </IconButton>
                  ),
                },
              ]
            : []),
        ]}
      />
      {changing && dialog(changing, () => setChanging(undefined))}
    </>
  )
}
