/** Every sentence of the console. `zh.ts` has the same shape, which the compiler checks. */
export const en = {
  app: { name: 'Longhaul', skip: 'Skip to content' },
  nav: { label: 'Main', ask: 'Ask', runs: 'Runs', approvals: 'Approvals', system: 'System', pending_one: '{{count}} waits for a decision', pending_other: '{{count}} wait for a decision' },
  settings: {
    open: 'Settings', language: 'Language', theme: 'Theme', system: 'System', light: 'Light', dark: 'Dark', toDark: 'Dark theme', toLight: 'Light theme',
    signedInAs: 'Signed in with the key', signOut: 'Sign out', otherLanguage: '中文', otherLanguageLabel: 'Switch to Chinese',
  },
  common: {
    close: 'Close', copy: 'Copy', copied: 'Copied', more: 'Show {{chars}} more characters', none: 'none',
    noPermission: 'This key lacks the permission {{permission}}.', newer: 'Newest', older: 'Older', all: 'All', download: 'Download', unpriced: 'no price known',
  },
  connection: { lost: 'The server is not answering. Trying again; nothing that runs is lost.', offlineChip: 'offline stand-in', offlineTitle: 'No model provider is configured. A rule-based stand-in answers; it is not a language model.' },
  error: {
    title: 'This did not work', request: 'Request {{id}}', missingPage: 'No such page', missingPageText: 'The address leads nowhere. It may be mistyped, or from another version.',
    crash: 'The page failed', crashText: 'That is a fault of the console. What runs is not affected.', reload: 'Reload',
    remedy: {
      invalid: 'Check what was entered; the message names what is wrong.', unauthenticated: 'Sign in again with a key of this server.', forbidden: 'Use a key that has the permission, or ask whoever manages keys.',
      not_found: 'Check the address. It may be of another server, or this key may not see it.', conflict: 'It has changed meanwhile. Look at its present state and decide again.',
      too_large: 'Send less at once.', over_limit: 'Wait a moment and try again, or have the limit raised.', internal: 'The server’s log has the cause under the request’s number.',
      unavailable: 'Nothing was lost. This page tries again by itself.',
    },
  },
  signIn: {
    title: 'Sign in', lead: 'The console shows what a key may see. Paste the key of this server.', key: 'API key', submit: 'Sign in', show: 'Show the key', hide: 'Hide the key',
    where: 'Where to find it', whereText: 'The server made a key for this machine at its first start. It printed it, and wrote it to a file that only its user can read, in the directory it was started from:',
    whereLink: 'The address that the server printed signs in by itself. The key stays in this browser.',
    wrong: 'This server does not know that key', wrongText: 'It may be incomplete, revoked, or of another server.', rejected: 'The key is no longer accepted. It may have been revoked. Sign in with another one.', empty: 'Enter a key first.',
  },
  home: {
    title: 'Ask', lead: 'An agent works on it step by step; you can watch each one.', agents: 'Agents', question: 'Question', placeholder: 'Ask {{agent}} something…', functionPlaceholder: 'Input for {{agent}}: text, or JSON…',
    submit: 'Ask', start: 'Start', examples: 'Examples', recent: 'Recent runs', allRuns: 'All runs', hint: 'Enter asks, Shift+Enter starts a new line', jsonHint: 'JSON. Ctrl+Enter starts.', jsonInput: 'Input (JSON)', badJson: 'Not JSON yet: {{message}}', emptyJson: 'Write the input as JSON first.', noRuns: 'No runs yet', noRunsText: 'Ask something: the run appears here and keeps its whole history.',
    noAgents: 'No agents are deployed', noAgentsText: 'An agent is a folder. Put one under the server’s agents directory and start the server again; it deploys what it finds.',
    starting: 'starting', ready: 'ready', broken: 'broken', brokenTitle: '{{agent}} does not load', brokenText: 'Correct the code and start the server again.', notReady: '{{agent}} is still starting. Its code is being loaded.',
    empty: 'Write a question first.', tools_one: '{{count}} tool', tools_other: '{{count}} tools', code: 'code', agentBroken: 'This agent does not load, so it cannot be asked.', pick: 'Choose an agent',
  },
  runs: {
    title: 'Runs', state: 'State', agent: 'Agent', question: 'Question', asker: 'Asked by', duration: 'Duration', cost: 'Cost', started: 'Started', anyState: 'All states', anyAgent: 'All agents',
    empty: 'No runs yet', emptyText: 'A run appears here as soon as somebody asks an agent.', emptyFiltered: 'No run is like that', emptyFilteredText: 'Nothing matches these filters.', clear: 'Clear the filters', ask: 'Ask something', noInput: 'no input',
  },
  state: { pending: 'Pending', running: 'Running', waiting: 'Waiting', completed: 'Completed', failed: 'Failed', cancelled: 'Cancelled' },
  run: {
    askedBy: 'asked by {{name}}', version: 'version {{version}}', started: 'Started', duration: 'Duration', waited: '{{duration}} of it waiting', cost: 'Cost', tokens: 'Tokens', model: 'Model', access: 'Data access', id: 'Run',
    tokensValue: '{{input}} in · {{output}} out', tokensCached: '{{cached}} of the input from the cache',
    cancel: 'Cancel run', cancelTitle: 'Cancel this run?', cancelText: 'What has been done stays done. What is going on is stopped, and the run cannot be taken up again.', cancelReason: 'Reason (optional)', keep: 'Keep running',
    cancelEnded: 'The run has ended.', askAgain: 'Ask again', retry: 'Retry', retryBlocked: 'Only a run that waits for an operator can be taken up again.',
    missing: 'No such run', offline: 'Offline stand-in, not a language model', offlineText: 'No model provider is configured. Fixed rules produced this answer; they know nothing beyond their grammar.',
    accessAll: 'everything', accessRegions: 'regions {{regions}}', accessNoPersonal: 'no personal data', accessLimited: 'The answer is limited to what the asker may see: {{access}}.',
    queued: 'Waiting for a worker', working: 'Working', reconnecting: 'Connection lost. Picking up where it broke off…', streamFailed: 'The live view has stopped',
    
  },
  wait: {
    timer: 'Waiting until {{until}}', timerText: 'A timer of the agent’s own ({{name}}). It costs nothing meanwhile and goes on by itself.', signal: 'Waiting for the signal “{{name}}”', signalText: 'Somebody or something outside has to send it',
    approval: 'Waiting for a decision', operator: 'Waiting for an operator', until: 'until {{until}}', noLimit: 'without a time limit', payload: 'Payload (JSON)', send: 'Send signal', badJson: 'This is not JSON: {{message}}',
    diverged: 'The agent’s code no longer matches this run’s history, so it stopped rather than go on by guess.', poison: 'The run took its worker down several times in a row, so it was set aside.',
    broken: 'The code of this run’s version does not load any more, so it was set aside.', brokenRemedy: 'Correct what the problem names and retry; or cancel it.',
    divergedRemedy: 'Restore the version that it began with, then retry; or cancel it.', poisonRemedy: 'Find what kills the worker (its log says), then retry; or cancel it.', difference: 'First difference', recorded: 'recorded', asked: 'asked for now',
    approve: 'Approve', deny: 'Deny', comment: 'Comment (optional)', approved: 'Approved', denied: 'Denied', expires: 'expires {{when}}', decided: '{{state}} by {{name}}', pending: 'Pending', expired: 'Expired', withdrawn: 'Withdrawn', detail: 'What is asked',
    signalSent: 'Sent. The run takes it up in a moment.',
  },
  answer: {
    title: 'Answer', result: 'Result', failure: 'Why it failed', table: 'Table', rows_one: '{{count}} row', rows_other: '{{count}} rows', cut: 'the first {{shown}} of {{total}} rows', csv: 'Copy as CSV', sql: 'SQL', copySql: 'Copy SQL', 
    chart: 'Chart', chartFailed: 'The file could not be loaded.', sortBy: 'Sort by {{column}}', empty: 'The query found no rows.', cancelled: 'Cancelled', cancelledBy: 'by {{name}}', stack: 'Stack', retryable: 'may succeed when tried again', final: 'will not succeed when tried again',
    nothing: 'It returned nothing.', copyAnswer: 'Copy answer', showAll: 'Show all {{count}} rows',
  },
  timeline: {
    title: 'Timeline', label: 'What the run did, in order', filter: 'Show', all: 'All', model: 'Model', tool: 'Tools', exec: 'Commands', problem: 'Problems', retries_one: '{{count}} retry', retries_other: '{{count}} retries',
    interruptions_one: '{{count}} interruption', interruptions_other: '{{count}} interruptions', steps_one: '{{count}} step', steps_other: '{{count}} steps', empty: 'Nothing has happened yet.', emptyFilter: 'Nothing of that kind.', expand: 'Expand', collapse: 'Collapse',
    latest: 'Jump to the latest', skipped: '{{duration}} of waiting, drawn shorter', tries_one: '{{count}} try', tries_other: '{{count}} tries', loading: 'Loading the history',
  },
  entry: {
    model: 'Model call', tool: 'Tool', exec: 'Command', files: 'Files', artifact: 'File', step: 'Step', timer: 'Timer', signal: 'Signal', approval: 'Approval', operator: 'Operator', branch: 'Branch {{number}}', branches: '{{count}} branches', parallel: 'Side by side',
    started: 'Started', completed: 'Completed', failed: 'Failed', cancelled: 'Cancelled', interrupted: 'Worker lost', hung: 'Worker stopped responding', resumed: 'Taken up again', received: 'Signal received',
    by: 'by {{name}}', exit: 'exit {{code}}', killed: 'killed by {{signal}}', timedOut: 'timed out', wrote_one: 'wrote {{count}} file', wrote_other: 'wrote {{count}} files', read: 'read {{path}}', list: 'list {{path}}', calls: 'calls {{tools}}', thinking: 'thinking…',
    state: { running: 'running', retrying: 'to be retried', waiting: 'waiting', interrupted: 'interrupted, will be taken up again', completed: 'completed', failed: 'failed', abandoned: 'not finished' },
  },
  detail: {
    label: 'Detail', copyLink: 'Copy link to this entry', prompt: 'Prompt', instructions: 'Instructions', tools: 'Tools offered', response: 'Response', input: 'Input', output: 'Output', error: 'Error', raw: 'Raw', readable: 'Readable', script: 'Script', stdout: 'Standard output', stderr: 'Standard error',
    started: 'Started', duration: 'Duration', model: 'Model', asked: 'asked for {{model}}', tokens: 'Tokens', cost: 'Cost', finish: 'Ended by', driver: 'Sandbox', exitCode: 'Exit code', attempts: 'Tries', attempt: 'Try {{attempt}}', path: 'Path', isNew: 'new', earlier_one: '{{count}} earlier message', earlier_other: '{{count}} earlier messages',
    role: { user: 'User', assistant: 'Assistant', tool: 'Tool result' }, callsTool: 'calls', empty: 'empty', notYet: 'Not there yet.', truncated: 'The output was longer; the rest was dropped.', timedOut: 'It took longer than allowed and was stopped.', worker: 'The worker was lost during this try.',
    retryIn: 'tried again after {{delay}}', events: 'Events', gone: 'This entry is not in the run’s history.', noInstructions: 'none', chars: '{{count}} characters', finishReason: { stop: 'the model', 'tool-calls': 'tool calls', length: 'the length limit', 'content-filter': 'the content filter', other: 'another reason' }, payload: 'Payload', reason: 'Reason', by: 'Sent by', outputMax: 'at most {{tokens}} tokens out', cached: '{{cached}} cached', stdin: 'Standard input', size: 'Size', binary: 'Not text.', cwd: 'in {{path}}', parts: 'Shown to the asker',
  },
  approvals: { title: 'Approvals', filter: 'State', emptyPending: 'Nothing waits for a decision', emptyPendingText: 'When an agent asks a person before it goes on, the question appears here.', empty: 'No approvals', toRun: 'Open the run', asked: 'asked', none: 'No further detail was given.', truth: 'Decided by {{name}}' },
  system: {
    title: 'System', sandbox: 'Sandbox', driver: 'Driver', enforced: 'Enforced on this host', missing: 'Missing', nothingMissing: 'Nothing is missing.', remedy: 'To add it', languages: 'Languages', models: 'Models', default: 'Default model', available: 'Available', offline: 'No provider is configured',
    offlineText: 'A rule-based stand-in answers in place of a language model. Set one of these variables and start the server again:', startup: 'Start-up', total: 'Total', database: 'Database', embedded: 'embedded, started by the server', external: 'external', version: 'Version', key: 'Your key', permissions: 'Permissions', access: 'Data access', server: 'Server',
    nothingEnforced: 'Nothing is enforced.',
  },
} as const
