import { AuditHead, type HeadShipping } from '@longhaul/protocol'
import { useMutation, useQuery } from '@tanstack/react-query'
import { Download, FileCheck, ShieldCheck } from 'lucide-react'
import { useRef, useState } from 'react'
import { auditHeadQuery, verifyAudit } from '../../api/audit.ts'
import { client } from '../../api/client.ts'
import { useTexts } from '../../i18n/index.ts'
import { Button } from '../../ui/Button.tsx'
import { cx } from '../../ui/cx.ts'
import { download } from '../../ui/download.ts'
import { formatNumber } from '../../ui/format.ts'
import { StateIcon } from '../../ui/State.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { Ago } from '../Moment.tsx'

/**
 * Whether the log is what was once written: checked on demand, by itself or against a head that was kept elsewhere. Not by looking at the page: a check
 * reads every entry, and leaves one.
 */
export function Chain() {
  const { t, locale } = useTexts()
  const verify = useMutation({ mutationFn: (kept: AuditHead | undefined) => verifyAudit(kept) })
  const keep = useMutation({
    mutationFn: () => client.audit.head(),
    onSuccess: ({ shipping: _shipping, ...head }) =>
      download(new Blob([JSON.stringify(head, null, 2)], { type: 'application/json' }), `audit-head-${head.tenantId}-${head.seq}.json`),
  })
  const { mutate } = verify
  const verdict = verify.data
  const head = useQuery(auditHeadQuery())
  const number = (value: number) => formatNumber(value, locale)
  return (
    <section
      aria-label={t('audit.chain')}
      className={cx('mb-5 border-y py-2.5', verdict?.isIntact === false ? 'border-bad/40 bg-bad-soft px-3' : 'border-line')}
    >
      <div className="flex flex-wrap items-center justify-between gap-x-6 gap-y-2">
        <p aria-live="polite" className="flex min-h-7 min-w-0 items-center gap-2 text-sm">
          <StateIcon
            tone={verdict === undefined ? (verify.isError ? 'warn' : verify.isPending ? 'active' : 'idle') : verdict.isIntact ? 'good' : 'bad'}
            size={16}
          />
          {verdict === undefined ? (
            <span className="text-ink-2">
              {verify.isError ? t('audit.notChecked') : verify.isPending ? t('audit.checking') : head.data && t('audit.notYet', { seq: number(head.data.seq) })}
            </span>
          ) : verdict.isIntact ? (
            <span>
              <span className="font-medium">{verify.variables ? t('audit.intactFrom', { seq: number(verify.variables.seq) }) : t('audit.intact')}</span>{' '}
              <span className="text-ink-2">
                {t('audit.upTo', { seq: number(verdict.entryCount) })}
                {verdict.pendingCount > 0 && ` · ${t('audit.pending', { count: verdict.pendingCount })}`} · <Ago at={verdict.head.at} />
              </span>
            </span>
          ) : (
            <span className="font-medium text-bad">
              {t('audit.broken')} {verdict.problem}
            </span>
          )}
        </p>
        <div className="flex flex-wrap gap-1">
          <Button size="sm" look="quiet" isBusy={verify.isPending} onClick={() => mutate(undefined)}>
            <ShieldCheck size={14} aria-hidden />
            {t(verdict ? 'audit.verifyAgain' : 'audit.verify')}
          </Button>
          <KeptHead isBusy={verify.isPending} onHead={mutate} />
          <Button size="sm" look="quiet" isBusy={keep.isPending} onClick={() => keep.mutate()}>
            <Download size={14} aria-hidden />
            {t('audit.keepHead')}
          </Button>
        </div>
      </div>
      {head.data?.shipping && <Shipping shipping={head.data.shipping} />}
      {verdict?.isIntact === false && <p className="mt-1 ml-6 text-sm text-ink-2">{t('audit.brokenRemedy')}</p>}
      {(verify.isError || keep.isError) && (
        <div className="mt-2">
          <RequestError error={verify.error ?? keep.error} />
        </div>
      )}
    </section>
  )
}

/** How far behind the place is that heads are shipped to. */
function Shipping({ shipping: { target, lastAt, behind, problem } }: { shipping: HeadShipping }) {
  const { t, locale } = useTexts()
  return (
    <p className={cx('mt-1 ml-6 text-xs', problem === null ? 'text-ink-3' : 'text-bad')}>
      {t('audit.shippedTo', { target })}{' '}
      {lastAt === null ? (
        t('audit.shippedNone')
      ) : (
        <>
          <Ago at={lastAt} />, {t('audit.shippedBehind', { count: behind, number: formatNumber(behind, locale) })}
        </>
      )}
      {problem !== null && ` ${t('audit.shippedFails', { problem })}`}
    </p>
  )
}

/** A head from a file that the reader kept. */
function KeptHead({ isBusy, onHead }: { isBusy: boolean; onHead: (head: AuditHead) => void }) {
  const { t } = useTexts()
  const input = useRef<HTMLInputElement>(null)
  const [problem, setProblem] = useState<string>()
  async function take(file: File) {
    try {
      const head = AuditHead.strip().parse(JSON.parse(await file.text()))
      setProblem(undefined)
      onHead(head)
    } catch {
      setProblem(t('audit.badHead', { name: file.name })) // What is not a head is not one, whatever the parser has to say.
    }
  }
  return (
    <>
      <input
        ref={input}
        type="file"
        accept="application/json,.json"
        aria-label={t('audit.headFile')}
        tabIndex={-1}
        className="sr-only"
        onChange={(event) => {
          const file = event.target.files?.[0]
          event.target.value = ''
          if (file) void take(file)
        }}
      />
      <Button size="sm" look="quiet" isBusy={isBusy} onClick={() => input.current?.click()}>
        <FileCheck size={14} aria-hidden />
        {t('audit.againstHead')}
      </Button>
      {problem && (
        <p role="alert" className="w-full text-sm text-bad">
          {problem}
        </p>
      )}
    </>
  )
}
