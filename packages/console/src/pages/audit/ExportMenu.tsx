import { useMutation } from '@tanstack/react-query'
import { Download, Square } from 'lucide-react'
import { useEffect, useRef, useState } from 'react'
import { exportAudit } from '../../api/audit.ts'
import type { ExportFormat } from '../../api/audit.ts'
import { useTexts } from '../../i18n/index.ts'
import { Button } from '../../ui/Button.tsx'
import { download } from '../../ui/download.ts'
import { formatNumber } from '../../ui/format.ts'
import { RequestError } from '../ErrorPages.tsx'

/** The whole log as a file. Long ones take a while: how far it is stands in the button that stops it. */
export function ExportMenu() {
  const { t, locale } = useTexts()
  const [count, setCount] = useState(0)
  const stopping = useRef<AbortController>(undefined)
  useEffect(() => () => stopping.current?.abort(), [])
  const saving = useMutation({
    async mutationFn(format: ExportFormat) {
      setCount(0)
      const controller = (stopping.current = new AbortController())
      try {
        const day = new Date().toISOString().slice(0, 10)
        download(await exportAudit(format, setCount, controller.signal), format === 'ocsf' ? `audit-${day}.ocsf.jsonl` : `audit-${day}.jsonl`)
      } catch (error) {
        if (!controller.signal.aborted) throw error
      }
    },
  })
  if (saving.isPending)
    return (
      <Button onClick={() => stopping.current?.abort()}>
        <Square size={11} aria-hidden fill="currentColor" />
        {t('audit.stopExport', { number: formatNumber(count, locale) })}
      </Button>
    )
  return (
    <>
      <Button onClick={() => saving.mutate('jsonl')}>
        <Download size={14} aria-hidden />
        {t('audit.exportLines')}
      </Button>
      <Button onClick={() => saving.mutate('ocsf')}>
        <Download size={14} aria-hidden />
        {t('audit.exportOcsf')}
      </Button>
      {saving.isError && (
        <div className="w-full">
          <RequestError error={saving.error} />
        </div>
      )}
    </>
  )
}
