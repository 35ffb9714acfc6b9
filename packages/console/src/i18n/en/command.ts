export const commandTexts = {
  command: {
    title: 'Command palette',
    placeholder: 'Go to a page, an agent, a run…',
    pages: 'Pages',
    do: 'Switch',
    theme: 'Switch between light and dark',
    shortcuts: 'Keyboard shortcuts',
    openRun: 'Open the run {{id}}',
    none: 'Nothing is called that.',
    everywhere: 'Everywhere',
    search: 'Search on this page',
    closes: 'Close what is open',
    goTo: 'Go to',
    move: 'Move',
    fold: 'Fold and unfold',
    detail: 'Show the detail',
  },
}
