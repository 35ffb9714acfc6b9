import type { FilesResult, SandboxInfo } from '@longhaul/protocol'
import { useMutation, useQuery, useQueryClient } from '@tanstack/react-query'
import { useSearch } from '@tanstack/react-router'
import { Download, File, Folder, FolderDown, Upload } from 'lucide-react'
import { useRef } from 'react'
import { usePermission } from '../../api/permissions.ts'
import { fileBytesMax, folderQuery, readFolder, readWholeFile, uploadFiles } from '../../api/sandboxes.ts'
import { useTexts } from '../../i18n/index.ts'
import { paths } from '../../paths.ts'
import { Button, IconButton } from '../../ui/Button.tsx'
import { cx } from '../../ui/cx.ts'
import { download } from '../../ui/download.ts'
import { formatBytes } from '../../ui/format.ts'
import { EmptyState } from '../../ui/Notes.tsx'
import { aboveRow, coversRow } from '../../ui/Table.tsx'
import type { Column } from '../../ui/Table.tsx'
import { AppLink } from '../AppLink.tsx'
import { RequestError } from '../ErrorPages.tsx'
import { Listing } from '../Listing.tsx'
import { FilePreview } from './FilePreview.tsx'

type Entry = Extract<FilesResult, { action: 'list' }>['entries'][number]
const order = { directory: 0, file: 1, other: 2 }
const join = (folder: string, name: string) => (folder === '.' ? name : `${folder}/${name}`)

export function FilesView({ sandbox, address }: { sandbox: SandboxInfo; address: string }) {
  const { t, locale } = useTexts()
  const { path: folder = '.', file } = useSearch({ from: '/shell/sandboxes/$sandboxId' })
  const entries = useQuery(folderQuery(sandbox.id, folder))
  const save = useMutation({
    mutationFn: async ({ path, isFolder }: { path: string; isFolder: boolean }) => {
      const name = path === '.' ? (sandbox.name ?? 'workspace') : (path.split('/').at(-1) ?? path)
      download(isFolder ? await readFolder(sandbox.id, path) : await readWholeFile(sandbox.id, path), isFolder ? `${name}.tar` : name)
    },
  })
  const to = (about: { path?: string; file?: string }) => paths.sandbox(address, { view: 'files', ...about })
  const columns: Column<Entry>[] = [
    {
      id: 'name',
      head: t('sandboxes.name'),
      cell: ({ name, type }) => (
        <span className="flex min-w-0 items-center gap-2">
          {type === 'directory' ? (
            <Folder size={14} aria-hidden className="shrink-0 text-ink-3" />
          ) : (
            <File size={14} aria-hidden className="shrink-0 text-ink-3" />
          )}
          {type === 'other' ? (
            <span className="truncate text-ink-3">{name}</span>
          ) : (
            <AppLink
              href={type === 'directory' ? to({ path: join(folder, name) }) : to({ path: folder, file: name })}
              resetScroll={false}
              className={cx('truncate', type === 'directory' && 'font-medium', coversRow)}
            >
              {name}
            </AppLink>
          )}
        </span>
      ),
    },
    {
      id: 'bytes',
      head: t('sandboxes.size'),
      className: 'w-24',
      isRight: true,
      cell: ({ type, bytes }) => <span className="text-ink-2">{type === 'file' ? formatBytes(bytes, locale) : '–'}</span>,
    },
    {
      id: 'actions',
      head: t('admin.actions'),
      isHeadHidden: true,
      className: 'w-12',
      isRight: true,
      cell: ({ name, type, bytes }) =>
        // A file that is too large for one answer comes with its folder.
        (type === 'directory' || (type === 'file' && bytes <= fileBytesMax)) && (
          <span className={aboveRow}>
            <IconButton
              size="sm"
              label={t('sandboxes.downloadOne', { name })}
              onClick={() => save.mutate({ path: join(folder, name), isFolder: type === 'directory' })}
            >
              <Download size={14} aria-hidden />
            </IconButton>
          </span>
        ),
    },
  ]
  const rows = entries.data?.entries.toSorted((one, other) => order[one.type] - order[other.type] || one.name.localeCompare(other.name))
  return (
    <div className={cx('grid gap-4', file !== undefined && 'xl:grid-cols-2')}>
      <div className="min-w-0">
        <div className="mb-2 flex flex-wrap items-center justify-between gap-2">
          <Crumbs folder={folder} to={(path) => to({ path })} />
          <span className="flex gap-1">
            <Button size="sm" isBusy={save.isPending} onClick={() => save.mutate({ path: folder, isFolder: true })}>
              <FolderDown size={14} aria-hidden />
              {t('sandboxes.downloadFolder')}
            </Button>
            <UploadButton sandboxId={sandbox.id} folder={folder} />
          </span>
        </div>
        {save.isError && (
          <div className="mb-2">
            <RequestError error={save.error} />
          </div>
        )}
        <Listing
          query={entries}
          label={t('sandboxes.filesIn', { folder })}
          columns={columns}
          rows={rows}
          idOf={({ name }) => name}
          empty={<EmptyState title={t('sandboxes.noFiles')}>{t('sandboxes.noFilesText')}</EmptyState>}
        />
      </div>
      {file !== undefined && <FilePreview key={join(folder, file)} sandboxId={sandbox.id} path={join(folder, file)} closing={to({ path: folder })} />}
    </div>
  )
}

/** Each folder above, to go back to. */
function Crumbs({ folder, to }: { folder: string; to: (path: string) => string }) {
  const { t } = useTexts()
  const names = folder === '.' ? [] : folder.split('/')
  return (
    <nav aria-label={t('sandboxes.folder')} className="min-w-0 font-mono text-xs break-all">
      <AppLink href={to('.')} resetScroll={false} className="rounded-sm text-ink-2 hover:text-ink hover:underline">
        /workspace
      </AppLink>
      {names.map((name, i) => (
        <span key={i}>
          <span className="text-ink-3">/</span>
          <AppLink href={to(names.slice(0, i + 1).join('/'))} resetScroll={false} className="rounded-sm text-ink-2 hover:text-ink hover:underline">
            {name}
          </AppLink>
        </span>
      ))}
    </nav>
  )
}

function UploadButton({ sandboxId, folder }: { sandboxId: string; folder: string }) {
  const { t } = useTexts()
  const queryClient = useQueryClient()
  const mayWrite = usePermission('sandboxes:write')
  const input = useRef<HTMLInputElement>(null)
  const upload = useMutation({
    mutationFn: (files: readonly File[]) => uploadFiles(sandboxId, folder, files),
    onSettled: () => queryClient.invalidateQueries({ queryKey: ['sandboxes', 'files', sandboxId] }),
  })
  return (
    <>
      <input
        ref={input}
        type="file"
        multiple
        tabIndex={-1}
        aria-label={t('sandboxes.filesToUpload')}
        className="sr-only"
        onChange={(event) => {
          const files = [...(event.target.files ?? [])]
          event.target.value = ''
          if (files.length > 0) upload.mutate(files)
        }}
      />
      <Button
        size="sm"
        isBusy={upload.isPending}
        disabledBecause={mayWrite ? undefined : t('common.noPermission', { permission: 'sandboxes:write' })}
        onClick={() => input.current?.click()}
      >
        <Upload size={14} aria-hidden />
        {upload.isPending ? t('sandboxes.uploading') : t('sandboxes.upload')}
      </Button>
      {upload.isError && (
        <div className="w-full">
          <RequestError error={upload.error} />
        </div>
      )}
    </>
  )
}
