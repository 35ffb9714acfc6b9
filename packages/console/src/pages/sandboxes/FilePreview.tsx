import { useQuery } from '@tanstack/react-query'
import { X } from 'lucide-react'
import { useMemo } from 'react'
import { fromBase64, previewQuery } from '../../api/sandboxes.ts'
import { useTexts } from '../../i18n/index.ts'
import { Code, CodeBlock } from '../../ui/Code.tsx'
import { formatBytes } from '../../ui/format.ts'
import { Skeleton } from '../../ui/Notes.tsx'
import { AppLink } from '../AppLink.tsx'
import { RequestError } from '../ErrorPages.tsx'

/** A file's text, or its beginning. What is no text is only to be downloaded. */
export function FilePreview({ sandboxId, path, closing }: { sandboxId: string; path: string; closing: string }) {
  const { t, locale } = useTexts()
  const content = useQuery(previewQuery(sandboxId, path))
  const text = useMemo(() => (content.data ? asText(content.data.base64) : undefined), [content.data])
  return (
    <div className="min-w-0">
      <CodeBlock
        title={
          <>
            <span className="font-mono">{path}</span>
            {content.data && <span className="ml-3 text-ink-3">{formatBytes(content.data.bytes, locale)}</span>}
          </>
        }
        actions={
          <AppLink href={closing} resetScroll={false} className="inline-flex size-6 items-center justify-center rounded-md hover:bg-hover">
            <X size={14} aria-hidden />
            <span className="sr-only">{t('common.close')}</span>
          </AppLink>
        }
      >
        {content.isError && !content.data && <RequestError error={content.error} />}
        {content.isPending && <Skeleton className="h-40" />}
        {content.data &&
          (text === undefined ? (
            <p className="text-sm text-ink-3">{t('detail.binary')}</p>
          ) : text === '' ? (
            <p className="text-sm text-ink-3">{t('detail.empty')}</p>
          ) : (
            <Code
              text={text}
              language={path.endsWith('.json') ? 'json' : path.endsWith('.sql') ? 'sql' : 'plain'}
              words={{ more: (chars) => t('common.more', { chars }) }}
            />
          ))}
        {content.data?.isTruncated && text !== undefined && <p className="mt-2 text-xs text-ink-3">{t('sandboxes.beginning')}</p>}
      </CodeBlock>
    </div>
  )
}

function asText(base64: string): string | undefined {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(trimmed(fromBase64(base64)))
    return text.includes('\0') ? undefined : text
  } catch {
    return undefined // Not UTF-8, so not to be read here.
  }
}

/** The beginning of a file may end inside a character. */
function trimmed(bytes: Uint8Array): Uint8Array {
  let end = bytes.length
  while (end > 0 && bytes.length - end < 3 && ((bytes[end - 1] ?? 0) & 0xc0) === 0x80) end--
  const lead = bytes[end - 1] ?? 0
  const width = lead >= 0xf0 ? 4 : lead >= 0xe0 ? 3 : lead >= 0xc0 ? 2 : 1
  return end > 0 && bytes.length - end + 1 < width ? bytes.subarray(0, end - 1) : bytes
}
