import type { ReactNode } from 'react'
import { useTexts } from '../i18n/index.ts'
import { Button } from '../ui/Button.tsx'
import { Modal } from '../ui/Sheet.tsx'
import { RequestError } from './ErrorPages.tsx'

type Props = {
  title: string
  /** What the button says that does it. */
  action: string
  isDangerous?: boolean
  size?: 'md' | 'lg'
  isBusy: boolean
  error: unknown
  blockedBecause?: string | undefined
  onSubmit: () => void
  onClose: () => void
  children: ReactNode
}

/** Questions, or a sentence to agree with, before something is done. What was written stays when it does not work out. */
export function FormDialog({ title, action, isDangerous = false, size = 'md', isBusy, error, blockedBecause, onSubmit, onClose, children }: Props) {
  const { t } = useTexts()
  return (
    <Modal isOpen onClose={onClose} title={title} size={size} isHeld>
      <form
        className="mt-3 space-y-4"
        noValidate
        onSubmit={(event) => {
          event.preventDefault()
          if (!isBusy && blockedBecause === undefined) onSubmit()
        }}
      >
        {children}
        {error !== null && error !== undefined && <RequestError error={error} />}
        <div className="flex justify-end gap-2">
          <Button onClick={onClose}>{t('admin.cancel')}</Button>
          <Button type="submit" look={isDangerous ? 'danger' : 'primary'} isBusy={isBusy} disabledBecause={blockedBecause}>
            {action}
          </Button>
        </div>
      </form>
    </Modal>
  )
}
