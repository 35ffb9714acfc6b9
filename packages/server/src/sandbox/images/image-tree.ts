/**
 * The files of an image as its layers lay them out one over the other, in memory: nothing is written before all of them are known. Links are followed in
 * here alone, where nothing lies outside of the root.
 */
import { AppError } from '../../kernel/index.ts'

export type TreeNode =
  | { type: 'directory'; children: Map<string, TreeNode>; layer: number }
  /** `content` names where its bytes are. Two nodes with the same are one file. */
  | { type: 'file'; content: number; mode: number; layer: number }
  | { type: 'link'; target: string; layer: number }
type Directory = Extract<TreeNode, { type: 'directory' }>
/** What may be put at a path. */
export type TreeLeaf = { type: 'directory' } | { type: 'file'; content: number; mode: number } | { type: 'link'; target: string }

const linksMax = 40
const whiteout = '.wh.'
const opaque = '.wh..wh..opq'

export function imageTree(nodesMax: number) {
  const root: Directory = { type: 'directory', children: new Map(), layer: 0 }
  let layer = 0
  let count = 0

  /** The way to a folder, through links, made where it is missing and `isMade`. A file on the way gives place to a folder, as with any later entry. */
  function wayTo(parts: readonly string[], isMade: boolean, links = { left: linksMax }): { name: string; folder: Directory }[] | undefined {
    const way = [{ name: '', folder: root }]
    const todo = [...parts]
    for (let part = todo.shift(); part !== undefined; part = todo.shift()) {
      const folder = way.at(-1)?.folder ?? root
      const next = folder.children.get(part)
      if (part === '..') way.length = Math.max(1, way.length - 1)
      else if (next?.type === 'directory') way.push({ name: part, folder: next })
      else if (next?.type === 'link') {
        if (links.left-- <= 0) throw refused('links that lead in a circle')
        if (next.target.startsWith('/')) way.length = 1
        todo.unshift(...partsOf(next.target))
      } else if (isMade) {
        put(folder, part, { type: 'directory' })
        todo.unshift(part)
      } else return undefined
    }
    return way
  }
  const folderAt = (parts: readonly string[], isMade: boolean) => wayTo(parts, isMade)?.at(-1)?.folder

  function put(into: Directory, name: string, leaf: TreeLeaf): TreeNode {
    const before = into.children.get(name)
    if (leaf.type === 'directory' && before?.type === 'directory') {
      before.layer = layer
      return before
    }
    if (++count > nodesMax) throw refused(`more than ${nodesMax} files`)
    const node: TreeNode = leaf.type === 'directory' ? { ...leaf, children: new Map(), layer } : { ...leaf, layer }
    into.children.set(name, node)
    return node
  }

  /** Takes away what earlier layers had there, and leaves what this one has. */
  function hide(into: Directory, name: string): void {
    const node = into.children.get(name)
    if (!node) return
    if (node.layer < layer) into.children.delete(name)
    else if (node.type === 'directory') for (const child of [...node.children.keys()]) hide(node, child)
  }

  const split = (path: string): { parts: string[]; name: string } => {
    const parts = checked(path)
    return { parts: parts.slice(0, -1), name: parts.at(-1) ?? '' }
  }

  return {
    root,
    nextLayer: () => void layer++,
    /** Lays an entry over what is there. `content` of a file is where its bytes are. */
    add(path: string, leaf: TreeLeaf): void {
      const { parts, name } = split(path)
      if (name === '') {
        if (leaf.type !== 'directory') throw refused('a root that is no folder')
        return
      }
      if (!name.startsWith(whiteout)) return void put(folderAt(parts, true) ?? root, name, leaf)
      const hidden = name === opaque ? undefined : checkedName(name.slice(whiteout.length))
      const folder = folderAt(parts, false)
      if (!folder) return
      if (hidden === undefined) for (const child of [...folder.children.keys()]) hide(folder, child)
      else hide(folder, hidden)
    },
    /** What lies at a path, through links. */
    find(path: string): TreeNode | undefined {
      const links = { left: linksMax }
      const follow = (parts: string[]): TreeNode | undefined => {
        const name = parts.at(-1)
        if (name === undefined || name === '..') return wayTo(parts, false, links)?.at(-1)?.folder
        const way = wayTo(parts.slice(0, -1), false, links)
        const node = way?.at(-1)?.folder.children.get(name)
        if (node?.type !== 'link' || !way || links.left-- <= 0) return node
        const beside = node.target.startsWith('/') ? [] : way.slice(1).map((each) => each.name)
        return follow([...beside, ...partsOf(node.target)])
      }
      return follow(partsOf(path))
    },
    /** The file that another name is to be given to. */
    fileAt(path: string): Extract<TreeNode, { type: 'file' }> {
      const { parts, name } = split(path)
      const node = folderAt(parts, false)?.children.get(name)
      if (node?.type !== 'file') throw refused(`a link to ${JSON.stringify(path.slice(0, 200))}, which is no file of it`)
      return node
    },
    remove(path: string): void {
      const { parts, name } = split(path)
      folderAt(parts, false)?.children.delete(name)
    },
  }
}

export type ImageTree = ReturnType<typeof imageTree>

/** Names as archives have them: nothing that leads out of the root, whatever lies there. */
function checked(path: string): string[] {
  if (path.startsWith('/') || path.split('/').includes('..')) throw refused(`a name that leads out of it: ${JSON.stringify(path.slice(0, 200))}`)
  return partsOf(path).map(checkedName)
}

function checkedName(name: string): string {
  if (name === '' || name === '.' || name === '..' || name.includes('/') || name.includes('\0') || Buffer.byteLength(name) > 255)
    throw refused(`a name that cannot be one: ${JSON.stringify(name.slice(0, 200))}`)
  return name
}

const partsOf = (path: string): string[] => path.split('/').filter((part) => part !== '' && part !== '.')
const refused = (what: string) => new AppError('invalid', `The image is not taken: it has ${what}.`)
