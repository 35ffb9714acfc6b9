import { useState } from 'react'
import { useTexts } from '../../i18n/index.ts'
import { Button } from '../../ui/Button.tsx'
import { CopyButton } from '../../ui/CopyButton.tsx'
import { Check } from '../../ui/Field.tsx'
import { Modal } from '../../ui/Sheet.tsx'

type Props = {
  title: string
  /** Why it cannot be shown again. */
  text: string
  lines: readonly { label: string; text: string }[]
  note?: string | undefined
  onClose: () => void
}

/** A secret that cannot be had again. The dialog stays until its reader says that it is kept. */
export function SecretOnce({ title, text, lines, note, onClose }: Props) {
  const { t } = useTexts()
  const [isKept, setKept] = useState(false)
  const words = { label: t('common.copy'), done: t('common.copied') }
  return (
    <Modal isOpen isHeld onClose={() => isKept && onClose()} title={title} size="lg">
      <div className="mt-3 space-y-4">
        <p className="text-sm text-ink-2">{text}</p>
        {lines.map((line) => (
          <Line key={line.label} {...line} words={words} />
        ))}
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

/** The secret of a key, of which the server keeps nothing but a hash. */
export function KeyOnce({ secret, ...about }: { title: string; secret: string; note?: string | undefined; onClose: () => void }) {
  const { t } = useTexts()
  return (
    <SecretOnce
      {...about}
      text={t('keys.once')}
      lines={[
        { label: t('keys.secret'), text: secret },
        { label: t('keys.tryIt'), text: `curl -H 'Authorization: Bearer ${secret}' ${location.origin}` },
      ]}
    />
  )
}
