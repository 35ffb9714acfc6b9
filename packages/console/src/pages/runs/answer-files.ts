import type { FilePart } from '@longhaul/protocol'

/** A picture in the forms it is offered in: the first is shown, each can be downloaded. */
export type Picture = { title: string; files: readonly FilePart[] }

/** Pictures of one name (`arr.svg`, `arr.png`) are one picture; drawings that scale come before those that do not. */
export function groupFiles(files: readonly FilePart[]): { pictures: Picture[]; others: FilePart[] } {
  const byName = new Map<string, FilePart[]>()
  const others: FilePart[] = []
  for (const file of files) {
    if (!file.mediaType.startsWith('image/')) {
      others.push(file)
      continue
    }
    const name = file.name.replace(/\.\w+$/, '')
    byName.set(name, [...(byName.get(name) ?? []), file])
  }
  const pictures = [...byName].map(([name, group]) => {
    const sorted = group.toSorted((a, b) => Number(b.mediaType === 'image/svg+xml') - Number(a.mediaType === 'image/svg+xml'))
    return { title: sorted.find((file) => file.title)?.title ?? name, files: sorted }
  })
  return { pictures, others }
}

/** `SVG`, `PNG`, `CSV`: what a download button says. */
export const formatName = ({ name, mediaType }: FilePart): string => (name.match(/\.(\w{1,5})$/)?.[1] ?? mediaType.split(/[/+]/)[1] ?? '').toUpperCase()
