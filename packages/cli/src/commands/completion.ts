/** Scripts that shells read once: commands, their options and what they are for, from the commands themselves. */
import type { Command } from 'commander'

export type Shell = 'bash' | 'zsh' | 'fish'
type Place = { path: string; commands: { name: string; description: string }[]; options: { flag: string; description: string }[] }

export function completionFor(shell: Shell, program: Command): string {
  const places = placesOf(program, '')
  return shell === 'fish' ? fish(places) : shell === 'zsh' ? `autoload -U +X bashcompinit && bashcompinit\n${bash(places)}` : bash(places)
}

function placesOf(command: Command, path: string): Place[] {
  const here: Place = {
    path,
    commands: command.commands.map((each) => ({ name: each.name(), description: each.description() })),
    options: command.options.flatMap(({ long, description }) => (long ? [{ flag: long, description }] : [])),
  }
  return [here, ...command.commands.flatMap((each) => placesOf(each, `${path} ${each.name()}`.trim()))]
}

/** Names of commands and options are letters, digits and dashes: they need no quotes. After a command's own words files are offered. */
function bash(places: readonly Place[]): string {
  const cases = places.map(
    ({ path, commands, options }) => `    '${path}') words='${[...commands.map(({ name }) => name), ...options.map(({ flag }) => flag)].join(' ')}' ;;`,
  )
  const known = places.flatMap(({ path }) => (path === '' ? [] : [`'${path}'`]))
  return `_longhaul() {
  local at='' next words='' i
  for ((i = 1; i < COMP_CWORD; i++)); do
    next="\${at:+$at }\${COMP_WORDS[i]}"
    case "$next" in
    ${known.join('|')}) at="$next" ;;
    esac
  done
  case "$at" in
${cases.join('\n')}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
}
complete -o default -F _longhaul longhaul
`
}

const quoted = (text: string): string => `'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`

function fish(places: readonly Place[]): string {
  const known = places.flatMap(({ path }) => (path === '' ? [] : [quoted(path)]))
  const lines = places.flatMap(({ path, commands, options }) => {
    const when = `-n ${quoted(`test (__longhaul_at) = "${path}"`)}`
    return [
      ...commands.map(({ name, description }) => `complete -c longhaul -f ${when} -a ${name} -d ${quoted(description)}`),
      ...options.map(({ flag, description }) => `complete -c longhaul ${when} -l ${flag.slice(2)} -d ${quoted(description)}`),
    ]
  })
  return `function __longhaul_at
  set -l at ''
  for word in (commandline -opc)[2..-1]
    set -l next (string trim "$at $word")
    contains -- "$next" ${known.join(' ')}; and set at "$next"
  end
  echo "$at"
end
${lines.join('\n')}
`
}
