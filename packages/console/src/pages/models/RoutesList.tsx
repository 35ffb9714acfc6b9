import type { Route } from '@longhaul/protocol'
import { useQuery } from '@tanstack/react-query'
import { ArrowUpToLine, Pencil, Trash2 } from 'lucide-react'
import { useState } from 'react'
import { client } from '../../api/client.ts'
import { routesQuery } from '../../api/providers.ts'
import { modelHealthQuery } from '../../api/money.ts'
import { useMay, usePermission } from '../../api/permissions.ts'
import { useTexts } from '../../i18n/index.ts'
import { Button } from '../../ui/Button.tsx'
import { Note } from '../../ui/Notes.tsx'
import { StateIcon, Tag } from '../../ui/State.tsx'
import { ActionDialog } from '../ActionDialog.tsx'
import { NamedSection } from '../NamedSection.tsx'
import { healthOf } from './health.ts'
import { RouteDialog } from './RouteDialog.tsx'

/** Names that stand for models: whom each asks, in what order, and how those have been answering. */
export function RoutesList() {
  const { t } = useTexts()
  const routes = useQuery(routesQuery())
  return (
    <NamedSection<Route>
      id="routes"
      title={t('models.routes')}
      query={routes}
      skeletonRows={2}
      nameClass="sm:w-44"
      add={t('models.addRoute')}
      permission="routes:manage"
      dialog={(onClose) => <RouteDialog onClose={onClose} />}
      none={{ title: t('models.noRoutes'), text: t('models.noRoutesText') }}
      detailOf={(route) => <RouteDetail route={route} />}
      columns={[
        {
          id: 'first',
          head: t('models.first'),
          cell: ({ targets, pick, problems = [] }) => (
            <span className="flex min-w-0 items-center gap-2">
              <code className="truncate text-xs">{pick === 'order' ? targets[0]?.model : t(pick === 'weight' ? 'models.byWeight' : 'models.byLearning')}</code>
              {problems.length > 0 && <Tag>{t('models.unasked', { count: problems.length })}</Tag>}
            </span>
          ),
        },
        { id: 'count', head: t('models.targets'), isRight: true, className: 'w-20', cell: ({ targets }) => targets.length },
        {
          id: 'description',
          head: t('agents.description'),
          className: 'max-md:hidden',
          cell: ({ description }) => <span className="block truncate text-ink-2">{description}</span>,
        },
      ]}
    />
  )
}

function RouteDetail({ route }: { route: Route }) {
  const { t } = useTexts()
  const may = useMay()
  const mayManage = usePermission('routes:manage')
  const health = useQuery({ ...modelHealthQuery(), enabled: may('money:read') === true })
  const [failover, setFailover] = useState<string>()
  const [open, setOpen] = useState<'edit' | 'delete'>()
  const blocked = mayManage ? undefined : t('common.noPermission', { permission: 'routes:manage' })
  const { updatedAt: _updatedAt, etag: _etag, problems = [], ...spec } = route
  return (
    <div className="space-y-3">
      <ol className="divide-y divide-line rounded-md border border-line bg-surface">
        {route.targets.map((target, i) => {
          const { tone, calls, failed } = healthOf(health.data?.groups, target.model)
          return (
            <li key={`${target.model} ${i}`} className="flex min-h-9 flex-wrap items-center gap-x-3 gap-y-1 px-3 py-1 text-sm">
              <span className="w-4 text-right text-xs text-ink-3">{i + 1}</span>
              <StateIcon tone={tone} />
              <code className="min-w-0 truncate text-xs">{target.model}</code>
              {route.pick === 'weight' && <span className="text-xs text-ink-3">{t('models.weight', { weight: target.weight })}</span>}
              {target.when && <code className="min-w-0 truncate text-xs text-ink-3">{target.when}</code>}
              <span className="ml-auto text-xs text-ink-3">{calls === 0 ? t('models.notAsked') : t('models.asked', { count: calls, failed })}</span>
              <Button
                size="sm"
                disabledBecause={blocked ?? (i === 0 && route.pick === 'order' ? t('models.isFirst') : undefined)}
                onClick={() => setFailover(target.model)}
              >
                <ArrowUpToLine size={13} aria-hidden />
                {t('models.failover')}
              </Button>
            </li>
          )
        })}
      </ol>
      {problems.length > 0 && (
        <Note tone="warn" title={t('models.passedOver')}>
          <ul className="space-y-1 text-sm">
            {problems.map(({ model, problem }) => (
              <li key={model}>
                <code className="text-xs">{model}</code>: {problem}
              </li>
            ))}
          </ul>
        </Note>
      )}
      <div className="flex gap-2">
        <Button size="sm" disabledBecause={blocked} onClick={() => setOpen('edit')}>
          <Pencil size={13} aria-hidden />
          {t('schedules.edit')}
        </Button>
        <Button size="sm" look="danger" disabledBecause={blocked} onClick={() => setOpen('delete')}>
          <Trash2 size={13} aria-hidden />
          {t('schedules.delete')}
        </Button>
      </div>
      {failover !== undefined && (
        <ActionDialog
          title={t('models.failoverTitle', { route: route.name })}
          action={t('models.failover')}
          changes={['routes']}
          edited={{ shown: route, load: () => client.routes.get({ name: route.name }) }}
          act={(condition) =>
            client.routes.set(
              {
                ...spec,
                pick: 'order',
                targets: [...route.targets.filter(({ model }) => model === failover), ...route.targets.filter(({ model }) => model !== failover)],
              },
              condition,
            )
          }
          onClose={() => setFailover(undefined)}
        >
          <p className="text-sm text-ink-2">{t('models.failoverText', { model: failover })}</p>
        </ActionDialog>
      )}
      {open === 'edit' && <RouteDialog route={route} onClose={() => setOpen(undefined)} />}
      {open === 'delete' && (
        <ActionDialog
          title={t('schedules.deleteTitle', { name: route.name })}
          action={t('schedules.delete')}
          isDangerous
          changes={['routes']}
          act={() => client.routes.delete({ name: route.name })}
          onClose={() => setOpen(undefined)}
        >
          <p className="text-sm text-ink-2">{t('models.deleteText')}</p>
        </ActionDialog>
      )}
    </div>
  )
}
