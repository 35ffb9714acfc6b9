/** Which folders of this server's machine a run's sandbox is shown: those that its agent declares, as far as its asker may see them. */
import type { AgentSandbox, FolderDecision } from '@longhaul/protocol'
import type { StepContext } from '../engine/index.ts'
import type { Audit, Policies } from '../identity/index.ts'
import { StepFailure } from '../kernel/index.ts'
import type { DataFolders, GivenFolder } from '../sandbox/index.ts'

type Declared = NonNullable<AgentSandbox['folders']>
export type FolderPorts = { folders: DataFolders; policies: Pick<Policies, 'judge'>; audit: Pick<Audit, 'note'> }

/** `egress`: hosts to which a run could carry away what it sees. The decisions are noted with the step. Throws `forbidden` where one that is not optional is refused. */
export type ChooseFolders = (context: Pick<StepContext, 'run' | 'labels' | 'note'>, declared: Declared, egress: readonly string[]) => Promise<GivenFolder[]>

type Judged = FolderDecision & { folder?: GivenFolder; why?: string }

/** Asks policies at every step, so that a right that was taken back holds at the next one. */
export function foldersForAskers({ folders, policies, audit }: FolderPorts): ChooseFolders {
  async function judge(
    { run, labels }: Pick<StepContext, 'run' | 'labels'>,
    name: string,
    mode: GivenFolder['mode'],
    egress: readonly string[],
  ): Promise<Judged> {
    const { id, tenantId, agent, version, namespace, asker } = run
    const { regions, personalData } = asker.access
    const found = folders.find(tenantId, name)
    if (!found) {
      const why = `This server declares no folder ${name} for the tenant ${tenantId}. Its operator does so with LONGHAUL_SANDBOX_FOLDERS.`
      return { name, mode, outcome: 'refused', policies: [], why }
    }
    const who = { id: asker.id, name: asker.name }
    const { refusal, policies: named } = await policies.judge(tenantId, {
      principal: { type: asker.isPerson ? 'Person' : 'Key', ...who },
      action: 'sandboxes.mount',
      resource: { type: 'Folder', id: name },
      context: {
        ...{ agent, version, namespace, run: id, mode, egress, isForEveryone: found.isForEveryone },
        asker: { ...who, personalData, ...(regions && { regions }) },
        hasReadOutside: labels.length > 0,
        outside: labels,
      },
    })
    if (refusal) return { name, mode, outcome: 'refused', policies: named, why: refusal.why }
    return { name, mode, outcome: named.length > 0 ? 'permitted' : 'everyone', policies: named, folder: { ...found, mode } }
  }

  return async (context, declared, egress) => {
    const asked = Object.entries(declared).toSorted(([one], [other]) => (one < other ? -1 : 1))
    const judged = await Promise.all(asked.map(([name, { mode }]) => judge(context, name, mode, egress)))
    context.note({ folders: judged.map(({ name, mode, outcome, policies: named }) => ({ name, mode, outcome, policies: named })) })
    const refused = judged.find(({ name, why }) => why !== undefined && declared[name]?.isOptional !== true)
    if (refused?.why !== undefined) {
      const { id, tenantId, agent, asker } = context.run
      const { name, why } = refused
      await audit.note(tenantId, {
        who: { id: asker.id, name: asker.name },
        action: 'sandboxes.mount',
        target: name,
        outcome: 'refused',
        detail: { runId: id, agent, why },
      })
      throw new StepFailure({ message: `This agent’s sandbox asks for the folder ${name}. ${why}`, code: 'forbidden', retryable: false })
    }
    return judged.flatMap(({ folder }) => folder ?? [])
  }
}
