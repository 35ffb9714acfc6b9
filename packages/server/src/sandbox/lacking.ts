import type { Sandbox } from './driver.ts'

/** Says that a root has no such program, and what to do about it. `debianPackage`: what has it on this host, where the root is this host's programs. */
export function lacking(root: Sandbox['root'], program: string, debianPackage = program): string {
  const what = program.slice(0, 200)
  if (!root) return `${what} is not installed on the server’s machine: apt-get install ${debianPackage}.`
  if (root.isOperators)
    return `The root of this server’s sandboxes, ${root.name}, has no ${what}. Its operator can build one that has: npm run sandbox-root -- ${/^[a-z0-9][a-z0-9.+-]+$/.test(debianPackage) ? debianPackage : '…'}.`
  return `The image ${root.name} has no ${what}. Take an image that has it.`
}
