import type { SandboxProcess } from '@longhaul/protocol'
import { useQueryClient } from '@tanstack/react-query'
import { processesQuery } from '../../api/sandboxes.ts'
import { useTexts } from '../../i18n/index.ts'
import { cx } from '../../ui/cx.ts'
import { plainOutput } from '../../ui/plain-output.ts'
import { RequestError } from '../ErrorPages.tsx'
import { useOutput } from './use-output.ts'

/** What one command wrote, and how it ended. */
export function OutputView({ process }: { process: SandboxProcess }) {
  const { t } = useTexts()
  const queryClient = useQueryClient()
  const { pieces, isCut, problem } = useOutput(process, () => {
    // Its end is news for the list of processes, and files may have come of it.
    void queryClient.invalidateQueries({ queryKey: processesQuery(process.sandboxId).queryKey })
    void queryClient.invalidateQueries({ queryKey: ['sandboxes', 'files', process.sandboxId] })
  })
  return (
    <>
      {isCut && <p className="text-ink-3">{t('sandboxes.cut')}</p>}
      {pieces.map(({ stream, text }, i) => (
        <span key={i} className={cx('whitespace-pre-wrap', stream === 'stderr' && 'text-warn')}>
          {plainOutput(text)}
        </span>
      ))}
      <Ending process={process} />
      {problem !== undefined && <RequestError error={problem} />}
    </>
  )
}

/** Nothing is said of a command that went well. */
function Ending({ process: { state, exitCode, signal, isTimedOut, message } }: { process: SandboxProcess }) {
  const { t } = useTexts()
  if (state === 'running' || (state === 'exited' && exitCode === 0)) return message ? <p className="text-warn">{message}</p> : null
  const how = isTimedOut
    ? t('entry.timedOut')
    : state === 'killed'
      ? t('sandboxes.killed')
      : state === 'failed'
        ? t('sandboxes.notStarted')
        : exitCode === null
          ? t('entry.killed', { signal: signal ?? '?' })
          : t('entry.exit', { code: exitCode })
  return (
    <p className={state === 'killed' ? 'text-ink-3' : 'text-bad'}>
      {how}
      {message && `: ${message}`}
    </p>
  )
}
