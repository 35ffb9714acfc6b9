import { may } from '@longhaul/protocol/plain'
import type { Run } from '@longhaul/protocol'
import { useMutation } from '@tanstack/react-query'
import { GitCompare, GitFork, Radio, RotateCw, ScrollText, Square } from 'lucide-react'
import { useState } from 'react'
import { client } from '../../api/client.ts'
import { usePermission } from '../../api/permissions.ts'
import { acceptRun } from '../../api/queries.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import type { Timeline } from '../../timeline/index.ts'
import { Button, buttonClass } from '../../ui/Button.tsx'
import { TextInput } from '../../ui/Fields.tsx'
import { Modal } from '../../ui/Sheet.tsx'
import { AppLink } from '../AppLink.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { CompareDialog } from './compare/CompareDialog.tsx'
import { ExportButton } from './ExportButton.tsx'
import { ForkDialog } from './fork/ForkDialog.tsx'
import { SignalDialog } from './SignalDialog.tsx'

/** What can be done to a run as a whole. What cannot be done now stays, and says why. */
export function RunActions({ run, timeline }: { run: Run; timeline: Timeline }) {
  const { t } = useTexts()
  const mayOperate = usePermission('runs:operate')
  const mayWrite = usePermission('runs:write')
  const [isAsking, setAsking] = useState(false)
  const [open, setOpen] = useState<'signal' | 'fork' | 'compare'>()
  const close = () => setOpen(undefined)
  const ended = may(run.state, 'cancel') ? undefined : t('run.cancelEnded')
  const blocked = mayOperate ? ended : t('common.noPermission', { permission: 'runs:operate' })
  const writeBlocked = mayWrite ? undefined : t('common.noPermission', { permission: 'runs:write' })
  const signalBlocked = writeBlocked ?? ended
  return (
    <div className="-mx-4 flex max-w-[100vw] items-center gap-2 overflow-x-auto px-4 py-1 md:mx-0 md:flex-wrap md:overflow-visible md:px-0">
      <Button size="sm" disabledBecause={writeBlocked} onClick={() => setOpen('fork')}>
        <GitFork size={13} aria-hidden />
        {t('fork.button')}
      </Button>
      <Button size="sm" onClick={() => setOpen('compare')}>
        <GitCompare size={13} aria-hidden />
        {t('compare.button')}
      </Button>
      <AppLink href={paths.journal(run.id)} className={buttonClass('secondary', 'sm')}>
        <ScrollText size={13} aria-hidden />
        {t('run.journal')}
      </AppLink>
      <ExportButton runId={run.id} />
      <Button size="sm" disabledBecause={signalBlocked} onClick={() => setOpen('signal')}>
        <Radio size={13} aria-hidden />
        {t('run.signal')}
      </Button>
      <AppLink
        href={paths.home({ agent: run.agent, question: (typeof run.input === 'string' ? run.input : JSON.stringify(run.input)).slice(0, 1_500) })}
        className={buttonClass('secondary', 'sm')}
      >
        <RotateCw size={13} aria-hidden />
        {t('run.askAgain')}
      </AppLink>
      <Button look="danger" size="sm" disabledBecause={blocked} onClick={() => setAsking(true)}>
        <Square size={11} aria-hidden fill="currentColor" />
        {t('run.cancel')}
      </Button>
      {open === 'signal' && signalBlocked === undefined && <SignalDialog run={run} onClose={close} />}
      {open === 'fork' && <ForkDialog run={run} timeline={timeline} onClose={close} />}
      {open === 'compare' && <CompareDialog run={run} onClose={close} />}
      <CancelDialog run={run} isOpen={isAsking && blocked === undefined} onClose={() => setAsking(false)} />
    </div>
  )
}

function CancelDialog({ run, isOpen, onClose }: { run: Run; isOpen: boolean; onClose: () => void }) {
  const { t } = useTexts()
  const [reason, setReason] = useState('')
  const cancel = useMutation({
    mutationFn: () => client.runs.cancel({ runId: run.id, ...(reason.trim() ? { reason: reason.trim() } : {}) }),
    onSuccess: (next) => {
      acceptRun(next)
      onClose()
    },
  })
  return (
    <Modal isOpen={isOpen} onClose={onClose} title={t('run.cancelTitle')}>
      <form
        className="mt-2 space-y-4"
        onSubmit={(event) => {
          event.preventDefault()
          cancel.mutate()
        }}
      >
        <p className="text-ink-2">{t('run.cancelText')}</p>
        <label className="block space-y-1.5 text-sm">
          <span className="font-medium">{t('run.cancelReason')}</span>
          <TextInput value={reason} maxLength={500} onChange={(event) => setReason(event.target.value)} />
        </label>
        {cancel.isError && <RequestError error={cancel.error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t('run.keep')}</Button>
          <Button type="submit" look="danger" isBusy={cancel.isPending}>
            {t('run.cancel')}
          </Button>
        </div>
      </form>
    </Modal>
  )
}
