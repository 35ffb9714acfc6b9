import type { Permission } from '@longhaul/protocol'
import type { ReactNode } from 'react'
import { useMay } from '../api/permissions.ts'
import { useTexts } from '../i18n/index.ts'
import { Note } from '../ui/Notes.tsx'

/** What a visitor without the right neither sees nor asks the server for: in its place stands which right is missing, and who can give it. */
export function Guarded({ permission, children }: { permission: Permission; children: ReactNode }) {
  const { t } = useTexts()
  const may = useMay()(permission)
  if (may === undefined) return null
  if (may) return children
  return (
    <Note title={t('admin.noRight')}>
      <p className="text-sm text-ink-2">{t('admin.noRightText', { permission })}</p>
    </Note>
  )
}
