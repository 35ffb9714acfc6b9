import { FileText, RotateCw, X } from 'lucide-react'
import { isPicture } from '../../api/attachments.ts'
import { useTexts } from '../../i18n/index.ts'
import { IconButton } from '../../ui/Button.tsx'
import { cx } from '../../ui/cx.ts'
import { formatBytes } from '../../ui/format.ts'
import { useAddress } from './use-address.ts'
import type { Upload } from './use-uploads.ts'

type Props = { uploads: readonly Upload[]; onRemove: (upload: Upload) => void; onRetry: (upload: Upload) => void }

/** The files of the message that is being written, each with how far it is, or why it was not taken. */
export function UploadChips({ uploads, ...actions }: Props) {
  const { t } = useTexts()
  if (uploads.length === 0) return null
  return (
    <ul aria-label={t('chat.attached')} className="flex max-h-48 flex-wrap gap-2 overflow-y-auto px-3 pt-3">
      {uploads.map((upload) => (
        <Chip key={upload.key} upload={upload} {...actions} />
      ))}
    </ul>
  )
}

function Chip({ upload, onRemove, onRetry }: { upload: Upload } & Pick<Props, 'onRemove' | 'onRetry'>) {
  const { t, locale } = useTexts()
  const { file, share, attachment, error } = upload
  const percent = Math.round(share * 100)
  return (
    <li
      className={cx(
        'relative flex max-w-full min-w-0 items-center gap-2 overflow-hidden rounded-md border py-1 pr-1 pl-1.5',
        error ? 'border-bad/50' : 'border-line',
      )}
    >
      <Thumbnail file={file} />
      <div className="min-w-0">
        <p className="max-w-[24ch] truncate text-sm" title={file.name}>
          {attachment?.name ?? file.name}
        </p>
        <p role="status" className={cx('max-w-[40ch] text-xs', error ? 'text-bad' : 'text-ink-3')}>
          {error ? error.message : attachment ? formatBytes(file.size, locale) : t('chat.sending', { percent, size: formatBytes(file.size, locale) })}
        </p>
      </div>
      {error && (
        <IconButton size="sm" label={t('chat.sendAgain', { name: file.name })} onClick={() => onRetry(upload)}>
          <RotateCw size={13} aria-hidden />
        </IconButton>
      )}
      <IconButton size="sm" label={t('chat.remove', { name: file.name })} onClick={() => onRemove(upload)}>
        <X size={14} aria-hidden />
      </IconButton>
      {!attachment && !error && (
        <progress
          max={100}
          value={percent}
          aria-label={file.name}
          className="absolute inset-x-0 bottom-0 h-0.5 w-full appearance-none bg-line [&::-moz-progress-bar]:bg-accent [&::-webkit-progress-bar]:bg-line [&::-webkit-progress-value]:bg-accent"
        />
      )}
    </li>
  )
}

function Thumbnail({ file }: { file: File }) {
  const address = useAddress(isPicture(file.type) ? file : undefined)
  return address ? (
    <img src={address} alt="" className="size-9 shrink-0 rounded-sm bg-paper object-cover" />
  ) : (
    <span className="flex size-9 shrink-0 items-center justify-center rounded-sm bg-sunken text-ink-3">
      <FileText size={16} aria-hidden />
    </span>
  )
}
