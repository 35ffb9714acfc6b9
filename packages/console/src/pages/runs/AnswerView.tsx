import type { Answer, Asker, TablePart } from '@longhaul/protocol'
import { ChevronRight } from 'lucide-react'
import Markdown from 'markdown-to-jsx/react'
import { useId, useState } from 'react'
import { useTexts } from '../../i18n/index.ts'
import { Code } from '../../ui/Code.tsx'
import { CopyButton } from '../../ui/CopyButton.tsx'
import { cx } from '../../ui/cx.ts'
import { Tag } from '../../ui/State.tsx'
import { groupFiles } from './answer-files.ts'
import { AnswerPicture, DownloadButton } from './AnswerFiles.tsx'
import { AnswerTable } from './AnswerTable.tsx'
import { accessInWords, isLimited, isOffline } from './run-facts.ts'

/** What the asker came for: the sentence, then the picture and the numbers side by side, then where they came from. */
export function AnswerView({ answer, asker }: { answer: Answer; asker: Asker }) {
  const { t } = useTexts()
  const id = useId()
  const tables = answer.parts.filter((part) => part.type === 'table')
  const { pictures, others } = groupFiles(answer.parts.filter((part) => part.type === 'file'))
  const isPaired = tables.length > 0 && pictures.length > 0
  return (
    <section aria-labelledby={id} className="space-y-4">
      <h2 id={id} className="sr-only">
        {t('answer.title')}
      </h2>
      <div className="flex items-start gap-3">
        <div className="prose max-w-[75ch] min-w-0 text-lg">
          <SafeMarkdown text={answer.text} />
        </div>
        <CopyButton isIconOnly size="md" getText={() => answer.text} words={{ label: t('answer.copyAnswer'), done: t('common.copied') }} />
      </div>
      {(isOffline(answer.model) || isLimited(asker)) && (
        <p className="flex flex-wrap items-center gap-x-2 gap-y-1 text-sm text-ink-2">
          {isOffline(answer.model) && (
            <>
              <Tag tone="warn">{t('run.offline')}</Tag>
              <span>{t('run.offlineText')}</span>
            </>
          )}
          {isLimited(asker) && <span>{t('run.accessLimited', { access: accessInWords(asker, t) })}</span>}
        </p>
      )}
      {(tables.length > 0 || pictures.length > 0) && (
        <div className={cx('grid items-start gap-4', isPaired && 'lg:grid-cols-2')}>
          <div className={cx('grid min-w-0 gap-4', pictures.length === 0 && 'hidden')}>
            {pictures.map((picture) => (
              <AnswerPicture key={picture.files[0]?.fileId} picture={picture} />
            ))}
          </div>
          <div className={cx('grid min-w-0 gap-4', tables.length === 0 && 'hidden')}>
            {tables.map((part, i) => (
              <AnswerTable key={i} part={part} isTitled={!pictures.some((picture) => picture.title === part.title)} />
            ))}
          </div>
        </div>
      )}
      {others.length > 0 && (
        <p className="flex flex-wrap gap-2">
          {others.map((file) => (
            <DownloadButton key={file.fileId} file={file} label={file.title ?? file.name} />
          ))}
        </p>
      )}
      {tables.map((part, i) => part.sql && <Sql key={i} sql={part.sql} title={tables.length > 1 ? part.title : undefined} />)}
    </section>
  )
}

function Sql({ sql, title }: { sql: NonNullable<TablePart['sql']>; title: string | undefined }) {
  const { t } = useTexts()
  const [isOpen, setOpen] = useState(false)
  const body = useId()
  return (
    <div className="overflow-hidden rounded-lg border border-line bg-surface">
      <div className="flex min-h-9 items-center pr-1 text-sm">
        <button
          type="button"
          aria-expanded={isOpen}
          aria-controls={body}
          onClick={() => setOpen(!isOpen)}
          className="flex h-9 min-w-0 flex-1 items-center gap-2 pl-3 text-left hover:bg-hover focus-visible:outline-offset-[-2px]"
        >
          <ChevronRight size={14} aria-hidden className={cx('shrink-0 text-ink-3 transition-transform', isOpen && 'rotate-90')} />
          <span className="font-medium">{t('answer.sql')}</span>
          {!isOpen && <span className="min-w-0 truncate font-mono text-xs text-ink-3">{title ?? sql.replace(/\s+/g, ' ')}</span>}
        </button>
        <CopyButton getText={() => sql} words={{ label: t('answer.copySql'), done: t('common.copied') }} />
      </div>
      {isOpen && (
        <div id={body} className="border-t border-line p-3">
          <Code text={sql} language="sql" words={{ more: (chars) => t('common.more', { chars }) }} />
        </div>
      )}
    </div>
  )
}

/** A model's Markdown. Raw HTML stays text, and pictures stay links: loading one would tell a stranger that it was read. */
export function SafeMarkdown({ text }: { text: string }) {
  return (
    <Markdown
      options={{
        disableParsingRawHTML: true,
        forceBlock: true,
        overrides: {
          a: { props: { target: '_blank', rel: 'noreferrer noopener' } },
          img: ({ src, alt }: { src?: string; alt?: string }) => (
            <a href={src} target="_blank" rel="noreferrer noopener">
              {alt || src}
            </a>
          ),
        },
      }}
    >
      {text}
    </Markdown>
  )
}
