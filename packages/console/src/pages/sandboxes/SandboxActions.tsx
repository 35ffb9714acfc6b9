import { Name } from '@longhaul/protocol'
import type { SandboxInfo } from '@longhaul/protocol'
import { useMutation, useQueryClient } from '@tanstack/react-query'
import { useNavigate } from '@tanstack/react-router'
import { Camera, GitFork, Square } from 'lucide-react'
import { useState } from 'react'
import { client } from '../../api/client.ts'
import { usePermission } from '../../api/permissions.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { Button } from '../../ui/Button.tsx'
import { Field } from '../../ui/Field.tsx'
import { TextInput } from '../../ui/Fields.tsx'
import { AppLink } from '../AppLink.tsx'
import { FormDialog } from '../FormDialog.tsx'

/** Keep it, copy it, end it. What cannot be done now stays, and says why. */
export function SandboxActions({ sandbox }: { sandbox: SandboxInfo }) {
  const { t } = useTexts()
  const mayWrite = usePermission('sandboxes:write')
  const [asking, setAsking] = useState<'snapshot' | 'fork' | 'stop'>()
  const [kept, setKept] = useState(false)
  const close = () => setAsking(undefined)
  const blocked = !mayWrite ? t('common.noPermission', { permission: 'sandboxes:write' }) : sandbox.state === 'stopped' ? t('sandboxes.stoppedNote') : undefined
  return (
    <>
      <span role="status" className="text-sm empty:hidden">
        {kept && (
          <AppLink href={paths.sandbox(sandbox.id, { view: 'snapshots' })} className="text-accent hover:underline">
            {t('sandboxes.isKept')}
          </AppLink>
        )}
      </span>
      <Button disabledBecause={blocked} onClick={() => setAsking('snapshot')}>
        <Camera size={14} aria-hidden />
        {t('sandboxes.snapshot')}
      </Button>
      <Button disabledBecause={blocked} onClick={() => setAsking('fork')}>
        <GitFork size={14} aria-hidden />
        {t('sandboxes.fork')}
      </Button>
      <Button look="danger" disabledBecause={blocked} onClick={() => setAsking('stop')}>
        <Square size={11} aria-hidden fill="currentColor" />
        {t('sandboxes.stop')}
      </Button>
      {asking === 'snapshot' && <SnapshotDialog sandboxId={sandbox.id} onDone={() => setKept(true)} onClose={close} />}
      {asking === 'fork' && <ForkDialog sandboxId={sandbox.id} onClose={close} />}
      {asking === 'stop' && <StopDialog sandbox={sandbox} onClose={close} />}
    </>
  )
}

function SnapshotDialog({ sandboxId, onDone, onClose }: { sandboxId: string; onDone: () => void; onClose: () => void }) {
  const { t } = useTexts()
  const queryClient = useQueryClient()
  const [name, setName] = useState('')
  const keep = useMutation({
    mutationFn: () => client.sandboxes.snapshot({ sandboxId, ...(name && { name }) }, { timeoutMs: 300_000 }),
    onSuccess: () => {
      void queryClient.invalidateQueries({ queryKey: ['snapshots'] })
      onDone()
      onClose()
    },
  })
  return (
    <NameDialog
      title={t('sandboxes.snapshotTitle')}
      text={t('sandboxes.snapshotText')}
      action={t('sandboxes.snapshot')}
      {...{ name, setName, onClose }}
      isBusy={keep.isPending}
      error={keep.error}
      onSubmit={() => keep.mutate()}
    />
  )
}

function ForkDialog({ sandboxId, onClose }: { sandboxId: string; onClose: () => void }) {
  const { t } = useTexts()
  const navigate = useNavigate()
  const queryClient = useQueryClient()
  const [name, setName] = useState('')
  const fork = useMutation({
    mutationFn: () => client.sandboxes.fork({ sandboxId, ...(name && { name }) }, { timeoutMs: 300_000 }),
    onSuccess: async (made) => {
      void queryClient.invalidateQueries({ queryKey: ['sandboxes', 'list'] })
      onClose()
      await navigate({ href: paths.sandbox(made.id) })
    },
  })
  return (
    <NameDialog
      title={t('sandboxes.forkTitle')}
      text={t('sandboxes.forkText')}
      action={t('sandboxes.fork')}
      {...{ name, setName, onClose }}
      isBusy={fork.isPending}
      error={fork.error}
      onSubmit={() => fork.mutate()}
    />
  )
}

type NameDialogProps = {
  title: string
  text: string
  action: string
  name: string
  setName: (name: string) => void
  isBusy: boolean
  error: unknown
  onSubmit: () => void
  onClose: () => void
}

function NameDialog({ text, name, setName, onSubmit, ...rest }: NameDialogProps) {
  const { t } = useTexts()
  const [isTried, setTried] = useState(false)
  const wrong = name === '' || Name.safeParse(name).success ? undefined : t('admin.badName')
  return (
    <FormDialog
      {...rest}
      onSubmit={() => {
        setTried(true)
        if (wrong === undefined) onSubmit()
      }}
    >
      <p className="text-ink-2">{text}</p>
      <Field label={t('sandboxes.name')} hint={t('admin.optional')} error={isTried ? wrong : undefined}>
        {(ids) => <TextInput {...ids} autoFocus maxLength={63} value={name} onChange={(event) => setName(event.target.value)} />}
      </Field>
    </FormDialog>
  )
}

function StopDialog({ sandbox, onClose }: { sandbox: SandboxInfo; onClose: () => void }) {
  const { t } = useTexts()
  const queryClient = useQueryClient()
  const stop = useMutation({
    mutationFn: () => client.sandboxes.stop({ sandboxId: sandbox.id }),
    onSuccess: async () => {
      await queryClient.invalidateQueries({ queryKey: ['sandboxes'] })
      onClose()
    },
  })
  return (
    <FormDialog
      title={t('sandboxes.stopTitle', { name: sandbox.name ?? sandbox.id.slice(0, 8) })}
      action={t('sandboxes.stop')}
      isDangerous
      isBusy={stop.isPending}
      error={stop.error}
      onSubmit={() => stop.mutate()}
      onClose={onClose}
    >
      <p className="text-ink-2">{t('sandboxes.stopText')}</p>
    </FormDialog>
  )
}
