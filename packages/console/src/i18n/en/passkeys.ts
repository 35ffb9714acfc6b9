/** Passkeys: signing in by a finger, a face or a security key. */
export const passkeys = {
  title: 'Passkeys',
  text: 'Sign in with your fingerprint, your face or a security key, without a password. A passkey counts as a second factor as well.',
  signIn: 'Sign in with a passkey',
  use: 'Use a passkey',
  add: 'Add a passkey',
  name: 'Name of the passkey',
  nameHint: 'What you will know it by, such as the device that keeps it.',
  newName: 'New name',
  password: 'Your password, to add a passkey',
  rename: 'Rename',
  synced: 'on several devices',
  elsewhere: 'for {{host}}',
  unused: 'not used yet',
  unavailable: 'This browser has no passkeys here. They need https, or http://localhost on this machine.',
  alreadyHere: 'This device keeps a passkey of yours already.',
  notGiven: 'No passkey was given. It was cancelled, took too long, or there is none for this address.',
} as const
