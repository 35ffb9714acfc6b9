import { type Tools, findProgram } from './runtime.ts'

/** Which Debian package a tool comes in, for the line that installs it. */
const packages = { bwrap: 'bubblewrap', runsc: 'runsc', prlimit: 'util-linux', mkfifo: 'coreutils', du: 'coreutils', setpriv: 'util-linux' } as const
type ToolName = keyof typeof packages
/** `du`: the driver's program is elsewhere, and only what measures workspaces is of this host. */
type OwnTool = 'bwrap' | 'runsc' | 'du'

/** The driver's own program, and what the launch chain needs beside it. */
export function findTools(own: OwnTool, isRoot: boolean): { program: string; tools: Tools } {
  const [program, prlimit, mkfifo, du] = [own, 'prlimit', 'mkfifo', 'du'].map(findProgram)
  if (!program || !prlimit || !mkfifo || !du) {
    throw new Error(
      `Missing: ${missingTools(own, isRoot)
        .map(({ what }) => what)
        .join(', ')}.`,
    )
  }
  const [setpriv, unshare, mount] = isRoot ? [findProgram('setpriv'), findProgram('unshare'), findProgram('mount')] : []
  return { program, tools: { prlimit, mkfifo, du, ...(setpriv && { setpriv }), ...(unshare && { unshare }), ...(mount && { mount }) } }
}

/** What is not installed, with the line that does it. */
export function missingTools(own: OwnTool, isRoot: boolean): { what: string; remedy: string }[] {
  const needed: ToolName[] = [own, 'prlimit', 'mkfifo', 'du', ...(isRoot ? (['setpriv'] as const) : [])]
  return needed.filter((name) => !findProgram(name)).map((name) => ({ what: `the program ${name}`, remedy: `apt-get install ${packages[name]}` }))
}
