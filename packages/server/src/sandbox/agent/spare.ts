import { innerPidOf } from '../processes.ts'
import type { AgentClient } from './agent-client.ts'
import type { CommandCgroup, SandboxCgroup } from '../host/cgroup.ts'

/**
 * The process that waits for the next command, in that command's control group already. The kernel takes some 10 ms to move a process
 * when none was moved for a while; so it is moved ahead of time. The agent keeps one only while no command runs.
 */
export type Spare = {
  /** The group with the process in it, for whoever runs the next command. The group is theirs then; undefined when there is none. */
  take(): CommandCgroup | undefined
}

let spareCount = 0

export function keepSpare(client: AgentClient, cgroup: SandboxCgroup | undefined): Spare {
  let placed: CommandCgroup | undefined
  const discard = async (group: CommandCgroup) => {
    await group.kill()
    group.remove()
  }
  client.onSpare = (innerPid) => {
    if (placed) void discard(placed) // The agent ended the one before.
    placed = undefined
    const pid = cgroup?.waiting().find((each) => innerPidOf(each) === innerPid)
    const group = pid === undefined ? undefined : cgroup?.command(`s${++spareCount}`)
    if (pid === undefined || !group) return
    void group.add(pid).then(
      () => {
        if (placed) return discard(group)
        placed = group
      },
      () => discard(group), // It is gone.
    )
  }
  return {
    take() {
      const group = placed
      placed = undefined
      return group
    },
  }
}
