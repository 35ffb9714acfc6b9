import type { Permission } from '@longhaul/protocol'
import { useRouterState } from '@tanstack/react-router'
import { useMay } from '../../api/permissions.ts'
import { useTexts } from '../../i18n/index.ts'
import type { Translate } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { Tabs } from '../Tabs.tsx'

/** What there is besides the models themselves: what was asked outside of runs, with whose keys models are asked, and where prices come from. */
export const modelPages: readonly { href: string; name: (t: Translate) => string; permission: Permission }[] = [
  { href: paths.calls(), name: (t) => t('calls.title'), permission: 'calls:read' },
  { href: paths.providers(), name: (t) => t('providers.title'), permission: 'models:call' },
  { href: paths.catalogue(), name: (t) => t('catalogue.title'), permission: 'system:read' },
]

export function ModelTabs() {
  const { t } = useTexts()
  const may = useMay()
  const pathname = useRouterState({ select: ({ location }) => location.pathname })
  return (
    <Tabs
      label={t('models.title')}
      tabs={[
        { href: paths.models(), label: t('models.title') },
        ...modelPages
          .filter(({ permission }) => may(permission))
          .map(({ href, name }) => ({ href, label: name(t), isOpen: pathname === href || pathname.startsWith(`${href}/`) })),
      ]}
    />
  )
}
