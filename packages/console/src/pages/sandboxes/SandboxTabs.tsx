import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { Tabs } from '../Tabs.tsx'

/** Sandboxes, what was kept of them, and what they can begin with. */
export function SandboxTabs() {
  const { t } = useTexts()
  return (
    <Tabs
      label={t('sandboxes.title')}
      tabs={[
        { href: paths.sandboxes(), label: t('sandboxes.title') },
        { href: paths.snapshots(), label: t('sandboxes.snapshots') },
        { href: paths.templates(), label: t('templates.title') },
      ]}
    />
  )
}
