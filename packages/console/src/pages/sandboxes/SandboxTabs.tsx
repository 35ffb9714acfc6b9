import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { Tabs } from '../Tabs.tsx'

/** Sandboxes, and what was kept of them. */
export function SandboxTabs() {
  const { t } = useTexts()
  return (
    <Tabs
      label={t('sandboxes.title')}
      tabs={[
        { href: paths.sandboxes(), label: t('sandboxes.title') },
        { href: paths.snapshots(), label: t('sandboxes.snapshots') },
      ]}
    />
  )
}
