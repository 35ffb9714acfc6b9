import { auditOutcomes, toOcsf } from '@longhaul/protocol/plain'
import type { AuditEntry, AuditHead } from '@longhaul/protocol'
import { keepPreviousData, queryOptions } from '@tanstack/react-query'
import type { AuditSearch } from '../paths.ts'
import { client } from './client.ts'
import { instantOf } from './days.ts'

export const auditQuery = ({ who, action, outcome, from, to, cursor }: AuditSearch) =>
  queryOptions({
    queryKey: ['audit', 'list', { who, action, outcome, from, to, cursor }],
    queryFn: ({ signal }) => {
      const [fromAt, toAt, known] = [instantOf(from), instantOf(to, 1), auditOutcomes.find((each) => each === outcome)]
      return client.audit.list(
        {
          limit: 50,
          ...(who && { who }),
          ...(action && { action }),
          ...(known && { outcome: known }),
          ...(fromAt && { from: fromAt }),
          ...(toAt && { to: toAt }),
          ...(cursor && { cursor }),
        },
        { signal },
      )
    },
    placeholderData: keepPreviousData,
    refetchInterval: cursor ? false : 5_000,
  })

/** Where the chain stands. Looking at it leaves no entry. */
export const auditHeadQuery = () =>
  queryOptions({ queryKey: ['audit', 'head'], queryFn: ({ signal }) => client.audit.head({}, { signal }), refetchInterval: 5_000 })

export const verifyAudit = (head?: AuditHead) => client.audit.verify(head ? { head } : {}, { timeoutMs: 600_000 })

export type ExportFormat = 'jsonl' | 'ocsf'

/** The whole log, oldest first, one entry a line. JSON lines begin with a line that says whose they are, as `longhaul audit verify --file` reads them. */
export async function exportAudit(format: ExportFormat, onProgress: (count: number) => void, signal: AbortSignal): Promise<Blob> {
  const parts: string[] = []
  let count = 0
  for (let after: number | null = 0; after !== null;) {
    const page: { tenantId: string; items: AuditEntry[]; next: number | null } = await client.audit.export({ after }, { signal })
    if (count === 0 && format === 'jsonl') parts.push(line({ type: 'audit', tenantId: page.tenantId, after: 0 }))
    parts.push(page.items.map((entry) => line(format === 'ocsf' ? toOcsf(entry, page.tenantId) : entry)).join(''))
    count += page.items.length
    onProgress(count)
    after = page.next
  }
  return new Blob(parts, { type: 'application/x-ndjson' })
}
const line = (value: unknown) => `${JSON.stringify(value)}\n`
