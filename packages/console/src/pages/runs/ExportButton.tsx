import { useMutation } from '@tanstack/react-query'
import { Download } from 'lucide-react'
import { client } from '../../api/client.ts'
import { useTexts } from '../../i18n/index.ts'
import { Button } from '../../ui/Button.tsx'
import { RequestError } from '../ErrorPages.tsx'

/** Saves the whole journal as a file of JSON lines that `longhaul runs verify` can check. */
export function ExportButton({ runId }: { runId: string }) {
  const { t } = useTexts()
  const save = useMutation({
    mutationFn: async () => {
      const lines: string[] = []
      for (let after: number | null = -1; after !== null;) {
        const page: { items: { seq: number }[]; next: number | null } = await client.runs.export({ runId, after, limit: 1_000 })
        lines.push(...page.items.map((entry) => `${JSON.stringify(entry)}\n`))
        after = page.items.length === 0 ? null : page.next
      }
      const link = document.createElement('a')
      link.href = URL.createObjectURL(new Blob(lines, { type: 'application/jsonl' }))
      link.download = `run-${runId}.jsonl`
      link.click()
      setTimeout(() => URL.revokeObjectURL(link.href), 10_000)
    },
  })
  return (
    <>
      <Button size="sm" isBusy={save.isPending} onClick={() => save.mutate()}>
        <Download size={13} aria-hidden />
        {t('run.export')}
      </Button>
      {save.isError && <RequestError error={save.error} />}
    </>
  )
}
