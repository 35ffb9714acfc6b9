/** Every failure a caller may see: what each transport reports it as, the CLI's exit code, and what to do about it. */
export const errorCodes = {
  invalid: { http: 400, grpc: 3, exit: 2, meaning: 'The request is malformed. The message names each wrong field.' },
  unauthenticated: { http: 401, grpc: 16, exit: 3, meaning: 'No key and no login, or one that is unknown, expired or revoked.' },
  forbidden: { http: 403, grpc: 7, exit: 4, meaning: 'The key is valid but may not do this.' },
  step_up_required: {
    http: 403,
    grpc: 7,
    exit: 12,
    meaning:
      'The person may do this, with a second factor given a short while ago. Give it (`POST /v1/me/step-up`, the console’s dialog, `longhaul me step-up`) and ask again.',
  },
  not_offered: {
    http: 403,
    grpc: 9,
    exit: 14,
    meaning:
      'This server does not offer it, or its operator does not let this tenant have it. Another key does not help: the message says what there is instead, and who can change that.',
  },
  not_found: { http: 404, grpc: 5, exit: 5, meaning: 'Nothing of that name that this key may see.' },
  conflict: { http: 409, grpc: 10, exit: 6, meaning: 'The thing is not in a state that allows this, or the same idempotency key came with another body.' },
  precondition_failed: {
    http: 412,
    grpc: 10,
    exit: 13,
    meaning:
      'The thing is not any more as it was when it was read: its `etag` is another than `If-Match` says. Nothing was changed. Read it again, and apply the change to that.',
  },
  too_large: { http: 413, grpc: 11, exit: 7, meaning: 'The body or a value is larger than the limit that the message names.' },
  over_budget: {
    http: 402,
    grpc: 8,
    exit: 11,
    meaning:
      'A budget has not enough left for this call, or the model has no price to count with. Asking again does not help: the message says which budget, and when it begins anew.',
  },
  over_limit: { http: 429, grpc: 8, exit: 8, meaning: 'A quota or rate is used up. Try again later or raise it.' },
  internal: { http: 500, grpc: 13, exit: 1, meaning: 'A fault of the server. Its log has the cause under the request id.' },
  unavailable: { http: 503, grpc: 14, exit: 9, meaning: 'The database or another part is not answering. Nothing was lost; try again.' },
} as const
