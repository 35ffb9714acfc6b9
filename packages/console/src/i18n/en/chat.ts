export const chatTexts = {
  chat: {
    fresh: 'New chat',
    earlier: 'Earlier with this agent',
    noEarlier: 'None yet.',
    turns: 'Conversation',
    cut: 'The last {{count}} turns are shown.',
    begin: 'Talk to {{agent}}',
    beginText: 'It remembers what was said here. Each turn is a run whose steps can be looked at.',
    message: 'Message',
    send: 'Send',
    stop: 'Stop',
    empty: 'Write something first.',
    steps: 'Steps',
    preview: 'A preview answers here, and not the live version.',
    toLive: 'To the live version',
  },
}
