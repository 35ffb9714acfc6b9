import { ArtifactRequest, FilePart, FilesRequest, FilesResult } from '@longhaul/protocol'
import { useMemo } from 'react'
import type { ReactNode } from 'react'
import { useTexts } from '../../../i18n/index.ts'
import { Code, CodeBlock } from '../../../ui/Code.tsx'
import { CopyButton } from '../../../ui/CopyButton.tsx'
import { formatBytes } from '../../../ui/format.ts'
import { groupFiles } from '../answer-files.ts'
import { AnswerPicture, DownloadButton } from '../AnswerFiles.tsx'
import { FailureView } from '../OutcomeView.tsx'
import { Facts, Value } from './parts.tsx'
import type { Step } from './parts.tsx'

type Props = { step: Step; facts: readonly [string, ReactNode][] }

/** Files written to, read from or listed in the sandbox. They travel as base64; people want to see what is in them. */
export function FilesDetail({ step, facts }: Props) {
  const { t } = useTexts()
  const request = FilesRequest.safeParse(step.input)
  const result = FilesResult.safeParse(step.output)
  return (
    <>
      <Facts facts={facts} />
      {step.failure && <FailureView failure={step.failure} title={t('detail.error')} />}
      {request.success &&
        request.data.action === 'write' &&
        request.data.files.map((file) => <FileView key={file.path} path={file.path} base64={file.base64} />)}
      {request.success && request.data.action === 'read' && result.success && result.data.action === 'read' && (
        <FileView path={request.data.path} base64={result.data.base64} />
      )}
      {result.success && result.data.action === 'read' && result.data.isTruncated && <p className="text-sm text-ink-2">{t('detail.truncated')}</p>}
      {request.success && request.data.action === 'list' && result.success && result.data.action === 'list' && (
        <Listing path={request.data.path} entries={result.data.entries} />
      )}
      {!request.success && step.input !== null && <Value title={t('detail.input')} value={step.input} />}
    </>
  )
}

/** A file that was stored for the answer. */
export function ArtifactDetail({ step, facts }: Props) {
  const { t, locale } = useTexts()
  const part = FilePart.safeParse(step.output)
  const request = ArtifactRequest.safeParse(step.input)
  const name = part.data?.name ?? request.data?.name
  const { pictures, others } = groupFiles(part.success ? [part.data] : [])
  return (
    <>
      <Facts
        facts={[
          ...facts,
          ...(name ? ([[t('entry.artifact'), name]] as const) : []),
          ...(part.success ? ([[t('detail.size'), formatBytes(part.data.bytes, locale)]] as const) : []),
        ].map(([label, value]) => [label, value])}
      />
      {step.failure && <FailureView failure={step.failure} title={t('detail.error')} />}
      {pictures.map((picture) => (
        <AnswerPicture key={picture.files[0]?.fileId} picture={picture} />
      ))}
      {others.map((file) => (
        <DownloadButton key={file.fileId} file={file} label={file.name} />
      ))}
    </>
  )
}

function FileView({ path, base64 }: { path: string; base64: string }) {
  const { t, locale } = useTexts()
  const { text, bytes } = useMemo(() => decode(base64), [base64])
  return (
    <CodeBlock
      title={`${path} · ${formatBytes(bytes, locale)}`}
      actions={text !== undefined && <CopyButton isIconOnly getText={() => text} words={{ label: t('common.copy'), done: t('common.copied') }} />}
    >
      {text ? (
        <Code text={text} words={{ more: (chars) => t('common.more', { chars }) }} />
      ) : (
        <span className="text-xs text-ink-3">{t(text === '' ? 'detail.empty' : 'detail.binary')}</span>
      )}
    </CodeBlock>
  )
}

function Listing({ path, entries }: { path: string; entries: Extract<FilesResult, { action: 'list' }>['entries'] }) {
  const { t, locale } = useTexts()
  return (
    <CodeBlock title={path}>
      {entries.length === 0 && <span className="text-xs text-ink-3">{t('detail.empty')}</span>}
      <ul className="font-mono text-xs leading-5">
        {entries.map((entry) => (
          <li key={entry.name} className="flex justify-between gap-4">
            <span className="min-w-0 break-all">
              {entry.name}
              {entry.type === 'directory' && '/'}
            </span>
            {entry.type === 'file' && <span className="shrink-0 text-ink-3">{formatBytes(entry.bytes, locale)}</span>}
          </li>
        ))}
      </ul>
    </CodeBlock>
  )
}

/** The text of a file; undefined when its bytes are no text. */
function decode(base64: string): { text: string | undefined; bytes: number } {
  try {
    const bytes = Uint8Array.from(atob(base64), (char) => char.charCodeAt(0))
    try {
      const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
      return { text: text.includes('\0') ? undefined : text, bytes: bytes.length }
    } catch {
      return { text: undefined, bytes: bytes.length } // Not UTF-8: a picture, an archive.
    }
  } catch {
    return { text: base64, bytes: base64.length } // Not base64 after all: shown as it came.
  }
}
