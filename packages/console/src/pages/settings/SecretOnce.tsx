import { useState } from 'react'
import { useTexts } from '../../i18n/index.ts'
import { Button } from '../../ui/Button.tsx'
import { CopyButton } from '../../ui/CopyButton.tsx'
import { Check } from '../../ui/Field.tsx'
import { Modal } from '../../ui/Sheet.tsx'

/** A key's secret, which the server does not know any more. The dialog stays until its reader says that it is kept. */
export function SecretOnce({ title, secret, note, onClose }: { title: string; secret: string; note?: string | undefined; onClose: () => void }) {
  const { t } = useTexts()
  const [isKept, setKept] = useState(false)
  const words = { label: t('common.copy'), done: t('common.copied') }
  const example = `curl -H 'Authorization: Bearer ${secret}' ${location.origin}`
  return (
    <Modal isOpen isHeld onClose={() => isKept && onClose()} title={title} size="lg">
      <div className="mt-3 space-y-4">
        <p className="text-sm text-ink-2">{t('keys.once')}</p>
        <Line label={t('keys.secret')} text={secret} words={words} />
        <Line label={t('keys.tryIt')} text={example} words={words} />
        {note && <p className="text-sm text-ink-2">{note}</p>}
        <div className="flex flex-wrap items-center justify-between gap-3">
          <Check label={t('keys.kept')} isChecked={isKept} onChange={setKept} />
          <Button look="primary" disabledBecause={isKept ? undefined : t('keys.keepFirst')} onClick={onClose}>
            {t('admin.done')}
          </Button>
        </div>
      </div>
    </Modal>
  )
}

function Line({ label, text, words }: { label: string; text: string; words: { label: string; done: string } }) {
  return (
    <div className="space-y-1.5">
      <p className="text-sm font-medium">{label}</p>
      <div className="flex items-start gap-1 rounded-md border border-line bg-sunken py-1 pr-1 pl-3">
        <code className="min-w-0 flex-1 py-1 text-xs break-all">{text}</code>
        <CopyButton getText={() => text} words={words} />
      </div>
    </div>
  )
}
