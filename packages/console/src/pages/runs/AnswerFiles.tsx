import type { FilePart } from '@longhaul/protocol'
import { useQuery, useQueryClient } from '@tanstack/react-query'
import { Download } from 'lucide-react'
import { useEffect, useState } from 'react'
import { fileQuery } from '../../api/queries.ts'
import { useTexts } from '../../i18n/index.ts'
import { Button } from '../../ui/Button.tsx'
import { download as save } from '../../ui/download.ts'
import { formatBytes } from '../../ui/format.ts'
import { Skeleton } from '../../ui/Notes.tsx'
import { formatName } from './answer-files.ts'
import type { Picture } from './answer-files.ts'

export function AnswerPicture({ picture }: { picture: Picture }) {
  const { t } = useTexts()
  const [shown] = picture.files
  return (
    <figure className="min-w-0 overflow-hidden rounded-lg border border-line bg-surface">
      <figcaption className="flex min-h-9 items-center justify-between gap-3 border-b border-line pr-1 pl-3 text-sm">
        <span className="min-w-0 truncate font-medium">{picture.title || t('answer.chart')}</span>
        <span className="flex shrink-0">
          {picture.files.map((file) => (
            <DownloadButton key={file.fileId} file={file} label={formatName(file)} />
          ))}
        </span>
      </figcaption>
      {shown && <Image file={shown} alt={picture.title} />}
    </figure>
  )
}

/** As an image from memory: inside one a drawing runs no script and loads nothing, whoever made it. */
function Image({ file, alt }: { file: FilePart; alt: string }) {
  const { t } = useTexts()
  const { data: blob, isError } = useQuery(fileQuery(file.fileId, file.mediaType))
  const [address, setAddress] = useState<string>()
  useEffect(() => {
    if (!blob) return
    const made = URL.createObjectURL(blob)
    setAddress(made)
    return () => URL.revokeObjectURL(made)
  }, [blob])
  if (isError) return <p className="p-4 text-sm text-ink-2">{t('answer.chartFailed')}</p>
  // The box keeps its shape while the picture comes, so that nothing below it moves.
  const isDrawing = file.mediaType === 'image/svg+xml'
  return (
    <div className={isDrawing ? 'drawing' : 'bg-paper'}>
      {address ? (
        <img src={address} alt={alt} className="mx-auto aspect-[16/9] max-h-[28rem] w-full object-contain" />
      ) : (
        <Skeleton className="aspect-[16/9] max-h-[28rem] w-full rounded-none" />
      )}
    </div>
  )
}

export function DownloadButton({ file, label }: { file: FilePart; label: string }) {
  const { t, locale } = useTexts()
  const queryClient = useQueryClient()
  const [isBusy, setBusy] = useState(false)
  const download = async () => {
    setBusy(true)
    try {
      save(await queryClient.fetchQuery(fileQuery(file.fileId, file.mediaType)), file.name)
    } finally {
      setBusy(false)
    }
  }
  return (
    <Button
      size="sm"
      look="quiet"
      isBusy={isBusy}
      onClick={() => void download()}
      title={`${t('common.download')} ${file.name}, ${formatBytes(file.bytes, locale)}`}
    >
      <Download size={13} aria-hidden />
      {label}
    </Button>
  )
}
