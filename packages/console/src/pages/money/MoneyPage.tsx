import { useTexts } from '../../i18n/index.ts'
import { PageHead } from '../PageHead.tsx'
import { BudgetEvents } from './BudgetEvents.tsx'
import { BudgetsList } from './BudgetsList.tsx'
import { UsageSection } from './UsageSection.tsx'
import { WhatIf } from './WhatIf.tsx'

/** What may be spent, what was, and on what. */
export function MoneyPage() {
  const { t } = useTexts()
  return (
    <div className="space-y-8">
      <PageHead title={t('money.title')} lead={t('money.lead')} />
      <BudgetsList />
      <UsageSection />
      <WhatIf />
      <BudgetEvents />
    </div>
  )
}
