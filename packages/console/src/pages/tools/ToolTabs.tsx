import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { Tabs } from '../Tabs.tsx'

/** What agents have, and what they share. */
export function ToolTabs() {
  const { t } = useTexts()
  return (
    <Tabs
      label={t('tools.title')}
      tabs={[
        { href: paths.tools(), label: t('tools.ofAgents') },
        { href: paths.marketplace(), label: t('marketplace.title') },
      ]}
    />
  )
}
