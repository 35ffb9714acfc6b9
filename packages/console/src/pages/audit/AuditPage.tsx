import { useTexts } from '../../i18n/index.ts'
import { Guarded } from '../Guarded.tsx'
import { PageHead } from '../PageHead.tsx'
import { AuditFilters } from './AuditFilters.tsx'
import { AuditTable } from './AuditTable.tsx'
import { Chain } from './Chain.tsx'
import { ExportMenu } from './ExportMenu.tsx'
import { useMay } from '../../api/permissions.ts'

export function AuditPage() {
  const { t } = useTexts()
  const may = useMay()('audit:read')
  return (
    <>
      <PageHead title={t('audit.title')} lead={may && t('audit.lead')} actions={may && <ExportMenu />} />
      <Guarded permission="audit:read">
        <Chain />
        <AuditFilters />
        <AuditTable />
      </Guarded>
    </>
  )
}
