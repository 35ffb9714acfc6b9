/** Where live events are had, and what holds of a connection. */
export const livePath = '/v1/live'

export const liveLimits = {
  /** Of a message to the server. */
  messageBytesMax: 64 * 1024,
  /** In bursts of a sixth of it: who comes back asks for all its subscriptions at once. */
  messagesPerMinute: 1_200,
  subscriptionsMax: 100,
  /** Within this time after the connection was made a key has to be there. */
  helloMs: 10_000,
  /** The server says something at least this often. */
  heartbeatMs: 15_000,
  /** How much a client may leave unread, and for how long. */
  unreadBytesMax: 1024 * 1024,
  unreadMs: 30_000,
} as const

/** Why the server closes a connection. All but `invalid` and `unauthenticated` are mended by coming back with the cursors that the client has. */
export const liveCloses = {
  /** The server stops, or goes on elsewhere. */
  stopping: 1001,
  /** A message was too large. */
  tooLarge: 1009,
  /** A message that is none of these. */
  invalid: 4400,
  /** No key, or one that is unknown, has ended or was revoked, or may do something else than before. */
  unauthenticated: 4401,
  /** Too much was left unread for too long. */
  unread: 4408,
  /** Too many messages or connections. */
  overLimit: 4429,
} as const
