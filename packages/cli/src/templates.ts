/** What `longhaul init` can make, with what each is. The names are those of the folders in `templates/`. Without imports: the help is made of it. */
export const templates = {
  blank: 'instructions, and nothing else',
  tools: 'a model with two tools, one of which asks a person; a skill; tests',
  durable: 'plain code that survives crashes: steps, an approval, a timer',
  analyst: 'answers questions about data with SQL, and shows the rows',
  reviewer: 'reads a diff and answers with findings of a fixed shape; a hook',
  team: 'a lead that hands tasks to a subagent; tests of both',
  support: 'answers from a handbook in its sandbox, hands over what is not in it',
} as const
