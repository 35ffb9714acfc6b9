/** Made-up notes. Replace this with your own archive. */
const notes = [
  'The Heron is a cargo bicycle that carries 180 kg.',
  'The Heron has been built in Porto since 2021.',
  'The Wren is a folding bicycle that weighs 9 kg.',
]

export const findNotes = (word: string): string[] => notes.filter((note) => note.toLowerCase().includes(word.toLowerCase()))
