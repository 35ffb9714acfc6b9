import type { AttachmentRef } from '@longhaul/protocol'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Download, FileText } from 'lucide-react'
import { useState } from 'react'
import { attachmentQuery, isPicture } from '../../api/attachments.ts'
import { useTexts } from '../../i18n/index.ts'
import { download } from '../../ui/download.ts'
import { formatBytes } from '../../ui/format.ts'
import { useAddress } from './use-address.ts'

/** The files of a message: pictures to be seen, all to be saved. */
export function AttachmentList({ attachments, className = '' }: { attachments: readonly AttachmentRef[]; className?: string }) {
  const { t } = useTexts()
  if (attachments.length === 0) return null
  return (
    <ul aria-label={t('chat.attached')} className={`flex flex-wrap gap-2 ${className}`}>
      {attachments.map((attachment) => (
        <li key={attachment.id} className="max-w-full min-w-0">
          <AttachmentButton attachment={attachment} />
        </li>
      ))}
    </ul>
  )
}

function AttachmentButton({ attachment }: { attachment: AttachmentRef }) {
  const { t, locale } = useTexts()
  const { id, name, mediaType, bytes } = attachment
  const queryClient = useQueryClient()
  const [isGone, setGone] = useState(false)
  const save = async () => {
    try {
      download(await queryClient.fetchQuery(attachmentQuery(id, mediaType)), name)
    } catch {
      setGone(true)
    }
  }
  const note = isGone ? t('chat.gone') : formatBytes(bytes, locale)
  return (
    <button
      type="button"
      onClick={() => void save()}
      className="group flex h-full max-w-full min-w-0 items-center gap-2 rounded-md border border-line bg-surface p-1 pr-2.5 text-left hover:bg-hover"
    >
      {isPicture(mediaType) ? (
        <Picture attachment={attachment} />
      ) : (
        <span className="flex size-9 shrink-0 items-center justify-center rounded-sm bg-sunken text-ink-3">
          <FileText size={16} aria-hidden />
        </span>
      )}
      <span className="sr-only">{t('common.download')} </span>
      <span className="min-w-0">
        <span className="block max-w-[28ch] truncate text-sm">{name}</span>
        <span className="block text-xs text-ink-2">{note}</span>
      </span>
      <Download size={13} aria-hidden className="shrink-0 text-ink-3 group-hover:text-ink" />
    </button>
  )
}

/** The box is there before the picture is, so that nothing moves. */
function Picture({ attachment: { id, mediaType } }: { attachment: AttachmentRef }) {
  const { data: blob } = useQuery({ ...attachmentQuery(id, mediaType), retry: false })
  const address = useAddress(blob)
  return (
    <span className="block size-16 shrink-0 overflow-hidden rounded-sm bg-paper">
      {address && <img src={address} alt="" className="size-full object-cover" />}
    </span>
  )
}
